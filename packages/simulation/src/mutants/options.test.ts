import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { MUTANTS } from './mutants.ts';
import { type Options, parseOptions, simulatorArguments } from './options.ts';

const parsed = (...args: string[]): Options => {
  const options = parseOptions(args);
  if (options === 'help') throw new Error('no help was asked for');
  return options;
};

test('mutant options: each mutant runs its own schedules, or those that are named', () => {
  equal(parsed().mutants.length, MUTANTS.length);
  const own = parsed('--only', 'garbage-of-a-lost-promise');
  deepEqual(simulatorArguments(own, own.mutants[0]!).slice(0, 3), ['--profile', 'hang', '--seed=78001']);
  const other = parsed('--only', 'garbage-of-a-lost-promise', '--profile', 'storm', '--seed', '5', '--minutes', '2');
  deepEqual(simulatorArguments(other, other.mutants[0]!), [
    ...['--profile', 'storm', '--seed=5'],
    ...['--schedules', '20000', '--workers', '2', '--minutes', '2'],
  ]);
});

test('mutant options: --only is a part of names', () => {
  const { mutants } = parsed('--only', 'journal-');
  ok(mutants.length > 1);
  for (const { name } of mutants) ok(name.includes('journal-'), name);
});

test('mutant options: what the simulator would refuse is refused before anything is built', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['--profile', 'nosuch'],
    ['--profile', 'scale'],
    ['--seed', 'x'],
    ['--seed=-1', ''],
    ['--schedules', '0'],
    ['--minutes', 'soon'],
    ['--workers', 'two'],
    ['--only', 'no such mutant'],
    ['--nope', ''],
  ];
  for (const [option, value] of wrong) {
    const args = value === '' ? [option] : [option, value];
    throws(() => parseOptions(args), new RegExp(option.split('=')[0]!), args.join(' '));
  }
});

test('mutant options: --help and -h ask for the usage', () => {
  equal(parseOptions(['--help']), 'help');
  equal(parseOptions(['-h']), 'help');
});
