import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { runSchedule } from './run-schedule.ts';

const SEEDS = 100;
/** Each fault has its part in a few seconds. */
const TINY = { ...PROFILES.short!, operations: 10, durationMs: 4000 };

test('run: each of 100 seeds gives the same trace twice', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const schedule = makeSchedule(seed, { name: 'tiny', profile: TINY });
    const { traceHash } = await runSchedule(schedule);
    equal((await runSchedule(schedule)).traceHash, traceHash, `seed ${seed}`);
  }
});
