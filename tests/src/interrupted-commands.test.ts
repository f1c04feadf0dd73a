import { deepEqual, equal } from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
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
