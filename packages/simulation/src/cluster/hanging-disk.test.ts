/** A disk that does not answer any more, without an error: it is given up, and the cluster gets over it. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { GiB } from '@cairnfs/base';
import { CHUNKSERVER_DEFAULTS } from '@cairnfs/chunkserver';
import type { CairnClient } from '@cairnfs/client';
import { MASTER_BOUNDS, MASTER_DEFAULTS } from '@cairnfs/master';
import { heal } from './heal.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const FILES = 24;
const FILE_BYTES = 200_000;
/** Until the master has heard of it. */
const REPORTED_MS = 5_000;
const HEAL_LIMIT_MS = 60_000;

async function writeFiles(cluster: SimulatedCluster, client: CairnClient): Promise<void> {
  const { random } = cluster.simulation;
  await cluster.run(async () => {
    for (let file = 0; file < FILES; file++) await client.writeFile(`/f${file}`, random.bytes(FILE_BYTES));
  });
}

test('hanging disk: it is given up with its reason, its copies are made again, and the other disk goes on', async () => {
  const cluster = await SimulatedCluster.start({
    ...{ seed: 21, chunkservers: 3, disksPerChunkserver: 2 },
    master: { garbageGraceMs: 10_000 },
  });
  const { simulation } = cluster;
  const client = cluster.client();
  const host = simulation.host('chunkserver-1');
  host.disk.setCapacity('disk2', 2 * GiB); // has the most room
  await simulation.runFor(REPORTED_MS);
  await writeFiles(cluster, client);
  ok([...host.disk.files.keys()].some((path) => path.startsWith('disk2/chunks/')));
  const disks = async () => {
    const { servers } = await cluster.run(() => client.clusterStatus());
    return servers.find(({ address }) => address === 'chunkserver-1:8080')!.disks;
  };

  host.disk.hang('disk2');
  await simulation.runFor(CHUNKSERVER_DEFAULTS.diskTimeoutMs - REPORTED_MS);
  deepEqual(
    (await disks()).map(({ failure }) => failure),
    ['', ''],
  );
  await simulation.runFor(2 * REPORTED_MS);
  match((await disks())[1]!.failure, /disk2 does not answer since 60 s/);
  // The disk still hangs: where there were only three servers, the other disk of this one takes the copies.
  equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS })), undefined);
  const { path, failure, replicaCount } = (await disks())[0]!;
  deepEqual([path, failure], ['disk', '']);
  ok(replicaCount >= FILES, `${replicaCount}`);
  equal(host.fatalError, undefined);
  await writeFiles(cluster, client);

  host.disk.repair();
  cluster.crash('chunkserver-1', { unsynced: 'keep' });
  await cluster.launch('chunkserver-1');
  equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS })), undefined);
  deepEqual(
    (await disks()).map(({ failure }) => failure),
    ['', ''],
  );
});

test("hanging disk: a server's only one is given up, and the others make its copies again", async () => {
  const cluster = await SimulatedCluster.start({ seed: 22, chunkservers: 4 });
  const { simulation } = cluster;
  const client = cluster.client();
  await writeFiles(cluster, client);
  simulation.host('chunkserver-2').disk.hang('disk');
  await simulation.runFor(CHUNKSERVER_DEFAULTS.diskTimeoutMs + REPORTED_MS);
  const { servers } = await cluster.run(() => client.clusterStatus());
  const [disk] = servers.find(({ address }) => address === 'chunkserver-2:8080')!.disks;
  match(disk!.failure, /disk does not answer since 60 s/);
  const lastCopies = { of: () => new Set<string>() };
  const without = { host: 'chunkserver-2', lastCopies, lossesKnownMax: MASTER_BOUNDS.exceptionsMax };
  equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS, without })), undefined);
  equal(simulation.host('chunkserver-2').fatalError, undefined);
});

test('hanging disk: the master ends when it is its own, and serves again when the disk answers', async () => {
  const cluster = await SimulatedCluster.start({ seed: 23, chunkservers: 3 });
  const { simulation } = cluster;
  const client = cluster.client();
  await writeFiles(cluster, client);
  const host = simulation.host('master');
  const endHang = host.disk.hang('');
  const made = client.mkdir('/made').catch(() => {}); // without this, nothing would be asked of the disk
  await simulation.runFor(2.5 * MASTER_DEFAULTS.diskTimeoutMs);
  const [ended, ...starts] = cluster.failures;
  match(ended!.error.message, /the ledger in .* does not answer since 60 s\. Check the disk/i);
  ok(starts.length > 0);
  for (const { during, error } of starts) {
    equal(during, 'start');
    match(error.message, /does not answer since 60 s/);
  }
  endHang();
  await cluster.run(() => made);
  cluster.crash('master', { unsynced: 'keep' });
  await cluster.launch('master');
  equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS })), undefined);
});
