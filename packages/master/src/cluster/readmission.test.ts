import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { SAFE_MODE_LOOK_MS } from '../limits.ts';
import { newReplica, type ScriptedChunkserver } from '../testing/scripted-chunkserver.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

const OTHER = '00000000-0000-4000-8000-000000000002';
const UNTIL_SETTLED_MS = 500;
/** Connections that broke while a host was cut off are tried again within this. */
const UNTIL_CONNECTED_MS = 10_000;

/**
 * Server 3 was left out of the view of a chunk while it was cut off, by a master that is no more. It is back in reach.
 * Servers above 3 are not in touch with the new master.
 */
async function leftOut(serverCount = 3): Promise<{ cluster: TestCluster; server: ScriptedChunkserver }> {
  const cluster = await TestCluster.start(serverCount);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  server.isBeating = false;
  cluster.cutOff(3);
  await cluster.run(cluster.parts.views.open(HANDLE, [3]));
  for (const other of cluster.servers.slice(3)) other.isBeating = false;
  await cluster.restartMaster();
  cluster.simulation.network.heal();
  await cluster.simulation.runFor(UNTIL_CONNECTED_MS);
  return { cluster, server };
}

/** Server 3 is left out of the view of the chunk while it is cut off, and is in reach again, with the same master. */
async function missView(cluster: TestCluster, server: ScriptedChunkserver): Promise<void> {
  server.isBeating = false;
  cluster.cutOff(3);
  await cluster.run(cluster.parts.views.open(HANDLE, [3]));
  cluster.simulation.network.heal();
  await cluster.simulation.runFor(UNTIL_CONNECTED_MS);
}

async function isLeased(cluster: TestCluster, server: ScriptedChunkserver): Promise<boolean> {
  return !(await cluster.run(server.heartbeat())).leaseWithheld;
}

test('readmission: after a restart of the master a server that missed a view gets its lease only when it has left it', async () => {
  const { cluster, server } = await leftOut();
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false);
  assert.equal(cluster.parts.cluster.isLive(3), false);
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, false);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
  assert.equal(cluster.parts.cluster.isLive(3), true);
});

test('readmission: once it is over it is over, for later masters too', async () => {
  const { cluster, server } = await leftOut();
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  await cluster.restartMaster();
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: a master that fails before the end leaves it to the next', async () => {
  const { cluster, server } = await leftOut();
  await cluster.run(server.register());
  await cluster.restartMaster();
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false);
});

test('readmission: a server that missed nothing has its lease at once', async () => {
  const { cluster } = await leftOut();
  const other = cluster.server(2);
  await cluster.run(other.register());
  assert.equal(await isLeased(cluster, other), true);
});

test('readmission: a server that was told by the master it missed the view under has its lease at once, after a restart too', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  await missView(cluster, server);
  await cluster.run(server.register());
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
  await cluster.restartMaster();
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: a server that was never told its number is told it first, then what it missed', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  server.id = 0; // the answer to its registration was lost
  server.replicas.delete(HANDLE);
  await missView(cluster, server);
  await cluster.run(server.register());
  assert.equal(server.id, 3);
  assert.equal(await isLeased(cluster, server), false);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: without an answer to each promise there is no lease', async () => {
  const { cluster, server } = await leftOut();
  await cluster.run(server.register());
  server.failure = new FsError('INTERNAL', 'out of order');
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(await isLeased(cluster, server), false);
  server.failure = undefined;
  await cluster.run(server.heartbeat());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(await isLeased(cluster, server), true);
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, true);
});

test('readmission: safe mode does not wait for it, nor it for safe mode', async () => {
  const { cluster, server } = await leftOut(4);
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(cluster.parts.safeMode.isActive, true);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: safe mode ends though every server has yet to give its promises', async () => {
  const { cluster, server } = await leftOut();
  server.failure = new FsError('INTERNAL', 'out of order');
  for (const each of cluster.servers) {
    await cluster.run(each.register());
    await cluster.run(each.sendInventory());
  }
  assert.equal(await isLeased(cluster, server), false);
  await cluster.simulation.runFor(SAFE_MODE_LOOK_MS);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('readmission: a copy of a chunk whose view is pending refuses the old version too', async () => {
  const { cluster, server } = await leftOut();
  for (const id of [1, 2]) cluster.server(id).failure = new FsError('INTERNAL', 'out of order');
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: a member with an older version refuses it, stays stale, and is in sync with no later view', async () => {
  const { cluster, server } = await leftOut();
  await cluster.putChunk(OTHER, { length: 20, version: 3, highestVersion: 3 });
  server.replicas.set(OTHER, newReplica({ version: 2, length: 20 }));
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  const { isRemoved, promisedVersion } = server.replicas.get(OTHER)!;
  assert.deepEqual([isRemoved, promisedVersion], [true, 3]);
  await cluster.run(server.heartbeat({ changes: [server.report(OTHER)] }));
  assert.equal(cluster.parts.cluster.replica(3, OTHER), 'stale');
});

test('readmission: what a member holds as it should, it keeps', async () => {
  const { cluster, server } = await leftOut();
  await cluster.putChunk(OTHER, { length: 20 });
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(await isLeased(cluster, server), true);
  assert.equal(server.replicas.get(OTHER)!.isRemoved, false);
});

test('readmission: a chunk forgotten while its server was given up for dead', async () => {
  const cluster = await TestCluster.start(3, { deadAfterMs: 20_000 });
  cluster.parts.start();
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  server.isBeating = false;
  cluster.cutOff(3);
  await cluster.run(cluster.discard(HANDLE));
  for (const id of [1, 2]) cluster.server(id).replicas.delete(HANDLE);
  await cluster.simulation.runFor(60_000);
  assert.equal(cluster.chunk(HANDLE), undefined);
  await cluster.restartMaster();
  cluster.simulation.network.heal();
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(server.replicas.get(HANDLE)!.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: a replica that has left already is not told again', async () => {
  const { cluster, server } = await leftOut();
  server.replicas.get(HANDLE)!.promisedVersion = 2;
  server.replicas.get(HANDLE)!.isRemoved = true;
  const promisedCount = server.prepared.length;
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(server.prepared.length, promisedCount);
  assert.equal(await isLeased(cluster, server), true);
  assert.equal(cluster.chunk(HANDLE)!.state, ChunkState.CHUNK_STATE_OPEN);
});

test('readmission: a disk that comes back with a restart shows what it holds before the server has its lease', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  const replica = server.replicas.get(HANDLE)!;
  server.isBeating = false;
  server.replicas.delete(HANDLE);
  server.diskFailure = 'read error';
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2]);

  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(await isLeased(cluster, server), true, 'what is left of it may be served');

  server.replicas.set(HANDLE, replica);
  server.diskFailure = '';
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(replica.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: a disk that was taken out and put back shows what it holds before the server has its lease', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  const replica = server.replicas.get(HANDLE)!;
  const restart = async (diskIds: string[]) => {
    server.diskIds = diskIds;
    await cluster.run(server.register());
    const isLeasedAtOnce = await isLeased(cluster, server);
    await cluster.run(server.sendInventory());
    await cluster.simulation.runFor(UNTIL_SETTLED_MS);
    assert.equal(await isLeased(cluster, server), true);
    return isLeasedAtOnce;
  };
  server.isBeating = false;
  assert.equal(await restart(['disk', 'other']), false, 'what a further disk holds is unknown');
  assert.equal(await restart(['disk', 'other']), true);
  server.replicas.delete(HANDLE);
  assert.equal(await restart(['other']), true);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2]);
  // What it missed it was told, as far as it could find it.
  await restart(['other']);
  assert.equal(await restart(['other']), true);
  await cluster.restartMaster();
  server.replicas.set(HANDLE, replica);
  assert.equal(await restart(['disk', 'other']), false);
  assert.equal(replica.isRemoved, true);
  assert.equal(await restart(['disk', 'other']), true);
});

test('readmission: what a server is told while its disk is out of service it is told again when that returns', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  const replica = server.replicas.get(HANDLE)!;
  await missView(cluster, server);
  // It fails when the registration is under way, which does not name it.
  server.replicas.delete(HANDLE);
  server.absence = { hidden: 1 };
  await cluster.run(server.register());
  server.replicas.set(HANDLE, replica);
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false, 'it would serve the version that it left');
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(replica.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: what a server does not find while it shows its inventory it is told again when it registers with it', async () => {
  const { cluster, server } = await leftOut();
  const replica = server.replicas.get(HANDLE)!;
  await cluster.run(server.register());
  const inventory = server.sendInventory({ last: false });
  // Its disk fails when it has shown a part; its heartbeats have not named it yet.
  server.replicas.delete(HANDLE);
  server.absence = { hidden: 1 };
  await cluster.run(inventory);
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  server.replicas.set(HANDLE, replica);
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false, 'it would serve the version that it left');
  await cluster.run(server.sendInventory());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(replica.isRemoved, true);
  assert.equal(await isLeased(cluster, server), true);
});

test('readmission: what a server does not find it is told again later, also when it does not answer about another chunk', async () => {
  const { cluster, server } = await leftOut();
  await cluster.putChunk(OTHER, { length: 20, version: 3, highestVersion: 3 });
  server.replicas.set(OTHER, newReplica({ version: 2, length: 20 }));
  const replica = server.replicas.get(HANDLE)!;
  await cluster.run(server.register());
  const inventory = server.sendInventory();
  // The disk with one of the two fails when both have been shown; heartbeats that say so come later than the answers.
  server.replicas.delete(HANDLE);
  server.absence = { hidden: 1 };
  server.failureOf.set(OTHER, new FsError('OVERLOADED', 'too much to do'));
  await cluster.run(inventory);
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  server.failureOf.clear();
  await cluster.run(server.heartbeat());
  await cluster.simulation.runFor(UNTIL_SETTLED_MS);
  assert.equal(server.replicas.get(OTHER)!.isRemoved, true);
  server.replicas.set(HANDLE, replica);
  await cluster.run(server.register());
  assert.equal(await isLeased(cluster, server), false, 'it would serve the version that it left');
});
