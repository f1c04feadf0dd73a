import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASTER_BOUNDS } from '../bounds.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { handleOf, TestCluster } from '../testing/test-cluster.ts';

const STUCK = Array.from({ length: 20 }, (_, index) => handleOf(index));
/** The scans find it last. */
const LAST = handleOf(STUCK.length);

/** Four servers, and so little room for repair that a few chunks fill it. */
function start(): Promise<TestCluster> {
  return TestCluster.start(4, { bounds: { ...MASTER_BOUNDS, repairQueueMax: 4, repairScanStep: 3 } });
}

/** Servers 1 and 2 are lost. */
async function assertLastIsRepaired(cluster: TestCluster): Promise<void> {
  await cluster.putChunk(LAST, { length: 10, members: [1, 3], goal: 2 });
  for (const id of [1, 2]) cluster.cutOff(id);
  cluster.parts.start();
  await cluster.simulation.runFor(40_000);
  assert.deepEqual([...cluster.chunk(LAST)!.members].sort(), [3, 4]);
}

test('repair scans: chunks without any copy in reach, however many, do not keep others from being repaired', async () => {
  const cluster = await start();
  for (const handle of STUCK) await cluster.putChunk(handle, { length: 10, members: [1, 2], goal: 2 });
  await assertLastIsRepaired(cluster);
});

test('repair scans: nor do open ones that have copies beside their members, but no member to close them', async () => {
  const cluster = await start();
  for (const handle of STUCK) {
    await cluster.putChunk(handle, { state: ChunkState.CHUNK_STATE_OPEN, length: 10, members: [1, 2], goal: 2 });
    cluster.server(3).replicas.set(handle, newReplica({ version: 1, length: 10 }));
  }
  await cluster.run(cluster.server(3).sendInventory());
  await assertLastIsRepaired(cluster);
});

test('repair scans: nor do those of which no copy can be made', async () => {
  const cluster = await start();
  for (const handle of STUCK) {
    await cluster.putChunk(handle, { length: 10, members: [1, 3], goal: 2 });
    cluster.server(3).replicas.delete(handle); // who clones it finds that
  }
  await assertLastIsRepaired(cluster);
});

test('repair scans: nor do those of which no other server is left to take a copy', async () => {
  const cluster = await start();
  for (const handle of STUCK) await cluster.putChunk(handle, { length: 10, members: [1, 3, 4] });
  await assertLastIsRepaired(cluster);
});

test('repair scans: a chunk with one copy left finds room among those that have more', async () => {
  const cluster = await TestCluster.start(5, {
    bounds: { ...MASTER_BOUNDS, clonesAtOnce: 1, repairQueueMax: 2, repairScanStep: 10 },
  });
  const others = Array.from({ length: 80 }, (_, index) => handleOf(index));
  const needy = handleOf(others.length);
  for (const [index, handle] of others.entries()) {
    await cluster.putChunk(handle, { length: 10, members: [1 + (index % 2), 3, 4] });
  }
  await cluster.putChunk(needy, { length: 10, members: [1, 2, 3] });
  for (const id of [1, 2]) cluster.cutOff(id);
  for (const id of [3, 4, 5]) cluster.server(id).cloneMs = 1000;
  cluster.parts.start();
  const isRepaired = (handle: string) => cluster.chunk(handle)!.members.every((member) => member > 2);
  await cluster.simulation.runUntil(() => isRepaired(needy));
  const before = others.filter(isRepaired);
  // As many as are repaired until the scan comes by it.
  assert.ok(before.length <= 10, `${before.length} of ${others.length} with more copies came first`);
});
