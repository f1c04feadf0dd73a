import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { makeSchedule } from './make-schedule.ts';
import { PROFILES } from './profiles.ts';

function schedule(seed: number, name = 'default') {
  return makeSchedule(seed, { name, profile: PROFILES[name]! });
}

test('schedule: plain data, the same for the same seed, another for another', () => {
  deepEqual(JSON.parse(JSON.stringify(schedule(5))), schedule(5));
  notDeepEqual(schedule(5).operations, schedule(6).operations);
});

test('schedule: only one chunkserver ever loses what was on stable storage', () => {
  for (let seed = 0; seed < 300; seed++) {
    const damaged = schedule(seed, 'disks').faults.flatMap(({ fault }) =>
      fault.kind === 'bitRot' || fault.kind === 'lostDisk' ? [fault.host] : [],
    );
    ok(new Set(damaged).size <= 1, `seed ${seed}: ${damaged}`);
    ok(!damaged.includes('master'));
  }
});

test('schedule: every fault ends before its run does, and every kind is drawn', () => {
  const kinds = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const { faults, durationMs } = schedule(seed);
    for (const { atMs, fault } of faults) {
      kinds.add(fault.kind);
      if ('durationMs' in fault) ok(atMs + fault.durationMs <= durationMs);
    }
  }
  equal(kinds.size, 13);
});
