import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRpcPool, MasterMethods, type Method } from '@cairnfs/protocol';
import { Chunk, ChunkState, Upload } from '../gen/cairn/master/v1/state.ts';
import { REPLICAS_COUNTED_MAX } from '../limits.ts';
import { discardChunk } from '../namespace/destroy.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

const OTHER = '00000000-0000-4000-8000-000000000002';

/** By an administrator, who has a host of their own each time. */
async function call<Q, S>(cluster: TestCluster, method: Method<Q, S> & { stream: 'none' }, request: Q) {
  const host = cluster.simulation.host(`admin${cluster.simulation.hosts.length}`);
  const channel = createRpcPool(host.start()).channel('master:9000');
  return (await cluster.run(channel.call(method, request, { timeoutMs: 5000 }))).message;
}

const statuses = async (cluster: TestCluster) => (await call(cluster, MasterMethods.getClusterStatus, {})).servers;
const forget = (cluster: TestCluster, serverId: number) => call(cluster, MasterMethods.forgetServer, { serverId });

/** Four servers, the fourth of them dead. */
async function withDead(): Promise<TestCluster> {
  const cluster = await TestCluster.start(4);
  cluster.parts.start();
  cluster.server(4).isBeating = false;
  await cluster.simulation.runFor(60_000);
  return cluster;
}

test('dead server: status tells since when, also after a restart of the master', async () => {
  const cluster = await withDead();
  const nowMs = cluster.context.seams.clock.wallMs();
  const [, , third, fourth] = await statuses(cluster);
  assert.deepEqual([third!.deadSinceMs, fourth!.live], [0, false]);
  assert.ok(Math.abs(nowMs - 60_000 - fourth!.deadSinceMs) < 2000, `${nowMs - fourth!.deadSinceMs} ms`);
  await cluster.restartMaster();
  cluster.parts.start();
  await cluster.simulation.runFor(30_000);
  assert.equal((await statuses(cluster))[3]!.deadSinceMs, fourth!.deadSinceMs);
});

test('forget: a server that is live, or has just fallen silent, stays', async () => {
  const cluster = await TestCluster.start(3);
  cluster.parts.start();
  await assert.rejects(forget(cluster, 3), { kind: 'INVALID_ARGUMENT', message: /chunkserver 3 .* is live: stop it/ });
  cluster.server(3).isBeating = false;
  await cluster.simulation.runFor(5000);
  await assert.rejects(forget(cluster, 3), { kind: 'INVALID_ARGUMENT' });
  await cluster.restartMaster();
  await assert.rejects(forget(cluster, 3), { kind: 'INVALID_ARGUMENT', message: /try again in 12 s/ });
});

test('forget: a server on which chunks of files count stays', async () => {
  const cluster = await TestCluster.start(3);
  cluster.parts.start();
  await cluster.putChunk(HANDLE, { length: 10 });
  await cluster.putChunk(OTHER, { length: 10 });
  await cluster.run(cluster.discard(OTHER));
  cluster.server(3).isBeating = false;
  await cluster.simulation.runFor(60_000);
  await assert.rejects(forget(cluster, 3), { kind: 'INVALID_ARGUMENT', message: /^1 chunk of files still counts on/ });
  await cluster.addServer();
  await cluster.simulation.runFor(20_000);
  await forget(cluster, 3);
});

test('forget: a server on which the chunk of an upload is planned stays until that is confirmed or given up', async () => {
  const cluster = await withDead();
  const { plans } = cluster.context;
  const chunk = Chunk.fromPartial({ state: ChunkState.CHUNK_STATE_UPLOADING, version: 1, members: [1, 2, 4] });
  plans.add('upload', { upload: Upload.create(), handle: HANDLE, chunk });
  await assert.rejects(forget(cluster, 4), {
    kind: 'INVALID_ARGUMENT',
    message: /^an upload counts on chunkserver 4 /,
  });
  plans.drop('upload');
  await forget(cluster, 4);
});

test('forget: what keeps a server with more chunks than are counted is said, deleted ones are no chunks of files', async () => {
  const cluster = await withDead();
  const state = ChunkState.CHUNK_STATE_CLOSED;
  const logged = { state, version: 1, highestVersion: 1, goal: 3, members: [4], length: 10 };
  const handles = Array.from({ length: REPLICAS_COUNTED_MAX + 1 }, (_, index) => HANDLE.slice(0, -4) + (1000 + index));
  await cluster.run(
    cluster.context.decisions.perform('test', (transaction) => {
      for (const handle of handles) transaction.putChunk(handle, Chunk.fromPartial(logged));
    }),
  );
  await assert.rejects(forget(cluster, 4), { message: /^at least 1000 chunks of files still count on chunkserver 4 / });
  await cluster.run(
    cluster.context.decisions.perform('test', (transaction) => {
      const wallMs = cluster.context.seams.clock.wallMs();
      for (const handle of handles) discardChunk(transaction, handle, transaction.chunk(handle)!, wallMs + 60_000);
    }),
  );
  await assert.rejects(forget(cluster, 4), { message: /^deleted chunks still count on chunkserver 4 .* try again/ });
  await cluster.simulation.runFor(120_000);
  await forget(cluster, 4);
});

test('forget: the server is off the list for good; another time is no error, but a number never given is', async () => {
  const cluster = await withDead();
  await forget(cluster, 4);
  await forget(cluster, 4);
  const ids = async () => (await statuses(cluster)).map(({ serverId }) => serverId);
  assert.deepEqual(await ids(), [1, 2, 3]);
  await cluster.restartMaster();
  assert.deepEqual(await ids(), [1, 2, 3]);
  await forget(cluster, 4);
  await assert.rejects(forget(cluster, 5), { kind: 'INVALID_ARGUMENT', message: /no chunkserver 5/ });
});

test('forget: a server that comes back after all may serve only what was compared; the rest goes to quarantine', async () => {
  const cluster = await withDead();
  await cluster.putChunk(HANDLE, { length: 10, version: 2, highestVersion: 2 });
  await forget(cluster, 4);
  const server = cluster.server(4);
  for (const handle of [HANDLE, OTHER]) server.replicas.set(handle, newReplica({ version: 1, length: 10 }));
  await cluster.run(server.register());
  assert.equal(server.id, 4);
  assert.equal(cluster.parts.cluster.isLive(4), false);
  assert.equal((await cluster.run(server.heartbeat())).leaseWithheld, true);
  await cluster.run(server.sendInventory());
  server.isBeating = true;
  await cluster.simulation.runFor(5000);
  assert.equal(cluster.parts.cluster.isLive(4), true);
  assert.deepEqual(server.prepared.map(({ handle, newVersion }) => [handle, newVersion]).sort(), [
    [HANDLE, 2],
    [OTHER, 2],
  ]);
  const { quarantine } = await cluster.run(server.heartbeat());
  assert.deepEqual(quarantine.map(({ handle, reason }) => [handle, reason]).sort(), [
    [HANDLE, 'surplus'],
    [OTHER, 'orphan'],
  ]);
  assert.equal((await cluster.addServer()).id, 5);
});
