/** What is stored of uploads that the master has forgotten. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const MINUTE_MS = 60_000;

test('lost upload: what was stored under a plan that the master lost before is found and put away', async () => {
  const master = { garbageGraceMs: MINUTE_MS };
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3, master });
  const client = cluster.client();
  await cluster.run(async () => {
    for (const name of ['/a', '/b', '/c']) await client.writeFile(name, 'small'); // from now on one is begun ahead
  });
  cluster.crash('master', { unsynced: 'lose' });
  await cluster.launch('master');
  await cluster.simulation.runFor(10_000);
  await cluster.run(() => client.writeFile('/d', 'stored twice'));
  await cluster.simulation.runFor(10 * MINUTE_MS);
  const { servers } = await cluster.run(() => client.clusterStatus());
  deepEqual(
    servers.map(({ replicaCount }) => replicaCount),
    [4, 4, 4],
  );
});
