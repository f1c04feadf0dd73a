/**
 * A server has two disks, which go out of service one after the other. What is acknowledged in between is kept, whichever of
 * them is there afterwards: an empty replica that comes back with one is never taken for the one on the other.
 */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { GiB } from '@cairnfs/base';
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  createRpcPool,
  dataPart,
  MasterMethods,
  type RpcPool,
} from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CALL = { timeoutMs: 5_000 };
/** So that anything can be written. */
const SERVERS_MIN = 2;
/** Until all servers are known, with the room they have. */
const UNTIL_KNOWN_MS = 5_000;
/** Until an open chunk that nobody leads is closed, and has its copies again. */
const UNTIL_AT_REST_MS = 240_000;

interface Case {
  readonly replication: number;
  /** Of the chunk's members, the primary first, the one whose disks fail. */
  readonly failing: number;
  /** Its first disk fails under it, or does not come up when the power of all has failed. */
  readonly isRunning: boolean;
  /** Afterwards the other disk is away, or both are there. */
  readonly comesBackAlone: boolean;
}

/** A file whose chunk has an empty replica on the first disk of each member. */
async function begin({ replication }: Pick<Case, 'replication'>, seed: number) {
  const chunkservers = Math.max(SERVERS_MIN, replication);
  const cluster = await SimulatedCluster.start({ seed, chunkservers, disksPerChunkserver: 2 });
  const client = cluster.client();
  await cluster.simulation.runFor(UNTIL_KNOWN_MS);
  const pool = createRpcPool(cluster.simulation.host('asker').start());
  const members = await cluster.run(async () => {
    await client.writeFile('/file', Buffer.alloc(0), { replication });
    const wanted = {
      ...{ inode: Number((await client.stat('/file')).ino), at: { $case: 'append', value: true } as const },
      ...{ fullHandle: '', suspectedServers: [], operation: undefined },
    };
    const { message } = await pool.channel('master:9000').call(MasterMethods.openExtent, wanted, CALL);
    const { handle, version, replicas } = message.extent!.chunk!;
    await pool.channel(replicas[0]!.address).call(ChunkserverDataMethods.getChunkLength, { handle, version }, CALL);
    return replicas.map(({ address }) => address.replace(':8080', ''));
  });
  return { cluster, client, members };
}

async function check(one: Case, seed: number): Promise<void> {
  const { cluster, client, members } = await begin(one, seed);
  const failing = members[one.failing]!;
  const { disk } = cluster.simulation.host(failing);
  if (!one.isRunning) for (const name of members) cluster.crash(name, { unsynced: 'lose' });
  disk.break({ prefix: 'disk', code: 'EIO' });
  if (!one.isRunning) for (const name of members) await cluster.launch(name);
  await cluster.run(() => client.appendRecord('/file', Buffer.from('first;')));
  // Before anybody else knows that it is committed.
  for (const name of members) cluster.crash(name, { unsynced: 'lose' });
  disk.repair('disk');
  if (one.comesBackAlone) disk.break({ prefix: 'disk2', code: 'EIO' });
  for (const name of members) await cluster.launch(name);
  await cluster.untilLive(members.length);
  await cluster.simulation.runFor(UNTIL_AT_REST_MS);
  equal(
    (await cluster.run(() => client.readFile('/file'))).toString(),
    'first;',
    `${JSON.stringify(one)}, seed ${seed}`,
  );
}

for (const failing of [0, 1]) {
  for (const comesBackAlone of [true, false]) {
    const role = failing === 0 ? 'primary' : 'secondary';
    const then = comesBackAlone ? 'takes the place of the other' : 'comes back beside the other';
    test(`hidden replica: a disk of the ${role} that was away ${then}`, async () => {
      for (const replication of [2, 3]) {
        for (const isRunning of [true, false]) await check({ replication, failing, isRunning, comesBackAlone }, 5);
      }
    });
  }
}

test('hidden replica: of a single copy none is made anew while a disk may hold it', async () => {
  const { cluster, client, members } = await begin({ replication: 1 }, 5);
  const { disk } = cluster.simulation.host(members[0]!);
  disk.break({ prefix: 'disk', code: 'EIO' });
  const append = (record: string) => client.appendRecord('/file', Buffer.from(record), CALL);
  await cluster.run(() => rejects(append('lost;'), { kind: 'DEADLINE_EXCEEDED' }));
  for (const name of members) cluster.crash(name, { unsynced: 'lose' });
  disk.repair('disk');
  for (const name of members) await cluster.launch(name);
  await cluster.untilLive(members.length);
  await cluster.simulation.runFor(UNTIL_AT_REST_MS);
  await cluster.run(() => append('first;'));
  equal((await cluster.run(() => client.readFile('/file'))).toString(), 'first;');
});

/** What a server writes next to its first disk fails. */
async function failWrite(pool: RpcPool, address: string, members: number[]): Promise<void> {
  const frame = {
    handle: '0aaaaaaa-0000-4000-8000-000000000001',
    version: 1,
    offset: 0,
    sync: true,
    uploadId: 'other',
  };
  const request = { ...frame, members, route: [], fanOut: false };
  const options = { ...CALL, data: dataPart(Buffer.from('other')) };
  await rejects(pool.channel(address).call(ChunkserverDataMethods.uploadFrame, request, options), {
    kind: 'DISK_FAILED',
  });
}

test('hidden replica: that a version is asked for again, late, is no proof that none has promised it', async () => {
  const { cluster, client, members } = await begin({ replication: 3 }, 5);
  const { simulation } = cluster;
  const [, kept, away] = members as [string, string, string];
  const pool = createRpcPool(simulation.host('late').start());
  const inode = Number((await cluster.run(() => client.stat('/file'))).ino);
  const open = async (suspectedServers: number[]) => {
    const wanted = { inode, at: { $case: 'append', value: true } as const, fullHandle: '', operation: undefined };
    const options = { timeoutMs: 30_000 };
    const { message } = await pool
      .channel('master:9000')
      .call(MasterMethods.openExtent, { ...wanted, suspectedServers }, options);
    return message.extent!.chunk!;
  };
  const first = await cluster.run(() => open([]));
  const idOf = (name: string) => first.replicas.find(({ address }) => address === `${name}:8080`)!.serverId;
  const { disk } = simulation.host(kept);
  disk.setCapacity('disk', 2 * GiB); // has the most room
  simulation.network.partition(
    away,
    simulation.hosts.map(({ name }) => name).filter((name) => name !== away),
  );
  const { handle, version, replicas } = await cluster.run(() => open([idOf(away)]));
  deepEqual(
    replicas.map(({ address }) => address).sort(),
    members
      .slice(0, 2)
      .map((name) => `${name}:8080`)
      .sort(),
  );
  disk.break({ prefix: 'disk', code: 'EIO' });
  await cluster.run(async () => {
    await failWrite(pool, `${kept}:8080`, [idOf(kept)]);
    // As the master sent it before, and had an answer to when it sent it again.
    const promise = { handle, oldVersion: first.version, newVersion: version, removed: false };
    const late = { ...promise, masterSession: 1, serverId: idOf(kept), committedSequence: 0 };
    await rejects(pool.channel(`${kept}:8080`).call(ChunkserverControlMethods.prepareView, late, CALL), {
      kind: 'CHUNK_NOT_FOUND',
    });
    await client.appendRecord('/file', Buffer.from('first;'));
  });
  simulation.network.heal();
  // Before anybody else knows that it is committed.
  for (const name of members) cluster.crash(name, { unsynced: 'lose' });
  disk.repair('disk');
  disk.break({ prefix: 'disk2', code: 'EIO' });
  for (const name of members) await cluster.launch(name);
  await cluster.untilLive(members.length);
  await simulation.runFor(UNTIL_AT_REST_MS);
  equal((await cluster.run(() => client.readFile('/file'))).toString(), 'first;');
});
