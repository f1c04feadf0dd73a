import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './options.ts';

const NOW = { nowMs: 7 };

test('options: minutes alone set no limit to the schedules', () => {
  equal(parseOptions(['--minutes', '2'], NOW).schedules, Number.POSITIVE_INFINITY);
  equal(parseOptions([], NOW).schedules, 100);
  equal(parseOptions(['--seed', '12'], NOW).seed, 12);
});

test('options: what cannot be meant is refused with the flag it came in', () => {
  throws(() => parseOptions(['--schedules', 'many'], NOW), /--schedules many/);
  throws(() => parseOptions(['--profile', 'x'], NOW), /--profile x/);
  throws(() => parseOptions(['--seed', ''], NOW), /--seed/);
  throws(() => parseOptions(['--trace'], NOW), /--trace needs/);
  throws(() => parseOptions(['--faults', 'none'], NOW), /need the --seed/);
  throws(() => parseOptions(['--seed', '1', '--operations', '1-'], NOW), /--operations 1-/);
});

test('options: part of a schedule is run once', () => {
  const { schedules, only } = parseOptions(['--seed', '5', '--operations', '2,4-6', '--faults', 'none'], NOW);
  equal(schedules, 1);
  deepEqual(only, { operations: [2, 4, 5, 6], faults: [] });
});
