/** Requests that were sent over a connection that their sender gave up, and that come when it has gone on over another. */
import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

/** Longer than silence is borne on a connection that an answer is awaited on: it is given up, and what it carried is not. */
const CUT_MS = 40_000;
/** As TCP sends again later and later what nobody confirms: what was cut off for long comes long after the link is whole. */
const LATE_MS = 5000;

test('late request: a change that was refused is not applied by an earlier try of it that comes afterwards', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { network } = cluster.simulation;
  const [mover, writer] = [cluster.client('mover'), cluster.client('writer')];
  await cluster.run(() => mover.exists('/a')); // it has a connection
  network.cut('mover', 'master');
  const moved = rejects(mover.rename('/a', '/b', { timeoutMs: 2 * CUT_MS }), { code: 'ENOENT' });
  await cluster.simulation.runFor(CUT_MS);
  network.slow('mover', 'master', [LATE_MS, LATE_MS]);
  network.mend('mover', 'master');
  network.quicken('mover', 'master');
  await cluster.run(() => moved);
  await cluster.run(() => writer.writeFile('/a', 'written when the rename had failed'));
  await cluster.simulation.runFor(2 * LATE_MS);
  deepEqual(await cluster.run(() => writer.readdir('/')), ['a']);
});
