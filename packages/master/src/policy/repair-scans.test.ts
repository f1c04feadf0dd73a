import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASTER_BOUNDS } from '../bounds.ts';
import { handleOf, TestCluster } from '../testing/test-cluster.ts';

test('repair scans: chunks without any copy in reach, however many, do not keep others from being repaired', async () => {
  const cluster = await TestCluster.start(4, { bounds: { ...MASTER_BOUNDS, repairQueueMax: 4, repairScanStep: 3 } });
  const last = handleOf(20);
  for (let index = 0; index < 20; index += 1) {
    await cluster.putChunk(handleOf(index), { length: 10, members: [1, 2], goal: 2 });
  }
  await cluster.putChunk(last, { length: 10, members: [1, 3], goal: 2 });
  for (const id of [1, 2]) cluster.cutOff(id);
  cluster.parts.start();
  await cluster.simulation.runFor(40_000);
  assert.deepEqual([...cluster.chunk(last)!.members].sort(), [3, 4]);
});
