/** Servers that are in touch for long and get no lease, since they do not do what that takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { KEPT_OUT_PATIENCE } from '../limits.ts';
import { newReplica, type ScriptedChunkserver } from '../testing/scripted-chunkserver.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';

const OTHER = handleOf(2);
/** At the end of a mutation that the log does not know of. */
const WRITTEN = { version: 1, length: 7, sequence: 1 };
const OUT_OF_ORDER = new FsError('INTERNAL', 'out of order');
/** A lease with its margin, and some rounds of repair. */
const UNTIL_REPAIRED_MS = 30_000;
const UNTIL_GIVEN_UP_MS = KEPT_OUT_PATIENCE * 11_000;

/** Of five servers the third missed a change of the view of HANDLE, and a new master does not know of which chunk that was. */
async function withServerThatMissedAView(): Promise<{ cluster: TestCluster; server: ScriptedChunkserver }> {
  const cluster = await TestCluster.start(5, { safeModeRatio: 0.8 });
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  server.isBeating = false;
  cluster.cutOff(3);
  await cluster.run(cluster.parts.views.open(HANDLE, [3]));
  await cluster.restartMaster();
  cluster.simulation.network.heal();
  await cluster.simulation.runFor(20_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
  return { cluster, server };
}

/** It registers, shows what it holds, and beats on without a lease. */
async function returnWithoutLease(cluster: TestCluster, server: ScriptedChunkserver): Promise<void> {
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  server.isBeating = true;
  await cluster.simulation.runFor(2000);
  assert.equal((await cluster.run(server.heartbeat())).leaseWithheld, true);
}

/** The log does not say that the chunk was ever written; member 3 shows no replica. */
async function putUnshown(cluster: TestCluster, handle: string): Promise<void> {
  await cluster.putChunk(handle, { state: ChunkState.CHUNK_STATE_OPEN, length: 0 });
  for (const id of [1, 2]) cluster.server(id).replicas.set(handle, newReplica(WRITTEN));
  cluster.server(3).replicas.delete(handle);
}

test('kept out: a server without a lease says what it has lost, and that is replaced', async () => {
  const { cluster, server } = await withServerThatMissedAView();
  await putUnshown(cluster, OTHER);
  server.promiseFailure = OUT_OF_ORDER;
  await returnWithoutLease(cluster, server);
  cluster.parts.start();
  await cluster.simulation.runFor(UNTIL_REPAIRED_MS);
  const { members, length } = cluster.chunk(OTHER)!;
  assert.deepEqual([members.filter((member) => member <= 3).sort(), members.length, length], [[1, 2], 3, 7]);
});

for (const isShown of [true, false]) {
  const what = isShown ? 'a copy that it has shown' : 'a copy that it has not shown';
  test(`kept out: of a server that answers nothing ${what} is replaced after a while, and not before`, async () => {
    const { cluster, server } = await withServerThatMissedAView();
    if (isShown) await cluster.putChunk(OTHER, { length: 10 });
    else await putUnshown(cluster, OTHER);
    server.failure = OUT_OF_ORDER;
    await returnWithoutLease(cluster, server);
    cluster.parts.start();
    const members = () => cluster.chunk(OTHER)!.members;
    await cluster.simulation.runFor(UNTIL_GIVEN_UP_MS - 20_000);
    assert.deepEqual(members(), [1, 2, 3]);
    await cluster.simulation.runFor(20_000 + UNTIL_REPAIRED_MS);
    assert.deepEqual([members().includes(3), members().length], [false, 3]);
  });
}

test('kept out: a view goes on below the minimum without a server that answers nothing, after a while', async () => {
  const { cluster, server } = await withServerThatMissedAView();
  await cluster.putChunk(OTHER, {
    state: ChunkState.CHUNK_STATE_OPEN,
    length: 10,
    sequence: 1,
    members: [3, 1],
    goal: 2,
  });
  server.failure = OUT_OF_ORDER;
  await returnWithoutLease(cluster, server);
  const change = () => cluster.run(cluster.parts.views.retire([OTHER]));
  await assert.rejects(change(), { kind: 'VIEW_TOO_SMALL' });
  await cluster.simulation.runFor(UNTIL_GIVEN_UP_MS);
  await change();
  assert.deepEqual(cluster.chunk(OTHER)!.members, [1]);
});

test('kept out: a server that gets its lease counts as any, however long that took', async () => {
  const { cluster, server } = await withServerThatMissedAView();
  await cluster.putChunk(OTHER, { length: 10 });
  server.promiseFailure = OUT_OF_ORDER;
  await returnWithoutLease(cluster, server);
  await cluster.simulation.runFor(UNTIL_GIVEN_UP_MS);
  server.promiseFailure = undefined;
  await cluster.simulation.runFor(5000);
  assert.equal(cluster.parts.cluster.isLive(3), true);
  cluster.parts.start();
  await cluster.simulation.runFor(UNTIL_REPAIRED_MS);
  assert.deepEqual(cluster.chunk(OTHER)!.members, [1, 2, 3]);
});
