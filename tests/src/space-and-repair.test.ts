import { equal, match, notEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';
import { writeRandomFile } from './harness/files.ts';

const MIB = 1024 * 1024;

interface ChunkView {
  chunks: { replicas: { state: string }[] }[];
}

test('disk: a full one refuses writes with ENOSPC; reads and deletes work and nothing is damaged', {
  timeout: 240_000,
}, async () => {
  const cluster = await TestCluster.start({ chunkserver: { capacity: '"192MiB"' } });
  try {
    const source = join(cluster.directory, 'source');
    writeRandomFile(source, 40 * MIB);
    let stored = 0;
    let failure = '';
    while (failure === '' && stored < 20) {
      const result = await cluster.cairn(['put', source, `/file-${stored}`]);
      if (result.exitCode === 0) stored += 1;
      else failure = result.stderr;
    }
    ok(stored > 0, 'nothing fitted');
    match(failure, /ENOSPC|no space/i);
    for (let index = 0; index < stored; index += 1) {
      equal(Buffer.compare(await cluster.run(['cat', `/file-${index}`]), readFileSync(source)), 0);
    }
    equal((await cluster.cairn(['ls', `/file-${stored}`])).exitCode, 1, 'a file that did not fit is visible');
    await cluster.run(['rm', '--skip-trash', '/file-0']);
    equal((await cluster.cairn(['fsck', '/'])).exitCode, 0);
  } finally {
    await cluster.close();
  }
});

test('repair: one of four chunkservers is gone for good, and every chunk comes back to three copies', {
  timeout: 240_000,
}, async () => {
  const cluster = await TestCluster.start({ chunkservers: 4 });
  try {
    const source = join(cluster.directory, 'source');
    writeRandomFile(source, 200 * MIB);
    await cluster.run(['put', source, '/closed']);
    await cluster.run(['touch', '/growing']);
    let isGone = false;
    const appending = (async () => {
      while (!isGone) await cluster.run(['append', '/growing'], { input: 'one more line\n' });
    })();
    await cluster.signal('chunkserver-4', 'SIGKILL');
    await cluster.until('aware of the loss', async () => (await liveCount(cluster)) === 3);
    await cluster.until(
      'repaired',
      async () => (await copies(cluster, '/closed')) === 3 && (await copies(cluster, '/growing')) === 3,
      120_000,
    );
    isGone = true;
    await appending;
    equal(Buffer.compare(await cluster.run(['cat', '/closed']), readFileSync(source)), 0);
    const status = JSON.parse((await cluster.run(['status', '--json'])).toString()) as {
      repair: { copiedCount: number };
    };
    notEqual(status.repair.copiedCount, 0);
  } finally {
    await cluster.close();
  }
});

test('forget: a dead chunkserver leaves the list when nothing counts on it, and is taken in again when it returns', {
  timeout: 240_000,
}, async () => {
  const cluster = await TestCluster.start({ chunkservers: 4 });
  try {
    const source = join(cluster.directory, 'source');
    writeRandomFile(source, MIB);
    for (let index = 0; index < 12; index += 1) await cluster.run(['put', source, `/file-${index}`]);
    const { serverId, address } = (await servers(cluster)).sort((a, b) => b.replicaCount - a.replicaCount)[0]!;
    const name = cluster.chunkserverNames.find((one) => cluster.log(one).includes(address))!;
    match((await cluster.cairn(['forget', String(serverId)])).stderr, / is live: stop it for good first/);
    await cluster.signal(name, 'SIGKILL');
    const dead = async () => (await servers(cluster)).find((server) => server.serverId === serverId);
    await cluster.until('dead', async () => (await dead())!.deadSinceMs > 0);
    await cluster.until('needed no more', async () => (await dead())!.replicaCount === 0, 120_000);
    const status = (await cluster.run(['status'])).toString();
    match(status, /dead since \d{4}-\d\d-\d\d \d\d:\d\d/);
    match(status, new RegExp(`"cairn forget ${serverId}" takes`));
    equal((await cluster.run(['forget', address, '--json'])).toString(), `{"serverId":${serverId}}\n`);
    equal(await dead(), undefined);
    match((await cluster.run(['status'])).toString(), /^healthy$/m);

    cluster.launch(name);
    await cluster.until('taken in again', async () => (await dead())?.live === true);
    await cluster.until('rid of what nobody needs', async () => (await dead())!.replicaCount === 0);
    match((await cluster.run(['fsck'])).toString(), /healthy/);
  } finally {
    await cluster.close();
  }
});

interface ServerView {
  serverId: number;
  address: string;
  live: boolean;
  deadSinceMs: number;
  replicaCount: number;
}

async function servers(cluster: TestCluster): Promise<ServerView[]> {
  return (JSON.parse((await cluster.run(['status', '--json'])).toString()) as { servers: ServerView[] }).servers;
}

async function liveCount(cluster: TestCluster): Promise<number> {
  const status = JSON.parse((await cluster.run(['status', '--json'])).toString()) as { servers: { live: boolean }[] };
  return status.servers.filter((server) => server.live).length;
}

/** The fewest live copies of any chunk of the file. */
async function copies(cluster: TestCluster, path: string): Promise<number> {
  const view = JSON.parse((await cluster.run(['chunks', path, '--json'])).toString()) as ChunkView;
  const counts = view.chunks.map((chunk) => chunk.replicas.filter((replica) => replica.state === 'live').length);
  return counts.length === 0 ? 0 : Math.min(...counts);
}
