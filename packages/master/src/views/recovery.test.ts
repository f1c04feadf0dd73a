import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASTER_BOUNDS } from '../bounds.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { handleOf, TestCluster } from '../testing/test-cluster.ts';

const OPEN = ChunkState.CHUNK_STATE_OPEN;
const CLOSED = ChunkState.CHUNK_STATE_CLOSED;
/** A minute, of which each try to close a chunk whose only server is lost takes five seconds. */
const WHILE_MS = 60_000;

test('recovery: chunks that cannot be settled keep nobody behind them from it', async () => {
  const cluster = await TestCluster.start(3, { bounds: { ...MASTER_BOUNDS, recoveredAtOnce: 2 } });
  for (const index of [1, 2]) await cluster.putChunk(handleOf(index), { state: OPEN, goal: 1, members: [1] });
  const pending = { pendingVersion: 2, highestVersion: 2, pendingMembers: [2, 3] };
  await cluster.putChunk(handleOf(3), { length: 10, goal: 2, members: [2, 3], ...pending });
  await cluster.putChunk(handleOf(4), { state: OPEN, goal: 2, members: [2, 3] });
  cluster.cutOff(1);
  cluster.parts.start();
  await cluster.simulation.runFor(2 * WHILE_MS);
  assert.deepEqual(
    [1, 2].map((index) => cluster.chunk(handleOf(index))?.state),
    [OPEN, OPEN],
  );
  assert.equal(cluster.chunk(handleOf(3))?.pendingVersion, 0);
  assert.equal(cluster.chunk(handleOf(4))?.state, CLOSED);
});

test('recovery: open chunks that were not shown and cannot be closed keep nobody from it', async () => {
  const cluster = await TestCluster.start(3, { bounds: { ...MASTER_BOUNDS, recoveredAtOnce: 2 } });
  // Server 1 has come back without them, and server 2, which has the other copies, is lost.
  for (const index of [1, 2]) {
    await cluster.putChunk(handleOf(index), { state: OPEN, goal: 2, members: [2, 1] });
    cluster.server(1).replicas.delete(handleOf(index));
  }
  const pending = { pendingVersion: 2, highestVersion: 2, pendingMembers: [3] };
  await cluster.putChunk(handleOf(3), { length: 10, goal: 1, members: [3], ...pending });
  await cluster.putChunk(handleOf(4), { state: OPEN, goal: 2, members: [3, 1] });
  cluster.server(1).replicas.delete(handleOf(4));
  await cluster.run(cluster.server(1).register());
  await cluster.run(cluster.server(1).sendInventory());
  cluster.cutOff(2);
  cluster.parts.start();
  await cluster.simulation.runFor(WHILE_MS / 2);
  assert.equal(cluster.chunk(handleOf(3))?.pendingVersion, 0);
  assert.equal(cluster.chunk(handleOf(4))?.state, CLOSED);
});

test('recovery: an open chunk whose view comes about late is closed with it, so that each member can be read', async () => {
  const cluster = await TestCluster.start(3);
  const pending = { pendingVersion: 2, highestVersion: 2, pendingMembers: [1, 2, 3] };
  await cluster.putChunk(handleOf(1), { state: OPEN, length: 10, sequence: 1, ...pending });
  cluster.parts.start();
  await cluster.simulation.runFor(3000); // much less than a chunk lease
  const { version, state, sequence } = cluster.chunk(handleOf(1))!;
  assert.deepEqual([version, state, sequence], [2, CLOSED, 1]);
});

test('recovery: an open chunk that nobody leads is closed, however long a round takes', async () => {
  const cluster = await TestCluster.start(3, { bounds: { ...MASTER_BOUNDS, recoveryStep: 1 } });
  const count = (3 * cluster.context.config.chunkLeaseMs) / 1000;
  for (let index = 1; index <= count; index += 1) await cluster.putChunk(handleOf(index), { state: OPEN });
  cluster.parts.start();
  await cluster.simulation.runFor(2.5 * count * 1000);
  for (let index = 1; index <= count; index += 1) assert.equal(cluster.chunk(handleOf(index))?.state, CLOSED);
});
