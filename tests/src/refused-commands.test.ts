import { deepEqual, equal, match } from 'node:assert/strict';
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
    equal((await cluster.cairn(['rm', '/d'])).exitCode, 0);
  } finally {
    await cluster.close();
  }
});
