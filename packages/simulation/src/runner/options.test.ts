import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions, type RunsCommand, type StoryCommand, USAGE } from './options.ts';
import { scheduleNames } from './schedule-names.ts';

function parse(...args: string[]) {
  return parseOptions(args, { nowMs: 7, environment: {} });
}

function runs(...args: string[]): RunsCommand {
  const command = parse(...args);
  equal(command.kind, 'runs');
  return command as RunsCommand;
}

function story(...args: string[]): StoryCommand {
  const command = parse(...args);
  equal(command.kind, 'story');
  return command as StoryCommand;
}

function refused(words: string, message: RegExp): void {
  throws(() => parse(...words.split(' ').map((word) => (word === "''" ? '' : word))), message, words);
}

test('options: minutes alone set no limit to the schedules', () => {
  equal(runs('--minutes', '2').range.schedules, Number.POSITIVE_INFINITY);
  equal(runs('--minutes', '0.5', '--schedules', '3').range.schedules, 3);
  equal(runs().range.schedules, 100);
  equal(runs().range.seed, 7);
  equal(runs('--seed', '12').range.seed, 12);
});

test('options: what cannot be meant is refused with the option, the text and what is wanted', () => {
  refused('--schedules many', /^Error: --schedules many: a whole number from 1 to/);
  refused('--schedules 1e1', /--schedules 1e1: a whole number/);
  refused('--workers 100000', /--workers 100000: a whole number from 1 to 256/);
  refused("--seed ''", /--seed '': a whole number/);
  refused('--seed -1', /--seed -1: a whole number from 0 to/);
  refused('--seed 99999999999999999999', /from 0 to 281474976710656/);
  refused('--minutes 0', /--minutes 0: a number above 0/);
  refused('--minutes 1e9', /--minutes 1e9: /);
  refused('--seed', /--seed: its value is missing/);
  refused('--trace=yes', /--trace takes no value/);
  refused('--sed 1', /there is no option --sed/);
  refused('storm', /'storm' is no option/);
  refused('--seed 1 --seed 2', /--seed is given more than once/);
  refused('--profile storm --profile disks', /--profile is given more than once/);
});

test('options: a profile that is not there is named, with those that are', () => {
  deepEqual(runs('--profile', 'storm/short').range.profiles, ['storm/short']);
  refused('--profile x', /--profile x: there is no profile 'x'; there are default, calm/);
  refused('--profile x/short', /--profile x\/short: there is no profile 'x' with \/short; there are/);
  refused('--profile storm/long', /there is no profile 'storm\/long': nothing but \/short goes behind a profile/);
  refused('--profile short/short', /short is short/);
  refused("--profile ''", /--profile '': the name of a profile is missing/);
  refused('--profile ,storm', /--profile ,storm: the name of a profile is missing/);
  refused('--profile storm,x', /--profile storm,x: there is no profile 'x';/);
  throws(() => parse('--profile', 'storm, disks'), /--profile 'storm, disks': there is no profile ' disks';/);
});

test('options: several profiles take turns', () => {
  deepEqual(
    [...scheduleNames(runs('--profile', 'storm,disks', '--seed', '5', '--schedules', '3').range)],
    [
      { profile: 'storm', seed: 5 },
      { profile: 'disks', seed: 6 },
      { profile: 'storm', seed: 7 },
    ],
  );
});

test('options: named schedules are run, and none else', () => {
  const names = [
    { profile: 'storm', seed: 7 },
    { profile: 'disks/short', seed: 12 },
  ];
  deepEqual([...scheduleNames(runs('--schedule', 'storm:7', '--schedule', 'disks/short:12').range)], names);
  refused('--schedule storm', /--schedule storm: PROFILE:SEED is wanted/);
  refused('--schedule storm:', /--schedule storm:: PROFILE:SEED is wanted/);
  refused('--schedule storm:abc', /--schedule storm:abc: PROFILE:SEED is wanted/);
  refused('--schedule storm:1:2', /PROFILE:SEED is wanted/);
  refused('--schedule x:1', /--schedule x:1: there is no profile 'x'; there are default/);
  refused('--schedule scale:1', /scale is run by --profile scale/);
  for (const other of ['--seed 2', '--schedules 2', '--minutes 2', '--profile storm']) {
    refused(`--schedule calm:1 ${other}`, / does not go with --schedule/);
  }
});

test('options: part of a schedule is run once, and has what is asked for', () => {
  const part = runs('--seed', '5', '--operations', '2,4-6', '--faults', 'none');
  deepEqual([...scheduleNames(part.range)], [{ profile: 'default', seed: 5 }]);
  deepEqual(part.only, { operations: [2, 4, 5, 6], faults: [] });
  deepEqual(runs('--schedule', 'short:5', '--operations', '2').range.profiles, ['short']);
  refused('--faults 1', /--faults needs the schedule it is of/);
  refused('--seed 1 --operations 1-', /--operations 1-: numbers and ranges/);
  refused('--seed 1 --operations 5-3', /--operations 5-3: numbers and ranges from low to high/);
  refused('--seed 1 --operations 299-301', /there is no 301: default:1 has operations 1 to 300/);
  refused('--seed 1 --faults 77777', /--faults 77777: there is no 77777: default:1 has faults 1 to \d+/);
  refused('--schedule calm:1 --faults 1', /calm:1 has no faults/);
  refused('--seed 1 --operations 1 --schedules 10', /--schedules does not go with --operations, which is of one/);
});

test('options: many schedules may be run without operations, or without faults', () => {
  const calm = runs('--seed', '5', '--schedules', '3', '--faults', 'none');
  deepEqual([calm.range.seed, calm.range.schedules, calm.only], [5, 3, { faults: [] }]);
  deepEqual(runs('--operations', 'none', '--faults', 'none', '--minutes', '2').only, { operations: [], faults: [] });
  deepEqual(runs().only, {});
  const named = runs('--schedule', 'storm:7', '--schedule', 'calm:1', '--operations', 'none');
  deepEqual([[...scheduleNames(named.range)].length, named.only], [2, { operations: [] }]);
  refused('--schedules 3 --faults none --operations 1', /--schedules does not go with --operations, which is of one/);
  refused('--schedule calm:1 --schedule calm:2 --faults none --trace', /--trace is of one schedule/);
});

test('options: a story is told of one schedule', () => {
  deepEqual(story('--seed', '3', '--profile', 'short', '--trace').name, { profile: 'short', seed: 3 });
  const part = story('--schedule', 'short:3', '--trace-of', 'master', '--faults', 'none');
  deepEqual([part.name, part.of, part.only.faults], [{ profile: 'short', seed: 3 }, 'master', []]);
  refused('--trace', /--trace needs the schedule it is of: --schedule PROFILE:SEED, or --seed \(with --profile unless/);
  deepEqual(story('--seed', '3', '--trace').name, { profile: 'default', seed: 3 });
  refused('--trace-of foo', /--trace-of needs the schedule/);
  refused("--seed 1 --trace-of ''", /the text to look for is missing/);
  refused('--profile storm,disks --seed 5 --trace', /--trace is of one schedule/);
  refused('--schedule calm:1 --schedule calm:2 --trace', /--trace is of one schedule/);
  for (const other of ['--schedules 5', '--minutes 1', '--workers 2', '--shrink-seconds 5']) {
    refused(`--seed 1 --trace ${other}`, / does not go with --trace/);
  }
});

test('options: what scale would not heed is refused', () => {
  const scale = { kind: 'scale', seed: 3, servers: 1000, chunks: 1_000_000 };
  deepEqual(parse('--profile', 'scale', '--seed', '3'), scale);
  refused('--profile scale --workers 2', /--workers does not go with --profile scale/);
  refused('--profile scale --trace --seed 1', /--trace does not go with --profile scale/);
  refused('--profile storm,scale', /scale is run alone/);
});

test('options: the profiles are listed, and nothing else goes with that', () => {
  deepEqual(parse('--list'), { kind: 'list' });
  for (const other of ['--seed 1', '--profile storm', '--trace', '--schedule calm:1']) {
    refused(`--list ${other}`, / does not go with --list, which runs nothing/);
  }
});

test('options: the help names each', () => {
  const options = ['--seed', '--trace-of', '--shrink-seconds', '--list', '-h, --help', 'Exit code'];
  for (const word of [...options, 'docs/simulation.md', 'SCALE_SERVERS .*1000; at least 6', 'SCALE_CHUNKS']) {
    match(USAGE, new RegExp(word));
  }
});
