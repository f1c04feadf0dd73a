import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { discardChunk, garbageDueMs } from '../namespace/destroy.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

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
