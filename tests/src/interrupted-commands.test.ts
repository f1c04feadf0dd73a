import { deepEqual, equal } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { TestCluster } from './harness/cluster.ts';

const MiB = 1024 * 1024;
let cluster: TestCluster | undefined;
after(() => cluster?.close());

test('commands: Ctrl-C ends one that waits for its input, or for a reader that stands still', {
  timeout: 120_000,
}, async () => {
  cluster = await TestCluster.start();
  await cluster.run(['put', '-', '/large'], { input: Buffer.alloc(8 * MiB, 'x') });

  const appending = cluster.spawnCairn(['append', '/log']);
  const storing = cluster.spawnCairn(['put', '-', '/never']);
  // More than the pipe holds: when it is taken, the command reads, and waits for the rest.
  for (const { stdin } of [appending, storing]) {
    await new Promise((taken) => stdin.write(Buffer.alloc(2 * MiB, 'y'), taken));
  }
  const printing = cluster.spawnCairn(['cat', '/large']);
  await once(printing.stdout, 'readable');

  for (const child of [appending, storing, printing]) {
    const said = text(child.stderr);
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    const [exitCode] = await exited;
    child.stdout.destroy();
    deepEqual([exitCode, await said], [130, 'cairn: interrupted\n']);
  }
  equal((await cluster.cairn(['stat', '/never'])).exitCode, 1);
});

test('append: lines go soon after they came, what has come by Ctrl-C goes too, and --json tells where', {
  timeout: 120_000,
}, async () => {
  cluster ??= await TestCluster.start();
  const appending = cluster.spawnCairn(['append', '--json', '/lines']);
  appending.stdin.write('one\ntw');
  const content = async () => String((await cluster!.cairn(['cat', '/lines'])).stdout);
  while ((await content()) !== 'one\n') await pause(100);
  appending.stdin.write('o');
  await pause(100);
  const said = text(appending.stdout);
  const exited = once(appending, 'exit');
  appending.kill('SIGINT');
  equal((await exited)[0], 130);
  const { length } = 'one\ntwo';
  equal(await content(), 'one\ntwo');
  deepEqual(JSON.parse(await said), { path: '/lines', bytes: length, offset: 0, end: length });
});

test('get: whichever signal ends it, nothing half is left', { timeout: 120_000 }, async () => {
  cluster ??= await TestCluster.start();
  await cluster.run(['put', '-', '/held'], { input: Buffer.alloc(8 * MiB, 'x') });
  const folder = join(cluster.directory, 'fetched');
  await mkdir(folder);
  for (const name of cluster.chunkserverNames) cluster.freeze(name, true);
  const endsBy = async (...signals: readonly NodeJS.Signals[]) => {
    const getting = cluster!.spawnCairn(['get', '/held', folder]);
    const said = text(getting.stderr);
    const exited = once(getting, 'exit');
    while ((await readdir(folder)).length === 0) await pause(20);
    for (const signal of signals) getting.kill(signal);
    return [(await exited)[0], await said, await readdir(folder)];
  };
  try {
    deepEqual(await endsBy('SIGINT'), [130, 'cairn: interrupted\n', []]);
    deepEqual(await endsBy('SIGTERM'), [130, 'cairn: interrupted\n', []]);
    deepEqual(await endsBy('SIGHUP', 'SIGHUP'), [129, 'cairn: interrupted\n', []]);
  } finally {
    for (const name of cluster.chunkserverNames) cluster.freeze(name, false);
  }
});

test('tail -f: Ctrl-C is its normal end', { timeout: 120_000 }, async () => {
  cluster ??= await TestCluster.start();
  await cluster.run(['append', '/followed'], { input: 'line\n' });
  const following = cluster.spawnCairn(['tail', '-f', '/followed']);
  const said = text(following.stderr);
  await once(following.stdout, 'readable');
  await cluster.run(['append', '/followed'], { input: 'another\n' });
  following.stdout.read();
  await once(following.stdout, 'readable');
  const exited = once(following, 'exit');
  following.kill('SIGINT');
  deepEqual([(await exited)[0], await said], [130, '']);
});
