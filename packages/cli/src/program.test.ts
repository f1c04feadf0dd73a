import { equal, match, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS } from './commands/index.ts';
import { main } from './program.ts';

/** Runs a command line and gathers what it prints. Standard output itself belongs to the test runner. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const original = process.stderr.write;
  process.stderr.write = ((text: string) => {
    printed.err += text;
    return true;
  }) as typeof process.stderr.write;
  try {
    const code = await main(args, (text) => {
      printed.out += text;
    });
    return { code, ...printed };
  } finally {
    process.stderr.write = original;
    process.exitCode = 0;
  }
}

test('overview: names every command with its summary, and answers 0', async () => {
  const { code, out } = await run('--help');
  equal(code, 0);
  for (const { name } of COMMANDS) match(out, new RegExp(`^  ${name} +\\S`, 'm'));
});

test('help: of every command has its summary, examples, and words for each argument and option', async () => {
  for (const { name, summary, load } of COMMANDS) {
    const command = await load();
    for (const part of [command, ...command.commands]) {
      for (const { flags, description } of part.options) notEqual(description, '', `${name} ${flags}`);
      for (const argument of part.registeredArguments) notEqual(argument.description, '', `${name} ${argument.name()}`);
    }
    const { code, out } = await run(...(name === 'config' ? ['config', 'example'] : [name]), '--help');
    equal(code, 0);
    match(out, /\nExamples:\n {2}\$ /, name);
    if (name !== 'config') match(out.replace(/\s+/g, ' '), new RegExp(summary.replace(/[()/.]/g, '\\$&')), name);
  }
});

test('wrong usage: answers 2 in one line that says where the right usage stands', async () => {
  for (const [args, expected] of [
    [['help', 'lss'], /^cairn: unknown command 'lss' \(did you mean ls\?\); see "cairn --help"\n$/],
    [['lss'], /^cairn: unknown command 'lss' \(did you mean ls\?\); see "cairn --help"\n$/],
    [['ls', '--nope'], /^cairn: unknown option '--nope'; see "cairn ls --help"\n$/],
    [
      ['find', '/', '-name', 'x'],
      /^cairn: unknown option '-name' \(did you mean --name\?\); see "cairn find --help"\n$/,
    ],
    [['head', '-5', 'relative'], /^cairn: 'relative' is not a path in the cluster[^\n]*\n$/],
    [['tail', '-f', '-5', 'relative'], /^cairn: 'relative' is not a path in the cluster[^\n]*\n$/],
    [['head', '-n', '-5', '/a'], /^cairn: [^\n]*expected a whole number[^\n]*\n$/],
    [['ls', '-1', 'relative'], /^cairn: 'relative' is not a path in the cluster[^\n]*\n$/],
    [['mkdir'], /^cairn: missing required argument 'paths'; see "cairn mkdir --help"\n$/],
    [['config', 'example'], /^cairn: missing required argument 'role'; see "cairn config example --help"\n$/],
    [['head', '-n', 'x', '/a'], /^cairn: .*expected a whole number from 0 to \d+; see "cairn head --help"\n$/],
    [['ls', 'relative'], /^cairn: 'relative' is not a path in the cluster[^\n]*\n$/],
    [['put', 'one'], /^cairn: [^\n]*\n$/],
    [['ls', '--timeout', 'soon'], /^cairn: [^\n]*\n$/],
    [['ls', '--timeout', '0s'], /^cairn: [^\n]*'0s': expected more than no time at all; see "cairn ls --help"\n$/],
    [['get', '/a', ''], /^cairn: '' is not a local path: [^\n]*\n$/],
    [['up', '--dir', ''], /^cairn: [^\n]* argument '': expected a folder; see "cairn up --help"\n$/],
    [['rm', '-r', '/.trash/'], /^cairn: '\/\.trash' itself stays: "cairn rm -r \/\.trash\/NAME" deletes [^\n]*\n$/],
    [['mv', '/a'], /^cairn: mv needs at least one SRC and a DST\n$/],
    [['cp', '/a/x', '/b/x', '/c/'], /^cairn: '\/a\/x' and '\/b\/x' would both become '\/c\/x'\n$/],
    [['put', '-', '-', '/c'], /^cairn: '-' was given twice: once is enough\n$/],
    [['put', 'a/x', 'b/x', '/c'], /^cairn: 'a\/x' and 'b\/x' would both become '\/c\/x'\n$/],
    [['ls', '--master', 'nowhere'], /^cairn: [^\n]*"nowhere" is not an address: [^\n]*[^.]; see "cairn ls --help"\n$/],
    [['head', '-n', '1', '-c', '1', '/a'], /^cairn: [^\n]* cannot be used with [^\n]*\n$/],
    [['cat', '--json', '/a'], /^cairn: unknown option '--json'; see "cairn cat --help"\n$/],
    [['forget', 'four'], /^cairn: 'four' is neither the id nor the address of a chunkserver[^\n]*\n$/],
    [['chunks', '/a', '--from', '127.0.0.1:9001'], /^cairn: --from needs --read HANDLE\n$/],
  ] as const) {
    const { code, err } = await run(...args);
    equal(code, 2, args.join(' '));
    match(err, expected);
  }
});

test('ls and du: -h asks for sizes that a person can read, not for help', async () => {
  for (const args of [
    ['ls', '-h', 'relative'],
    ['ls', '-lh', 'relative'],
    ['du', '-h', 'relative'],
    ['du', '-sh', 'relative'],
  ]) {
    const { code, out, err } = await run(...args);
    equal(code, 2, args.join(' '));
    equal(out, '');
    match(err, /^cairn: 'relative' is not a path in the cluster/);
  }
  match((await run('ls', '--help')).out, /\n {2}-h, --human-readable .*\n/);
  match((await run('head', '-h')).out, /^Usage: cairn head /);
});

test('server: without --set, the configuration says what is missing', async () => {
  const { code, err } = await run('master');
  equal(code, 2);
  match(
    err,
    /^cairn: configuration: data = \(missing\): expected a folder: name a file with --config, or use --set\n$/,
  );
});

test('server: a wrong --set is wrong usage, a wrong file is not', async () => {
  const { code, err } = await run('master', '--set', 'foo=1');
  equal(code, 2);
  match(err, /^cairn: command line: unknown key 'foo': one of [^\n]*\n$/);
  equal((await run('master', '--set', 'data=/nowhere', '--set', 'replication=none')).code, 2);
  equal((await run('master', '--config', '/nowhere/master.toml')).code, 1);
});
