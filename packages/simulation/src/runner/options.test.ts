import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './options.ts';
import { scheduleNames } from './schedule-names.ts';

const NOW = { nowMs: 7 };

test('options: minutes alone set no limit to the schedules', () => {
  equal(parseOptions(['--minutes', '2'], NOW).schedules, Number.POSITIVE_INFINITY);
  equal(parseOptions([], NOW).schedules, 100);
  equal(parseOptions(['--seed', '12'], NOW).seed, 12);
});

test('options: what cannot be meant is refused with the flag it came in', () => {
  throws(() => parseOptions(['--schedules', 'many'], NOW), /--schedules many/);
  throws(() => parseOptions(['--profile', 'x'], NOW), /--profile x/);
  throws(() => parseOptions(['--profile', 'x/short'], NOW), /--profile x/);
  deepEqual(parseOptions(['--profile', 'storm/short'], NOW).profiles, ['storm/short']);
  throws(() => parseOptions(['--seed', ''], NOW), /--seed/);
  throws(() => parseOptions(['--trace'], NOW), /--trace needs/);
  throws(() => parseOptions(['--faults', 'none'], NOW), /need the --seed/);
  throws(() => parseOptions(['--seed', '1', '--operations', '1-'], NOW), /--operations 1-/);
});

test('options: named schedules are run, and none else', () => {
  const { named } = parseOptions(['--schedule', 'storm:7', '--schedule', 'disks:12'], NOW);
  const names = [
    { profile: 'storm', seed: 7 },
    { profile: 'disks', seed: 12 },
  ];
  deepEqual(named, names);
  deepEqual([...scheduleNames({ named, seed: 1, schedules: 100, profiles: ['default'] })], names);
  throws(() => parseOptions(['--schedule', 'storm'], NOW), /--schedule /);
  throws(() => parseOptions(['--schedule', 'calm:1', '--seed', '2'], NOW), /do not go with it/);
});

test('options: several profiles take turns', () => {
  const { profiles, named } = parseOptions(['--profile', 'storm,disks'], NOW);
  deepEqual(
    [...scheduleNames({ named, seed: 5, schedules: 3, profiles })],
    [
      { profile: 'storm', seed: 5 },
      { profile: 'disks', seed: 6 },
      { profile: 'storm', seed: 7 },
    ],
  );
  throws(() => parseOptions(['--profile', 'storm,x'], NOW), /--profile x/);
  throws(() => parseOptions(['--profile', 'storm,disks', '--seed', '5', '--trace'], NOW), /one run has one profile/);
});

test('options: part of a schedule is run once', () => {
  const { schedules, only } = parseOptions(['--seed', '5', '--operations', '2,4-6', '--faults', 'none'], NOW);
  equal(schedules, 1);
  deepEqual(only, { operations: [2, 4, 5, 6], faults: [] });
});
