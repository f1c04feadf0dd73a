import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FaultInjector, type Restartable } from './fault-injector.ts';
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

test('fault injector: a client, which has no disk, ends when it sends, whatever point its crash waits for', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { simulation } = cluster;
  for (const [index, point] of (['send', 'write', 'sync', 'synced'] as const).entries()) {
    const name = `client-${index + 1}`;
    const host = simulation.host(name);
    const client = cluster.client(name);
    const restartable: Restartable = {
      host,
      crash: (options) => host.crash(options),
      start: () => Promise.resolve(),
    };
    const injector = new FaultInjector(cluster, new Map([[name, restartable]]), { traps: new MessageTraps() });
    injector.plan([{ id: 1, atMs: 0, fault: { kind: 'crash', host: name, unsynced: 'lose', downMs: 1000, point } }]);
    await simulation.runFor(10);
    deepEqual([host.isRunning, injector.struck.size], [true, 0], point);
    void client.mkdir(`/${name}`);
    await simulation.runFor(100);
    deepEqual([host.isRunning, injector.struck.get('crash')], [false, 1], point);
  }
});

test('fault injector: a fault counts when it strikes, which one that waits may never do', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const { simulation } = cluster;
  const injector = new FaultInjector(cluster, new Map(), { traps: new MessageTraps() });
  const host = 'chunkserver-1';
  const message = { method: 'Master.Create', isAnswer: false };
  injector.plan([
    { id: 1, atMs: 10, fault: { kind: 'lateMessage', message, pass: 1, extraMs: 50 } },
    { id: 2, atMs: 10, fault: { kind: 'lastWords', of: 'sender', message, pass: 1, afterMs: 1, downMs: 50 } },
    { id: 3, atMs: 10, fault: { kind: 'bitRot', host, choice: 0.5, bits: 1 } },
    { id: 4, atMs: 20, fault: { kind: 'slowDisk', host, slowness: 2, durationMs: 10 } },
    { id: 5, atMs: 90, fault: { kind: 'pause', host, durationMs: 10, point: 'send' } },
  ]);
  await simulation.runFor(80);
  deepEqual([...injector.struck], [['slowDisk', 1]]);
  await simulation.runFor(2000);
  deepEqual([...injector.struck.keys()], ['slowDisk', 'pause']);
});
