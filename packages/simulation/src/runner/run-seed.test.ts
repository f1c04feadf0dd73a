import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Schedule } from '../schedule/schedule.ts';
import { type RunResult, runSchedule } from '../workload/run-schedule.ts';
import { runSeed } from './run-seed.ts';
import { storyCommand } from './summary.ts';

const OPTIONS = { profile: 'short', only: {}, shrinkMs: 600_000 };

/** As if it were wrong that a record append is ever acknowledged. */
async function runWithWrongCheck(schedule: Schedule): Promise<RunResult> {
  const result = await runSchedule(schedule);
  const operations = [...result.history.files.values()].flat();
  const append = operations.find(({ call, outcome }) => call.kind === 'appendRecord' && outcome.kind === 'ok');
  if (append === undefined) return result;
  return { ...result, violations: [{ check: 'no appends', summary: `append #${append.id}`, details: '' }] };
}

test('seed: a failure is shrunk to what shows it, and the command that replays it names that', async () => {
  const report = await runSeed(3, OPTIONS, runWithWrongCheck);
  equal(report.violations.length, 1);
  const shrunk = report.shrunk!;
  deepEqual([shrunk.operations.length, shrunk.faults.length], [1, 0]);
  const command = `npm run simulate -- --schedule short:3 --operations ${shrunk.operations} --faults none --trace`;
  equal(storyCommand(report), command);
  const only = { operations: shrunk.operations, faults: [] };
  const again = await runSeed(3, { ...OPTIONS, only, shrinkMs: 0 }, runWithWrongCheck);
  deepEqual(again.violations, shrunk.violations);
  // It is a part, and there is none smaller.
  equal(storyCommand(again), command);
});

test('seed: nothing is shrunk without a violation or without time for it', async () => {
  equal((await runSeed(3, OPTIONS)).shrunk, undefined);
  const failed = await runSeed(3, { ...OPTIONS, shrinkMs: 0 }, runWithWrongCheck);
  ok(failed.violations.length > 0);
  equal(failed.shrunk, undefined);
});
