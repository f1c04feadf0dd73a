import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KiB, MiB } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { SAFE_MODE_LOOK_MS, SERVERS_MAX } from '../limits.ts';
import { META, memberKey } from '../state/keys.ts';
import { newReplica, ScriptedChunkserver } from '../testing/scripted-chunkserver.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

const OTHER = '00000000-0000-4000-8000-000000000002';
const THIRD = '00000000-0000-4000-8000-000000000003';

test('registration: a server keeps its id, and another cluster is told apart by name', async () => {
  const cluster = await TestCluster.start(2);
  const server = cluster.server(2);
  const before = server.session;
  await cluster.run(server.register());
  assert.equal(server.id, 2);
  assert.ok(server.session > before);
  await assert.rejects(cluster.run(server.register('another cluster')), (error: Error) => {
    return error.message.includes('another cluster') && error.message.includes(cluster.context.clusterId);
  });
});

test('registration: ids and sessions go on after a crash of the master', async () => {
  const cluster = await TestCluster.start(2);
  const { session } = cluster.server(1);
  await cluster.restartMaster();
  await cluster.run(cluster.server(1).register());
  assert.equal(cluster.server(1).id, 1);
  assert.ok(cluster.server(1).session > session);
  assert.equal((await cluster.addServer()).id, 3);
});

test('registration: servers that could not be logged get numbers of their own afterwards', async () => {
  const cluster = await TestCluster.start(1);
  const { simulation } = cluster;
  // The disk moves nothing while more and more waits for it, until no record is taken, also none that a full disk takes.
  const { timing } = simulation.host('master').disk;
  timing.slowness = 1e6;
  const fill = (bytes: number) =>
    cluster.context.decisions.perform('reclaim', (transaction) => transaction.put('ztest', new Uint8Array(bytes)));
  const sizes = [MiB, 32 * KiB, KiB, 32].flatMap((bytes) => Array.from({ length: 64 }, () => bytes));
  const written = Promise.allSettled(sizes.map(fill));
  const newcomers = ['server2', 'server3'].map((name) => cluster.newServer(name));
  for (const server of newcomers) await assert.rejects(cluster.run(server.register()), { kind: 'OVERLOADED' });
  timing.slowness = 1;
  await cluster.run(written);
  // In the other order.
  for (const server of newcomers.reverse()) await cluster.run(server.register());
  assert.deepEqual(newcomers.map(({ id }) => id).sort(), [2, 3]);
});

test('server: out of touch for its lease and the margin, it is live no more', async () => {
  const cluster = await TestCluster.start(3);
  cluster.cutOff(3);
  await cluster.simulation.runFor(9000);
  assert.equal(cluster.parts.cluster.isLive(3), true);
  await cluster.simulation.runFor(3000);
  assert.equal(cluster.parts.cluster.isLive(3), false);
  assert.equal(cluster.parts.cluster.isLive(2), true);
});

test('server: one that another has replaced at its address is live no more, before its lease has run out', async () => {
  const cluster = await TestCluster.start(3);
  const server = cluster.server(3);
  server.isBeating = false;
  const seams = cluster.simulation.host('server4').start();
  const other = new ScriptedChunkserver('server4', seams, 'master:9000', () => server);
  Object.assign(other, { address: server.address });
  await cluster.run(other.register());
  const { isLive } = cluster.parts.cluster;
  assert.deepEqual([isLive(3), isLive(4)], [false, true]);
});

test('server: one that was replaced registers again once the other is at its address no more', async () => {
  const cluster = await TestCluster.start(4);
  const [third, fourth] = [cluster.server(3), cluster.server(4)];
  Object.assign(fourth, { address: third.address });
  await cluster.run(fourth.register());
  const { isLive } = cluster.parts.cluster;
  assert.deepEqual([isLive(3), isLive(4)], [false, true]);
  // While both say that they are there, they do not take turns.
  const { session } = third;
  await cluster.simulation.runFor(20_000);
  assert.deepEqual([third.session, isLive(3), isLive(4)], [session, false, true]);
  fourth.isBeating = false;
  await cluster.simulation.runFor(20_000);
  assert.deepEqual([isLive(3), isLive(4)], [true, false]);
  // The same when it is there no more because it is elsewhere.
  fourth.isBeating = true;
  await cluster.run(fourth.register());
  assert.deepEqual([isLive(3), isLive(4)], [false, true]);
  Object.assign(fourth, { address: 'elsewhere:9100' });
  await cluster.run(fourth.register());
  await cluster.simulation.runFor(5000);
  assert.deepEqual([isLive(3), isLive(4)], [true, true]);
});

test('registration: there may be so many servers, however many there were', async () => {
  const cluster = await TestCluster.start(1);
  await setNextServer(cluster, SERVERS_MAX + 1);
  await cluster.addServer();
  assert.equal(cluster.servers.at(-1)!.id, SERVERS_MAX + 1);
});

for (const isPacking of [true, false]) {
  const way = isPacking ? 'packed' : 'spelled out';

  test(`inventory: what is missing, stale or in order is told apart (${way})`, async () => {
    const cluster = await TestCluster.start(3);
    for (const handle of [HANDLE, OTHER, THIRD]) {
      await cluster.putChunk(handle, { length: 10, version: 3, highestVersion: 3 });
    }
    const server = cluster.server(1);
    server.isPacking = isPacking;
    server.replicas.delete(HANDLE);
    server.replicas.set(OTHER, newReplica({ version: 2, length: 10 }));
    server.replicas.set(THIRD, newReplica({ version: 2, length: 10, promisedVersion: 3 }));
    await cluster.run(server.sendInventory());
    const conditions = [HANDLE, OTHER, THIRD].map((handle) => cluster.parts.cluster.replica(1, handle));
    assert.deepEqual(conditions, ['unreachable', 'stale', 'live']);
    server.replicas.set(HANDLE, newReplica({ version: 3, length: 10 }));
    await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
    assert.equal(cluster.parts.cluster.replica(1, HANDLE), 'live');
  });

  test(`inventory: a replica that was begun and never made is none; one that cannot be read may be any (${way})`, async () => {
    const cluster = await TestCluster.start(3);
    await cluster.putChunk(HANDLE, { state: ChunkState.CHUNK_STATE_OPEN });
    await cluster.putChunk(OTHER, { length: 10 });
    await cluster.putChunk(THIRD, { length: 10 });
    const server = cluster.server(1);
    server.isPacking = isPacking;
    for (const handle of [HANDLE, OTHER, THIRD]) server.replicas.set(handle, newReplica({ version: 0, length: 0 }));
    server.replicas.get(THIRD)!.isCorrupt = true;
    await cluster.run(server.sendInventory());
    const conditions = [HANDLE, OTHER, THIRD].map((handle) => cluster.parts.cluster.replica(1, handle));
    assert.deepEqual(conditions, ['unreachable', 'missing', 'corrupt']);
  });

  test(`inventory: a replica nobody lists goes to quarantine, never while its chunk is uploaded or in a view change (${way})`, async () => {
    const cluster = await TestCluster.start(3);
    await cluster.putChunk(OTHER, { state: ChunkState.CHUNK_STATE_UPLOADING, members: [2] });
    await cluster.putChunk(THIRD, { length: 10, members: [2, 3], pendingVersion: 2, highestVersion: 2 });
    const server = cluster.server(1);
    server.isPacking = isPacking;
    for (const handle of [HANDLE, OTHER, THIRD]) server.replicas.set(handle, newReplica({ version: 1, length: 10 }));
    await cluster.run(server.sendInventory());
    const { quarantine } = await cluster.run(server.heartbeat());
    assert.deepEqual(quarantine, [{ handle: HANDLE, versionAtMost: 1, reason: 'orphan' }]);
  });
}

test('inventory: packed and others in one part, and what is known of a packed one is judged anew', async () => {
  const cluster = await TestCluster.start(3);
  for (const handle of [HANDLE, OTHER, THIRD]) {
    await cluster.putChunk(handle, { length: 10, version: 3, highestVersion: 3 });
  }
  const server = cluster.server(1);
  const replica = (handle: string) => cluster.parts.cluster.replica(1, handle);
  server.replicas.delete(HANDLE);
  server.replicas.set(OTHER, newReplica({ version: 2, length: 10, promisedVersion: 3 }));
  await cluster.run(server.heartbeat({ changes: [server.report(THIRD, ReplicaCondition.REPLICA_CONDITION_CORRUPT)] }));
  assert.equal(replica(THIRD), 'corrupt');
  await cluster.run(server.sendInventory());
  assert.deepEqual([HANDLE, OTHER, THIRD].map(replica), ['unreachable', 'live', 'live']);
});

test('inventory: what was made while a part was on its way is not missing, what its server does not have when asked is', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(OTHER, { length: 10, goal: 1, members: [1] });
  const server = cluster.server(1);
  server.replicas.delete(OTHER);
  const inventory = server.sendInventory();
  await cluster.putChunk(HANDLE, { length: 10, goal: 1, members: [1] });
  await cluster.run(inventory);
  cluster.parts.start();
  await cluster.simulation.runFor(3000);
  const conditions = [HANDLE, OTHER].map((handle) => cluster.parts.cluster.replica(1, handle));
  assert.deepEqual(conditions, ['live', 'missing']);
});

test('inventory: the entries of members follow the version of their chunk', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10, version: 1, highestVersion: 1 });
  const server = cluster.server(1);
  await cluster.putChunk(HANDLE, { length: 10, version: 2, highestVersion: 2 });
  server.replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  await cluster.run(server.sendInventory());
  assert.equal(cluster.parts.cluster.replica(1, HANDLE), 'stale');
});

test('inventory: an entry of a member that tells no version, as earlier software wrote it, is looked up', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10, version: 3, highestVersion: 3 });
  const { decisions } = cluster.context;
  await cluster.run(decisions.perform('test', (state) => state.put(memberKey(1, HANDLE), new Uint8Array([1]))));
  const server = cluster.server(1);
  server.replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  await cluster.run(server.sendInventory());
  assert.equal(cluster.parts.cluster.replica(1, HANDLE), 'stale');
  server.replicas.set(HANDLE, newReplica({ version: 3, length: 10 }));
  await cluster.run(server.sendInventory());
  assert.equal(cluster.parts.cluster.replica(1, HANDLE), 'live');
});

test('inventory: one that was broken off is asked for again, and not before its next part may come', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(1);
  await cluster.run(server.register());
  await cluster.run(server.sendInventory({ last: false }));
  const isWanted = async () => (await cluster.run(server.heartbeat())).inventoryWanted;
  assert.equal(await isWanted(), false);
  await cluster.simulation.runFor(9_000);
  assert.equal(await isWanted(), false);
  await cluster.simulation.runFor(2_000);
  assert.equal(await isWanted(), true);
  await cluster.run(server.sendInventory());
  assert.equal(await isWanted(), false);
});

test('inventory: in safe mode nobody is told to put anything away', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.restartMaster();
  const server = cluster.server(1);
  server.replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  assert.deepEqual((await cluster.run(server.heartbeat())).quarantine, []);
  for (const id of [2, 3]) {
    await cluster.run(cluster.server(id).register());
    await cluster.run(cluster.server(id).sendInventory());
  }
  await cluster.simulation.runFor(SAFE_MODE_LOOK_MS);
  assert.equal(cluster.parts.safeMode.isActive, false);
  assert.equal((await cluster.run(server.heartbeat())).quarantine.length, 1);
});

function setNextServer(cluster: TestCluster, next: number): Promise<void> {
  const { decisions } = cluster.context;
  return cluster.run(decisions.perform('test', (transaction) => transaction.setCounter(META.nextServer, next)));
}
