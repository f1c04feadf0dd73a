import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { checkMonotonic } from '../checks/monotonic.ts';
import { checkPrimaries } from '../checks/primaries.ts';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { WireTap } from '../wire/wire-tap.ts';
import { PrimaryWatch } from './primary-watch.ts';

test('primary watch: a chunk whose primary crashes is served by one after another, in later versions', async () => {
  const cluster = await SimulatedCluster.start({ seed: 4, chunkservers: 4 });
  const { simulation } = cluster;
  const watch = new PrimaryWatch();
  simulation.network.tap = new WireTap(() => simulation.nowMs, [watch]);
  const client = cluster.client('client');
  await cluster.run(() => client.writeFile('/f', ''));
  await cluster.run(() => client.appendFile('/f', 'one'));
  const [first] = watch.served;
  equal(watch.served.length, 1);
  cluster.crash(first!.server, { unsynced: 'lose' });
  await cluster.run(() => client.appendFile('/f', 'two', { timeoutMs: 60_000 }));
  const later = watch.served.filter(({ chunk, server }) => chunk === first!.chunk && server !== first!.server);
  ok(later.length > 0, JSON.stringify(watch.served));
  for (const { version, fromMs } of later) ok(version > first!.version && fromMs > first!.toMs);
  ok(watch.observed.some(({ holder }) => holder === 'master'));
  deepEqual([...checkPrimaries(watch.served), ...checkMonotonic(watch.observed)], []);
});
