/** What many runs came to. */
import type { Violation } from '../checks/violation.ts';
import { COVERED_STATES } from '../coverage/coverage.ts';
import { replayCommand } from './replay-command.ts';
import type { SeedReport } from './run-seed.ts';

export class Summary {
  schedules = 0;
  readonly failed: SeedReport[] = [];
  #doneCount = 0;
  #undecidedCount = 0;
  #virtualMs = 0;
  readonly #errors = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #coverage = new Map<string, number>();

  add(report: SeedReport): void {
    this.schedules += 1;
    this.#virtualMs += report.virtualMs;
    this.#doneCount += report.doneCount;
    this.#undecidedCount += report.undecidedCount;
    for (const [kind, count] of Object.entries(report.errors)) increase(this.#errors, kind, count);
    for (const [kind, count] of Object.entries(report.faults)) increase(this.#faults, kind, count);
    for (const [name, count] of Object.entries(report.coverage)) increase(this.#coverage, name, count);
    if (report.violations.length > 0) this.failed.push(report);
  }

  /** One line. */
  progress(elapsedMs: number): string {
    const rate = (this.schedules / elapsedMs) * 1000;
    return `${counted(this.schedules, 'schedule')}, ${rate.toFixed(1)}/s, ${this.failed.length} with violations`;
  }

  format(elapsedMs: number): string {
    const neverSeen = COVERED_STATES.filter((state) => !this.#coverage.has(state));
    const lines = [
      `schedules   ${this.schedules} in ${(elapsedMs / 1000).toFixed(1)} s: ${((this.schedules / elapsedMs) * 1000).toFixed(1)}/s, ${(this.#virtualMs / elapsedMs).toFixed(0)} times real time`,
      `operations  ${this.#doneCount} answered; errors: ${list(this.#errors)}`,
      `faults      ${list(this.#faults)}`,
      `seen        ${list(this.#coverage)}`,
      `never seen  ${neverSeen.join(', ') || 'none'}`,
      `undecided   ${this.#undecidedCount} ${this.#undecidedCount === 1 ? 'history' : 'histories'}`,
      `violations  ${this.failed.length === 0 ? 'none' : `in ${counted(this.failed.length, 'schedule')}`}`,
    ];
    for (const report of this.failed) {
      const { seed, profile, shrunk } = report;
      const violations = shownViolations(report);
      const { check, summary } = violations[0]!;
      const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
      const head = `  seed ${seed}, ${profile}${shrunk === undefined ? '' : ', shrunk'}`;
      lines.push(`${head}  ${check}: ${summary}${more}`, `    ${storyCommand(report)}`);
    }
    return lines.join('\n');
  }
}

/** As the smallest failing run shows it: what `storyCommand` runs. */
export function shownViolations({ shrunk, violations }: SeedReport): readonly Violation[] {
  return shrunk?.violations ?? violations;
}

/** Tells the story of the smallest failing run. */
export function storyCommand(report: SeedReport): string {
  return `${replayCommand(report, report.shrunk ?? report.only)} --trace`;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function increase(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function list(counts: ReadonlyMap<string, number>): string {
  const parts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`);
  return parts.join(', ') || 'none';
}
