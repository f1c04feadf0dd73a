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

/** Both members hold two mutations and a third that the view of the primary alone has left out; neither has installed a view since. */
async function takenBack(): Promise<TestCluster> {
  const cluster = await openWithout({ gone: 2, held: { hasLed: true } });
  const promised = cluster.chunk(HANDLE)!.version;
  const left = { version: 5, promisedVersion: promised, isRemoved: true, keptVersion: 5 };
  const staged = { length: 10, sequence: 1, lengthsAfter: [20, 35] };
  const back = cluster.server(2);
  back.replicas.set(HANDLE, newReplica({ ...left, ...staged }));
  cluster.server(1).replicas.get(HANDLE)!.hasLed = false; // of the view that ended
  await cluster.run(back.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(10_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
  return cluster;
}

/** Opened for the outcome of an operation; the view changes before anybody has installed it. */
async function openAndChange(cluster: TestCluster) {
  await cluster.run(cluster.parts.views.open(HANDLE, []));
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: true }));
  const { length, sequence, baseSequence } = cluster.chunk(HANDLE)!;
  return { length, sequence, baseSequence };
}

test('end: what a view has left out does not come back when the next one ends before anybody has installed it', async () => {
  const cluster = await takenBack();
  assert.deepEqual(await openAndChange(cluster), { length: 20, sequence: 2, baseSequence: 2 });
});

test('end: a server of before does not say what it has installed, and all that it has staged counts', async () => {
  const cluster = await takenBack();
  for (const server of cluster.servers) server.tellsInstalled = false;
  assert.deepEqual(await openAndChange(cluster), { length: 35, sequence: 3, baseSequence: 3 });
});

/** An open chunk of three mutations at version 5, which ends at 30 bytes; each member has what `replicas` say. */
async function openAt5(...replicas: readonly Partial<ScriptedReplica>[]): Promise<TestCluster> {
  const cluster = await TestCluster.start(3);
  const versions = { version: 5, highestVersion: 5, settledVersion: 5, beganVersion: 1 };
  await cluster.putChunk(HANDLE, { state: OPEN, ...versions, length: 30, sequence: 3, baseSequence: 3 });
  for (const [index, replica] of replicas.entries()) {
    Object.assign(cluster.server(index + 1).replicas.get(HANDLE)!, replica);
  }
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  return cluster;
}

const viewOf = (cluster: TestCluster) => {
  const { members, length, sequence, baseSequence, settledVersion } = cluster.chunk(HANDLE)!;
  return { members: [...members].sort(), length, sequence, baseSequence, settledVersion };
};

test('end: what some members have staged counts for nothing where another has not installed the view', async () => {
  const before = { version: 4, length: 20, sequence: 2, lengthsAfter: [30, 45, 60] };
  const cluster = await openAt5({ lengthsAfter: [40] }, { lengthsAfter: [40] }, before);
  const base = { length: 30, sequence: 3, baseSequence: 3 };
  assert.deepEqual(viewOf(cluster), { members: [1, 2, 3], ...base, settledVersion: 5 });
});

test('end: a member that has not installed the view holds what that began with, or has lost it', async () => {
  const before = { version: 4, length: 10, sequence: 1, lengthsAfter: [20] };
  const cluster = await openAt5({ lengthsAfter: [40] }, { lengthsAfter: [40] }, before);
  const base = { length: 40, sequence: 4, baseSequence: 4 };
  assert.deepEqual(viewOf(cluster), { members: [1, 2], ...base, settledVersion: cluster.chunk(HANDLE)!.version });
});

test('end: what was committed at the view that ends, one that has not installed it has lost', async () => {
  const committed = { length: 40, sequence: 4 };
  const before = { version: 4, length: 20, sequence: 2, lengthsAfter: [30, 45] };
  const cluster = await openAt5(committed, { lengthsAfter: [40] }, before);
  const base = { length: 40, sequence: 4, baseSequence: 4 };
  assert.deepEqual(viewOf(cluster), { members: [1, 2], ...base, settledVersion: cluster.chunk(HANDLE)!.version });
});

test('end: a chunk that ended empty is taken to its goal, whatever its member has staged before', async () => {
  const cluster = await TestCluster.start(2);
  const versions = { version: 2, highestVersion: 2 };
  await cluster.putChunk(HANDLE, { state: CLOSED, goal: 2, members: [1], ...versions });
  const staged = { version: 1, promisedVersion: 2, lengthsAfter: [25] };
  Object.assign(cluster.server(1).replicas.get(HANDLE)!, staged);
  cluster.parts.start();
  await cluster.simulation.runFor(20_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
  assert.deepEqual(await openAndChange(cluster), { length: 0, sequence: 0, baseSequence: 0 });
});
