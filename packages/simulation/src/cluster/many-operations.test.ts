/** More operations of one client at once than servers remember of it. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const OPERATIONS = 4000;
const CRASH_AFTER_MS = 10;

test('many operations: each has an outcome, also when the master crashes meanwhile', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const client = cluster.client();
  const names = Array.from({ length: OPERATIONS }, (_, index) => `d${String(index).padStart(4, '0')}`);
  const made = await cluster.run(async () => {
    const making = Promise.allSettled(names.map((name) => client.mkdir(`/${name}`)));
    await cluster.simulation.clock.sleep(CRASH_AFTER_MS);
    cluster.crash('master', { unsynced: 'lose' });
    await cluster.server('master').start();
    return making;
  });
  const failed = made.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => String(reason));
  deepEqual(failed, []);
  deepEqual(await cluster.run(() => client.readdir('/')), names);
  await cluster.run(() => client.close());
});
