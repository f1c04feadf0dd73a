/** One seed: its run, and what came of it as plain data that can cross to another process. */
import type { Violation } from '../checks/violation.ts';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { profileNamed } from '../schedule/profiles.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { restrict, type Selection } from '../schedule/selection.ts';
import { shrinkSchedule } from '../shrink/shrink-schedule.ts';
import { type RunResult, runSchedule } from '../workload/run-schedule.ts';
import type { ScheduleName } from './schedule-names.ts';

export interface SeedOptions {
  readonly profile: string;
  /** What of the schedule is run. */
  readonly only: Selection;
  /** Real time that goes into making a failing schedule smaller; 0: none. */
  readonly shrinkMs: number;
}

/** A smaller schedule that fails as what was run does: the numbers of what is left. */
export interface Shrunk {
  readonly operations: readonly number[];
  readonly faults: readonly number[];
  readonly violations: readonly Violation[];
}

type RunOne = (schedule: Schedule) => Promise<RunResult>;

export interface SeedReport {
  readonly seed: number;
  readonly profile: string;
  /** What of the schedule was run. */
  readonly only: Selection;
  /** Answered with a result. */
  readonly doneCount: number;
  /** Errors that operations ended with, by kind. */
  readonly errors: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** How often it came by each interesting state. */
  readonly coverage: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  readonly undecidedCount: number;
  readonly traceHash: string;
  readonly virtualMs: number;
  /** Of a run with violations, when a smaller one was found. */
  readonly shrunk?: Shrunk;
}

/** @param run what runs a schedule: only a test of the simulator itself has another. */
export async function runSeed(seed: number, options: SeedOptions, run: RunOne = runSchedule): Promise<SeedReport> {
  const schedule = scheduleOf(seed, options);
  const report = reportOf({ seed, profile: options.profile }, options.only, await run(schedule));
  if (report.violations.length === 0 || options.shrinkMs === 0) return report;
  const shrunk = await shrink(schedule, { first: report.violations[0]!, shrinkMs: options.shrinkMs, run });
  return shrunk === undefined ? report : { ...report, shrunk };
}

export function scheduleOf(seed: number, { profile, only }: Pick<SeedOptions, 'profile' | 'only'>): Schedule {
  return restrict(makeSchedule(seed, { name: profile, profile: profileNamed(profile)! }), only);
}

/** Smaller ones must fail the check that the whole one failed first. */
async function shrink(
  schedule: Schedule,
  { first, shrinkMs, run }: { first: Violation; shrinkMs: number; run: RunOne },
): Promise<Shrunk | undefined> {
  const endMs = performance.now() + shrinkMs;
  let violations: readonly Violation[] | undefined;
  const { operations, faults } = await shrinkSchedule(schedule, {
    isOver: () => performance.now() > endMs,
    fails: async (candidate) => {
      const found = (await run(candidate)).violations;
      if (!found.some(({ check }) => check === first.check)) return false;
      violations = found;
      return true;
    },
  });
  if (violations === undefined) return undefined;
  const idsOf = (items: readonly { readonly id: number }[]) => items.map(({ id }) => id);
  return { operations: idsOf(operations), faults: idsOf(faults), violations };
}

export function reportOf(
  name: ScheduleName,
  only: Selection,
  { doneCount, errors, faults, coverage, ...rest }: RunResult,
): SeedReport {
  const { violations, undecidedCount, traceHash, virtualMs } = rest;
  return {
    ...name,
    only,
    doneCount,
    errors: Object.fromEntries(errors),
    faults: Object.fromEntries(faults),
    coverage: Object.fromEntries(coverage),
    violations,
    undecidedCount,
    traceHash,
    virtualMs,
  };
}
