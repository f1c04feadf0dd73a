import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FaultInjector } from './fault-injector.ts';
import { MessageTraps } from './message-traps.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

test('fault injector: disks are as slow as the schedule says while faults strike, also after one that was slower yet', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { simulation } = cluster;
  const slowness = () => ['master', 'chunkserver-1'].map((name) => simulation.host(name).disk.timing.slowness);
  const options = { diskSlowness: 20, masterSlowness: 50, traps: new MessageTraps() };
  const injector = new FaultInjector(cluster, new Map(), options);
  const slow = { kind: 'slowDisk', slowness: 100, durationMs: 1000 } as const;
  injector.plan([
    { id: 1, atMs: 10, fault: { ...slow, host: 'master' } },
    { id: 2, atMs: 10, fault: { ...slow, host: 'chunkserver-1' } },
  ]);
  deepEqual(slowness(), [50, 20]);
  await simulation.runFor(100);
  deepEqual(slowness(), [100, 100]);
  await simulation.runFor(1000);
  deepEqual(slowness(), [50, 20]);
  injector.endAll();
  deepEqual(slowness(), [1, 1]);
});
