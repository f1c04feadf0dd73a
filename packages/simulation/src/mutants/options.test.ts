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
  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['--profile', 'nosuch'], /^--profile nosuch: there is no profile 'nosuch'; there are /],
    [['--profile', 'scale'], /^--profile scale: scale runs no schedules$/],
    [['--profile', 'storm,scale'], /^--profile storm,scale: scale runs no schedules$/],
    [['--seed', 'x'], /^--seed x: a whole number/],
    [['--seed', '-1'], /^--seed -1: a whole number/],
    [['--schedules', '0'], /^--schedules 0: a whole number/],
    [['--schedules', '-1'], /^--schedules -1: a whole number/],
    [['--minutes', 'soon'], /^--minutes soon: a number above 0/],
    [['--workers', 'two'], /^--workers two: a whole number/],
    [['--workers'], /^--workers: its value is missing$/],
    [['--only', 'no such mutant'], /^--only 'no such mutant': no mutant has this in its name/],
    [['--only', ''], /^--only '': a part of the names is wanted$/],
    [['--nope'], /^there is no option --nope$/],
    [['dirty-read'], /^'dirty-read' is no option$/],
    [['--seed', '1', '--seed', '2'], /^--seed is given more than once$/],
    [['--keep'], /^--keep is of one mutant, and there are \d\d: /],
  ];
  for (const [args, message] of wrong) throws(() => parseOptions(args), { message }, args.join(' '));
});

test('mutant options: a list runs nothing, so only a part of names goes with it', () => {
  const { isList, mutants } = parsed('--list', '--only', 'dirty-read');
  deepEqual([isList, mutants.length], [true, 1]);
  for (const other of ['--seed 1', '--schedules 1', '--minutes 1', '--workers 1', '--profile storm', '--keep']) {
    throws(() => parsed('--list', ...other.split(' ')), / does not go with --list, which runs nothing$/, other);
  }
});

test('mutant options: one mutant can be kept', () => {
  equal(parsed('--only', 'dirty-read', '--keep').isKept, true);
  equal(parsed('--only', 'dirty-read').isKept, false);
});

test('mutant options: --help and -h ask for the usage', () => {
  equal(parseOptions(['--help']), 'help');
  equal(parseOptions(['-h']), 'help');
});
