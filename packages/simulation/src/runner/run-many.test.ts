import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ManyRuns } from './run-many.ts';
import type { SeedReport } from './run-seed.ts';
import type { ScheduleName } from './schedule-names.ts';

const RUN = { only: {}, shrinkMs: 0 };

test('many runs: a process that dies ends all of them, and what has run until then is known', async () => {
  const reports: SeedReport[] = [];
  // A worker cannot run a profile that is not there.
  const names: ScheduleName[] = ['calm/short', 'none', 'calm/short'].map((profile, seed) => ({ profile, seed }));
  const left = [...names];
  const report = (done: SeedReport) => void reports.push(done);
  const runs = new ManyRuns({ next: () => left.shift(), run: RUN, workers: 1, report });
  await runs.ended;
  deepEqual(
    reports.map(({ seed }) => seed),
    [0],
  );
  deepEqual(runs.death, { name: names[1], by: 'exit code 1' });
  deepEqual(runs.running, [names[1]]);
  equal(left.length, 1);
});

test('many runs: what runs when they are stopped has no report', async () => {
  const name = { profile: 'short', seed: 1 };
  const report = () => undefined;
  const runs = new ManyRuns({ next: () => name, run: RUN, workers: 1, report });
  runs.stop();
  await runs.ended;
  deepEqual([runs.running, runs.death], [[name], undefined]);
});
