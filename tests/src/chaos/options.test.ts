import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './options.ts';

const NOW = { nowMs: 7 };

test('chaos options: what is not said has a default', () => {
  deepEqual(parseOptions([], NOW), { seed: 7, minutes: 3, wantsNetwork: true, isSweep: false });
  const args = ['--minutes', '0.5', '--seed', '9', '--no-network'];
  deepEqual(parseOptions(args, NOW), { seed: 9, minutes: 0.5, wantsNetwork: false, isSweep: false });
});

test('chaos options: --help and -h ask for the usage', () => {
  equal(parseOptions(['--help'], NOW), 'help');
  equal(parseOptions(['--seed', '1', '-h'], NOW), 'help');
});

test('chaos options: a sweep runs nothing, so nothing goes with it', () => {
  deepEqual(parseOptions(['--sweep'], NOW), { seed: 7, minutes: 3, wantsNetwork: true, isSweep: true });
  for (const other of [['--minutes', '10'], ['--seed', '1'], ['--no-network']]) {
    throws(() => parseOptions(['--sweep', ...other], NOW), / does not go with --sweep, which runs nothing/);
  }
});

test('chaos options: what cannot be meant is refused with the option it came in', () => {
  throws(() => parseOptions(['--minutes', '0'], NOW), /--minutes 0: a number above 0/);
  throws(() => parseOptions(['--seed', '1.5'], NOW), /--seed 1\.5: a whole number/);
  const message = /^Error: --seed -1: a whole number from 0 to 281474976710656 is wanted$/;
  throws(() => parseOptions(['--seed', '-1'], NOW), message);
  throws(() => parseOptions(['--seed'], NOW), /^Error: --seed: its value is missing$/);
  throws(() => parseOptions(['--seed', '1', '--seed', '2'], NOW), /^Error: --seed is given more than once$/);
  throws(() => parseOptions(['--nope'], NOW), /^Error: there is no option --nope$/);
  throws(() => parseOptions(['3'], NOW), /^Error: '3' is no option$/);
});
