/** What became of each mutant, for people. */
import { replayCommand } from '../runner/replay-command.ts';
import type { ScheduleName } from '../runner/schedule-names.ts';
import { counted } from '../runner/summary.ts';
import type { Outcome } from './until-caught.ts';

const NAME_WIDTH = 34;
const PROFILE_WIDTH = 12;
const SHOWN_LENGTH_MAX = 200;

/** `not shown`: the schedule that found it fails without it as well. */
type Verdict = 'caught' | 'not caught' | 'not shown' | 'not run';

export class Tally {
  readonly #names: readonly string[];
  readonly #verdicts = new Map<string, Verdict>();

  /** @param names of all mutants that are to be tried. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  get isAllCaught(): boolean {
    return this.#named('caught').length === this.#names.length;
  }

  /** @param isNew the last schedule passes without the mutant. */
  judge(name: string, { schedules, seconds, by }: Omit<Outcome, 'failed'>, isNew: boolean): string {
    const cost = `${counted(schedules, 'schedule')} in ${seconds} s`;
    if (by === undefined) {
      this.#verdicts.set(name, 'not caught');
      return `NOT CAUGHT by ${cost}`;
    }
    this.#verdicts.set(name, isNew ? 'caught' : 'not shown');
    if (isNew) return `caught by ${cost}: ${shown(by)}`;
    return `NOT SHOWN by ${cost}: without the mutant the last of them fails as well: ${shown(by)}`;
  }

  notRun(name: string, { message }: Error): string {
    this.#verdicts.set(name, 'not run');
    return `NOT RUN: ${message}`;
  }

  /** Names those that were not caught, by what became of them. */
  format(): string {
    const lines = [`caught: ${this.#named('caught').length} of ${this.#names.length}`];
    for (const verdict of ['not caught', 'not shown', 'not run', undefined] as const) {
      const names = this.#named(verdict);
      if (names.length > 0) lines.push(`${verdict ?? 'not tried'}: ${names.join(', ')}`);
    }
    return lines.join('\n');
  }

  #named(verdict: Verdict | undefined): string[] {
    return this.#names.filter((name) => this.#verdicts.get(name) === verdict);
  }
}

/** One of the list. */
export function formatLine(name: string, profile: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)} ${profile.padEnd(PROFILE_WIDTH)} ${text}`;
}

/** Of a copy that was left: where it is, and what shows there how the schedule fails. */
export function formatKept(root: string, failed: ScheduleName | undefined): string {
  const lines = [`kept: ${root}`];
  if (failed !== undefined) lines.push(`  cd ${root} && ${replayCommand(failed)}`);
  return lines.join('\n');
}

/** A check may name every chunk there is. */
function shown(by: string): string {
  return by.length > SHOWN_LENGTH_MAX ? `${by.slice(0, SHOWN_LENGTH_MAX)}…` : by;
}
