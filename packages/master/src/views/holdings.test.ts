import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplicaCondition } from '@cairnfs/protocol';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { newReplica, type ScriptedReplica } from '../testing/scripted-chunkserver.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

const OPEN = ChunkState.CHUNK_STATE_OPEN;
const CLOSED = ChunkState.CHUNK_STATE_CLOSED;

/** Sequence 2, of 20 bytes, is acknowledged; the log knows of 1; a third mutation of 15 bytes is on its way. */
const ACKNOWLEDGED: Partial<ScriptedReplica> = { length: 20, sequence: 2 };

/** An open chunk of which `gone` cannot be seen any more, and says `absence` of it. */
async function openWithout({
  gone,
  absence = {},
  held = {},
}: {
  gone: number;
  absence?: Record<string, number>;
  held?: Partial<ScriptedReplica>;
}): Promise<TestCluster> {
  const cluster = await TestCluster.start(3);
  const versions = { version: 5, highestVersion: 5, settledVersion: 4, beganVersion: 1 };
  const end = { length: 10, sequence: 1, baseSequence: 1 };
  await cluster.putChunk(HANDLE, { state: OPEN, goal: 2, members: [1, 2], ...versions, ...end });
  const kept = cluster.server(3 - gone).replicas.get(HANDLE)!;
  Object.assign(kept, ACKNOWLEDGED, { lengthsAfter: [35] }, held);
  cluster.server(gone).replicas.delete(HANDLE);
  cluster.server(gone).absence = { hidden: 1, ...absence };
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  return cluster;
}

function endOf(cluster: TestCluster) {
  const { state, members, length, sequence, settledVersion, version } = cluster.chunk(HANDLE)!;
  assert.equal(state, CLOSED);
  return { members, length, sequence, settled: settledVersion === version ? 'now' : `at ${settledVersion}` };
}

test('end: a view of the former primary alone ends at what it committed', async () => {
  const cluster = await openWithout({ gone: 2, held: { hasLed: true } });
  assert.deepEqual(endOf(cluster), { members: [1], length: 20, sequence: 2, settled: 'at 5' });
});

test('end: a primary that was started anew does not know what it acknowledged, so nothing staged is dropped', async () => {
  const cluster = await openWithout({ gone: 2 });
  assert.deepEqual(endOf(cluster), { members: [1], length: 35, sequence: 3, settled: 'now' });
});

test('end: a secondary alone keeps what it staged', async () => {
  const cluster = await openWithout({ gone: 1, held: { length: 10, sequence: 1, lengthsAfter: [20, 35] } });
  assert.deepEqual(endOf(cluster), { members: [2], length: 35, sequence: 3, settled: 'now' });
});

test('end: a primary that cannot reach its replica any more says what it committed', async () => {
  const absence = { ledSequence: 2, ledLength: 20 };
  const held = { length: 10, sequence: 1, lengthsAfter: [20, 35] };
  const cluster = await openWithout({ gone: 1, absence, held });
  assert.deepEqual(endOf(cluster), { members: [2], length: 20, sequence: 2, settled: 'at 5' });
});

test('end: where a primary committed nothing, the log knows the end', async () => {
  const held = { length: 10, sequence: 1, lengthsAfter: [20, 35], hasLed: true };
  const cluster = await openWithout({ gone: 2, held });
  assert.deepEqual(endOf(cluster), { members: [1], length: 10, sequence: 1, settled: 'at 4' });
});

test('end: a view that acknowledges again keeps what all of its members have staged', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, baseSequence: 1 });
  for (const id of [1, 2])
    Object.assign(cluster.server(id).replicas.get(HANDLE)!, ACKNOWLEDGED, { lengthsAfter: [35] });
  cluster.server(1).replicas.get(HANDLE)!.hasLed = true;
  cluster.server(3).replicas.delete(HANDLE);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { state, length, sequence, baseSequence } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, length, sequence, baseSequence], [OPEN, 35, 3, 3]);
});

test('end: a member that missed only what nobody was told of is taken back when the one that was left has rotted', async () => {
  const cluster = await openWithout({ gone: 2, held: { hasLed: true } });
  const [rotten, back] = [cluster.server(1), cluster.server(2)];
  // It has staged all that was acknowledged, and does not know yet that it was.
  const left = { version: 5, promisedVersion: cluster.chunk(HANDLE)!.version, isRemoved: true, keptVersion: 5 };
  back.replicas.set(HANDLE, newReplica({ ...left, length: 10, sequence: 1, lengthsAfter: [20] }));
  rotten.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(rotten.heartbeat({ changes: [rotten.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_CORRUPT)] }));
  await cluster.run(back.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(20_000);
  const { members, length, sequence } = cluster.chunk(HANDLE)!;
  assert.deepEqual([members.includes(2), length, sequence], [true, 20, 2]);
});
