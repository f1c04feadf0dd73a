import { deepEqual, equal, match } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';

test('commands: of a directory where a file is meant they tell so in one line, whether they would read it or not', {
  timeout: 120_000,
}, async () => {
  const cluster = await TestCluster.start();
  try {
    await cluster.run(['mkdir', '/d']);
    const readers = ['cat', 'checksum', 'head', 'head -n 0', 'head -c 5', 'tail', 'tail -n 0', 'tail -c 5', 'tail -f'];
    for (const command of [...readers, 'chunks', 'append', 'truncate -s 0']) {
      const { exitCode, stdout, stderr } = await cluster.cairn([...command.split(' '), '/d']);
      deepEqual([exitCode, stdout.length], [1, 0], command);
      match(stderr, /^cairn: EISDIR: [^\n]* '\/d': name a file; "cairn find DIR --type f" lists [^\n]*\n$/, command);
    }
    match((await cluster.cairn(['rm', '/d'])).stderr, /^cairn: EISDIR: '\/d' is a directory: add -r /);
    equal((await cluster.cairn(['rm', '-r', '/d'])).exitCode, 0);
  } finally {
    await cluster.close();
  }
});

test('commands: what is refused says in one line what is there, and what to do', { timeout: 120_000 }, async () => {
  const cluster = await TestCluster.start();
  const folder = await mkdtemp(join(tmpdir(), 'cairnfs-refused-'));
  try {
    const local = join(folder, 'tree');
    await mkdir(local);
    await writeFile(join(local, 'file'), 'x');
    await symlink('file', join(local, 'link'));
    const file = join(local, 'file');
    await cluster.run(['put', file, '/f']);
    await cluster.run(['mkdir', '-p', '/d', '/e/d/full', '/e/file']);
    const noNowhere = /^cairn: ENOENT: there is no directory '\/no': make it with "cairn mkdir -p \/no"/;
    for (const [args, exitCode, expected] of [
      [['mv', '/f', '/d', '/no'], 1, noNowhere],
      [['cp', '/f', '/no/'], 1, noNowhere],
      [['put', file, join(folder, 'other'), '/no'], 1, noNowhere],
      [['put', '-r', local, '/f'], 1, /^cairn: ENOTDIR: '\/f' is a file: a directory cannot replace it\n$/],
      [['get', '-r', '/d', file], 1, /^cairn: ENOTDIR: '[^']*' is a local file: a directory cannot replace it\n$/],
      [['put', file, '/e'], 1, /^cairn: EISDIR: '\/e\/file' is a directory: a file cannot replace it\n$/],
      [['mv', '/d', '/e'], 1, /^cairn: ENOTEMPTY: [^\n]*: '\/e\/d' is not replaced: choose another name, [^\n]*\n$/],
      [['mv', '/f', '/f'], 1, /^cairn: EINVAL: '\/f' and '\/f' are the same file\n$/],
      [['rm', '/d'], 1, /^cairn: EISDIR: '\/d' is a directory: add -r /],
      [['chunks', '/f', '--read', 'xx'], 1, /^cairn: ENOENT: '\/f' has no chunk xx/],
      [['chunks', '/f', '--read', 'xx', '--json'], 2, /^cairn: --read [^\n]*\n$/],
      [['put', '-', '/'], 2, /^cairn: standard input has no name: give DST a file name\n$/],
    ] as const) {
      const done = await cluster.cairn([...args]);
      match(done.stderr, expected);
      equal(done.stderr.split('\n').length, 2, args.join(' '));
      equal(done.exitCode, exitCode, args.join(' '));
    }
    const skipped = await cluster.cairn(['put', '-r', '--json', local, '/']);
    match(skipped.stderr, /cairn: 1 entry skipped\n$/);
    deepEqual(JSON.parse(String(skipped.stdout)).skipped, [
      { path: join(local, 'link'), reason: 'it is a symbolic link' },
    ]);
    const followed = await cluster.cairn(['put', '-r', '--json', '--follow', local, '/']);
    deepEqual([JSON.parse(String(followed.stdout)).files, followed.stderr], [2, '']);
  } finally {
    await rm(folder, { recursive: true });
    await cluster.close();
  }
});
