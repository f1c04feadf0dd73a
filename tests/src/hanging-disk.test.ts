/**
 * A disk that does not answer, with real processes: a pipe stands where its folder was, and whoever opens that waits for a
 * writer who never comes. What is open already goes on, so nothing but the probe notices.
 */
import { equal, match, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';

/** The shortest that is allowed; it is noticed that and the time between two probes later. */
const DISK_TIMEOUT = '"10s"';
const NOTICED_MS = 120_000;

let cluster: TestCluster;
before(async () => {
  const disk_timeout = { disk_timeout: DISK_TIMEOUT };
  cluster = await TestCluster.start({ chunkservers: 3, master: disk_timeout, chunkserver: disk_timeout });
});
after(() => cluster.close());

function hang(name: string): void {
  const folder = cluster.dataDirectory(name);
  renameSync(folder, join(cluster.directory, `${name}-away`));
  equal(spawnSync('mkfifo', [folder]).status, 0);
}

test('hanging disk: status tells of it, files are there, and the server ends when it is told to', {
  timeout: 300_000,
}, async () => {
  await cluster.run(['put', '-', '/file'], { input: 'kept\n' });
  hang('chunkserver-1');
  await cluster.until(
    'noticed',
    async () => /does not answer since 10 s/.test((await cluster.run(['status'])).toString()),
    NOTICED_MS,
  );
  equal((await cluster.run(['cat', '/file'])).toString(), 'kept\n');
  await cluster.run(['append', '/file'], { input: 'goes on\n' });
  ok(cluster.isRunning('chunkserver-1'));
  await cluster.signal('chunkserver-1', 'SIGTERM'); // a thread of it waits, and would keep it from its exit
});

test('hanging disk: a master on it says so and ends', { timeout: 300_000 }, async () => {
  const ended = cluster.untilExit('master', NOTICED_MS);
  hang('master');
  equal(await ended, null); // by a signal
  match(cluster.log('master'), /\ncairn: .*does not answer since 10 s/);
});
