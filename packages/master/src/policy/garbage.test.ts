import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ReplicaCondition } from '@cairnfs/protocol';
import { MASTER_BOUNDS } from '../bounds.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { discardChunk, garbageDueMs } from '../namespace/destroy.ts';
import { META } from '../state/keys.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';

const GRACE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A chunk with three copies that becomes garbage now. */
async function clusterWithGarbage(): Promise<TestCluster> {
  const cluster = await TestCluster.start(3, { garbageGraceMs: GRACE_MS });
  cluster.parts.start();
  await cluster.putChunk(HANDLE, { length: 10 });
  await cluster.run(
    cluster.context.decisions.perform('test', (transaction) =>
      discardChunk(transaction, HANDLE, transaction.chunk(HANDLE)!, garbageDueMs(cluster.context)),
    ),
  );
  return cluster;
}

async function ordered(cluster: TestCluster): Promise<string[]> {
  const { quarantine } = await cluster.run(cluster.server(1).heartbeat());
  return quarantine.map(({ handle }) => handle);
}

test('garbage: a calendar that is set ahead does not shorten the grace, one that is set back does not lengthen it', async () => {
  for (const wallOffsetMs of [DAY_MS, -DAY_MS]) {
    const cluster = await clusterWithGarbage();
    cluster.simulation.host('master').adjustClock({ wallOffsetMs });
    await cluster.simulation.runFor(GRACE_MS / 2);
    deepEqual(await ordered(cluster), [], `the calendar was set by ${wallOffsetMs} ms`);
    await cluster.simulation.runFor(GRACE_MS);
    deepEqual(await ordered(cluster), [HANDLE], `the calendar was set by ${wallOffsetMs} ms`);
  }
});

test('garbage: what was deleted before a restart on a calendar set back waits for the grace once more', async () => {
  const cluster = await clusterWithGarbage();
  cluster.simulation.host('master').adjustClock({ wallOffsetMs: -DAY_MS });
  await cluster.restartMaster();
  cluster.parts.start();
  await cluster.simulation.runFor(GRACE_MS / 2);
  deepEqual(await ordered(cluster), []);
  await cluster.simulation.runFor(GRACE_MS);
  deepEqual(await ordered(cluster), [HANDLE]);
});

test('garbage: chunks that one server keeps hold up none of those behind them', async () => {
  const cluster = await TestCluster.start(2, { bounds: { ...MASTER_BOUNDS, garbageStep: 2 } });
  cluster.parts.start();
  const handles = [1, 2, 3, 4].map(handleOf);
  for (const [index, handle] of handles.entries()) {
    await cluster.putChunk(handle, { length: 10, goal: 1, members: [index < 2 ? 1 : 2] });
    await cluster.run(cluster.discard(handle));
    await cluster.simulation.runFor(10);
  }
  const server = cluster.server(2); // server 1 does not do what it is told
  for (let second = 0; second < 20; second += 1) {
    await cluster.simulation.runFor(1000);
    const { quarantine } = await cluster.run(server.heartbeat());
    const gone = quarantine.map(({ handle }) => {
      server.replicas.delete(handle);
      return server.report(handle, ReplicaCondition.REPLICA_CONDITION_GONE);
    });
    await cluster.run(server.heartbeat({ changes: gone }));
  }
  deepEqual(
    handles.map((handle) => cluster.chunk(handle) !== undefined),
    [true, true, false, false],
  );
});

test('garbage: chunks that a disk keeps take no room for ever from those of others', async () => {
  const cluster = await TestCluster.start(2, { bounds: { ...MASTER_BOUNDS, garbageAwaitedMax: 2 } });
  cluster.parts.start();
  const handles = [1, 2, 3, 4].map(handleOf);
  for (const [index, handle] of handles.entries()) {
    await cluster.putChunk(handle, { length: 10, goal: 2, members: index < 2 ? [1, 2] : [2] });
    await cluster.run(cluster.discard(handle));
    await cluster.simulation.runFor(10);
  }
  const server = cluster.server(2); // server 1 does not do what it is told
  for (let second = 0; second < 60; second += 1) {
    await cluster.simulation.runFor(1000);
    const { quarantine } = await cluster.run(server.heartbeat());
    const gone = quarantine.map(({ handle }) => {
      server.replicas.delete(handle);
      return server.report(handle, ReplicaCondition.REPLICA_CONDITION_GONE);
    });
    await cluster.run(server.heartbeat({ changes: gone }));
  }
  deepEqual(
    handles.map((handle) => cluster.chunk(handle) !== undefined),
    [true, true, false, false],
  );
});

test('garbage: where all is said there is room for others at once, not when all have been looked at', async () => {
  const bounds = { ...MASTER_BOUNDS, garbageStep: 2, garbageAwaitedMax: 2 };
  const cluster = await TestCluster.start(1, { bounds });
  cluster.parts.start();
  const handles = Array.from({ length: 20 }, (_, index) => handleOf(index + 1));
  for (const handle of handles) {
    await cluster.putChunk(handle, { length: 10, goal: 1, members: [1] });
    await cluster.run(cluster.discard(handle));
  }
  const server = cluster.server(1);
  server.isBeating = false;
  let seconds = 0;
  for (; handles.some((handle) => cluster.chunk(handle) !== undefined); seconds += 1) {
    const { quarantine } = await cluster.run(server.heartbeat());
    const changes = quarantine.map(({ handle }) => server.report(handle, ReplicaCondition.REPLICA_CONDITION_GONE));
    for (const { handle } of quarantine) server.replicas.delete(handle);
    await cluster.run(server.heartbeat({ changes }));
    await cluster.simulation.runFor(1000);
  }
  ok(seconds < 2 * handles.length, `${seconds} s`);
});

test('garbage: servers have a while to say that a chunk is gone, however many others wait', async () => {
  const cluster = await TestCluster.start(1, { bounds: { ...MASTER_BOUNDS, garbageAwaitedMax: 1 } });
  cluster.parts.start();
  const handles = [1, 2, 3, 4, 5, 6].map(handleOf);
  for (const handle of handles) {
    await cluster.putChunk(handle, { length: 10, goal: 1, members: [1] });
    await cluster.run(cluster.discard(handle));
  }
  const server = cluster.server(1);
  server.isBeating = false;
  let leftCount = handles.length;
  for (let beat = 0; beat < 2 * handles.length + 2; beat += 1) {
    const { quarantine } = await cluster.run(server.heartbeat());
    for (const { handle } of quarantine) server.replicas.delete(handle);
    await cluster.simulation.runFor(2500); // the chunk is looked at twice meanwhile
    const changes = quarantine.map(({ handle }) => server.report(handle, ReplicaCondition.REPLICA_CONDITION_GONE));
    await cluster.run(server.heartbeat({ changes }));
    leftCount = handles.filter((handle) => cluster.chunk(handle) !== undefined).length;
  }
  equal(leftCount, 0);
});

test('garbage: a chunk is forgotten when every server has said that it is gone', async () => {
  const cluster = await TestCluster.start(3);
  cluster.parts.start();
  await cluster.putChunk(HANDLE, { length: 10 });
  await cluster.run(cluster.discard(HANDLE));
  await cluster.simulation.runFor(3000);
  for (const id of [1, 2, 3]) {
    ok(cluster.chunk(HANDLE) !== undefined, `forgotten while server ${id} has it`);
    const server = cluster.server(id);
    const { quarantine } = await cluster.run(server.heartbeat());
    deepEqual(
      quarantine.map(({ handle, reason }) => `${handle} ${reason}`),
      [`${HANDLE} deleted`],
    );
    server.replicas.delete(HANDLE);
    await cluster.run(server.heartbeat({ changes: [server.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_GONE)] }));
  }
  await cluster.simulation.runFor(3000);
  equal(cluster.chunk(HANDLE), undefined);
  equal(cluster.context.decisions.read().counter(META.garbageCount), 0);
});

test('garbage: a chunk deleted while a view of it is pending is put away by all who may have it', async () => {
  const cluster = await TestCluster.start(4);
  const version = { version: 1, highestVersion: 2, pendingVersion: 2, pendingMembers: [1, 2, 4] };
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2, 3], ...version });
  cluster.server(4).replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  await cluster.run(cluster.discard(HANDLE));
  cluster.parts.start();
  await cluster.simulation.runFor(3000);
  for (const server of cluster.servers) {
    const { quarantine } = await cluster.run(server.heartbeat());
    deepEqual(
      quarantine.map(({ handle, reason }) => [handle, reason]),
      [[HANDLE, 'deleted']],
    );
    server.replicas.delete(HANDLE);
    await cluster.run(server.heartbeat({ changes: [server.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_GONE)] }));
  }
  await cluster.simulation.runFor(3000);
  equal(cluster.chunk(HANDLE), undefined);
});

test('garbage: a copy of a deleted chunk on a server that is none of its members is put away', async () => {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2, 3] });
  await cluster.run(cluster.discard(HANDLE));
  const server = cluster.server(4);
  server.replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  const { quarantine } = await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  deepEqual(
    quarantine.map(({ reason }) => reason),
    ['deleted'],
  );
});

test('garbage: a server that told an earlier master is asked, and the chunk forgotten', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  await cluster.run(cluster.discard(HANDLE));
  for (const id of [1, 2, 3]) cluster.server(id).replicas.delete(HANDLE);
  cluster.parts.start();
  await cluster.simulation.runFor(20_000);
  equal(cluster.chunk(HANDLE), undefined);
});

test('garbage: what another process at the address of a server does not hold, that server may hold', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  await cluster.run(cluster.discard(HANDLE));
  for (const id of [1, 2, 3]) cluster.server(id).replicas.delete(HANDLE);
  const successor = cluster.server(3);
  successor.id = 0; // not registered yet
  successor.isBeating = false;
  cluster.parts.start();
  await cluster.simulation.runFor(5000);
  equal(cluster.parts.cluster.isLive(3), true);
  notEqual(cluster.chunk(HANDLE), undefined);
});

test('garbage: nobody is told to put a chunk away before that is durable', async () => {
  const cluster = await TestCluster.start(3);
  cluster.parts.start();
  await cluster.putChunk(HANDLE, { length: 10 });
  const ordered = async () => (await cluster.run(cluster.server(1).heartbeat())).quarantine.length;
  const { timing } = cluster.simulation.host('master').disk;
  timing.slowness = 10_000;
  void cluster.discard(HANDLE);
  await cluster.simulation.runFor(1500);
  equal(cluster.chunk(HANDLE)!.state, ChunkState.CHUNK_STATE_GARBAGE);
  equal(await ordered(), 0);
  timing.slowness = 1;
  await cluster.simulation.runFor(40_000);
  equal(await ordered(), 1);
});

test('garbage: a member that an earlier master told to leave, but kept no record of that, puts its copy away', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const { highestVersion } = cluster.chunk(HANDLE)!;
  await cluster.run(cluster.discard(HANDLE));
  cluster.parts.start();
  await cluster.simulation.runFor(3000);
  const { quarantine } = await cluster.run(cluster.server(1).heartbeat());
  const promised = highestVersion + 1; // what a member leaves for that is told of the chunk's end
  ok(quarantine[0]!.versionAtMost >= promised, `${quarantine[0]!.versionAtMost}`);
});
