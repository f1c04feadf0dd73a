import { equal, throws } from 'node:assert/strict';
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
});
