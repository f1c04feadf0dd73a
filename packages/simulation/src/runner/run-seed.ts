/** One seed: its run, and what came of it as plain data that can cross to another thread. */
import type { Violation } from '../checks/violation.ts';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { type RunResult, runSchedule } from '../workload/run-schedule.ts';

export interface SeedReport {
  readonly seed: number;
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
}

export async function runSeed(seed: number, profile: string): Promise<SeedReport> {
  return reportOf(seed, await runSchedule(makeSchedule(seed, { name: profile, profile: PROFILES[profile]! })));
}

export function reportOf(seed: number, { doneCount, errors, faults, coverage, ...rest }: RunResult): SeedReport {
  const { violations, undecidedCount, traceHash, virtualMs } = rest;
  return {
    seed,
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
