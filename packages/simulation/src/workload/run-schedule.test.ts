import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { runSchedule } from './run-schedule.ts';

test('run: the same schedule gives the same trace, without a violation and without a fault in the calm', async () => {
  const schedule = makeSchedule(3, { name: 'calm', profile: { ...PROFILES.short!, faults: [0, 0] } });
  const first = await runSchedule(schedule);
  deepEqual(first.violations, []);
  equal(first.faults.size, 0);
  equal(first.errors.get('DEADLINE_EXCEEDED') ?? 0, 0);
  equal((await runSchedule(schedule)).traceHash, first.traceHash);
});

test('run: all copies at rest are read and equal', async () => {
  const { audit } = await runSchedule(makeSchedule(4, { name: 'short', profile: PROFILES.short! }));
  equal(audit.length > 0, true);
  for (const { replicas } of audit) {
    equal(replicas.length, 3);
    for (const { bytes } of replicas) deepEqual(bytes, replicas[0]!.bytes);
  }
});
