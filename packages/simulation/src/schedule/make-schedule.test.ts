import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { MASTER_BOUNDS, type MasterBounds } from '@cairnfs/master';
import { makeSchedule } from './make-schedule.ts';
import { PROFILES, profileNamed } from './profiles.ts';

function schedule(seed: number, name = 'default') {
  return makeSchedule(seed, { name, profile: PROFILES[name]! });
}

test('schedule: plain data, the same for the same seed, another for another', () => {
  deepEqual(JSON.parse(JSON.stringify(schedule(5))), schedule(5));
  notDeepEqual(schedule(5).operations, schedule(6).operations);
});

test('schedule: only one chunkserver ever loses what was on stable storage, or is without it for long', () => {
  for (let seed = 0; seed < 300; seed++) {
    const { faults } = schedule(seed, ['disks', 'load', 'hang', 'outages', 'newcomers', 'copies', 'rot'][seed % 7]);
    const damaged = faults.flatMap(({ fault }) => {
      const isDamage = fault.kind === 'bitRot' || fault.kind === 'lostDisk';
      return isDamage || (fault.kind === 'hangingDisk' && fault.host !== 'master') ? [fault.host] : [];
    });
    ok(new Set(damaged).size <= 1, `seed ${seed}: ${damaged}`);
    ok(!damaged.includes('master'));
    // What is down meanwhile has all it had.
    for (const { fault } of faults) ok(fault.kind !== 'outage' || !fault.hosts.some((host) => damaged.includes(host)));
  }
});

test('schedule: of servers that run short of room so many are left alone that all copies have a place', () => {
  for (let seed = 0; seed < 50; seed++) {
    const { faults, shape } = schedule(seed, 'full');
    ok(faults.every(({ fault }) => fault.kind === 'littleRoom'));
    const short = new Set(faults.map(({ fault }) => ('host' in fault ? fault.host : '')));
    ok(!short.has('master') && short.size <= shape.chunkservers - 3, `seed ${seed}: ${[...short]}`);
  }
});

test('schedule: under load there is more than servers do at once, and never room for more than in production', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const { shape, operations } = schedule(seed, 'load');
    const { bounds, standingFiles } = shape.load!;
    ok(operations.some(({ call }) => call.on === 'file' && call.file >= shape.files));
    for (const [name, bound] of Object.entries(bounds.master)) {
      seen.add(name);
      ok(bound >= 1 && bound <= MASTER_BOUNDS[name as keyof MasterBounds], name);
      if (name !== 'answerBytesMax') ok(bound < standingFiles, name);
    }
  }
  deepEqual([...seen].sort(), Object.keys(MASTER_BOUNDS).sort());
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

test('schedule: the short form of a profile has a sixth of what it has', () => {
  const long = makeSchedule(7, { name: 'storm', profile: profileNamed('storm')! });
  const short = makeSchedule(7, { name: 'storm/short', profile: profileNamed('storm/short')! });
  equal(short.operations.length * 6, long.operations.length);
  equal(short.durationMs * 4, long.durationMs);
  ok(short.faults.length >= 3 && short.faults.length <= 5, `${short.faults.length} faults`);
  equal(profileNamed('none/short'), undefined);
  equal(profileNamed('short/short'), undefined);
});
