import { deepEqual, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { Violation } from '../checks/violation.ts';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { WireTap } from '../wire/wire-tap.ts';
import { SafeModeWatch } from './safe-mode-watch.ts';

/** A master restarts while one server is down and files have a copy less; the others do their inventories. */
async function restarted(waitMs: number): Promise<Violation[]> {
  const cluster = await SimulatedCluster.start({ seed: 3, chunkservers: 4, master: { safeModeMs: 1000 } });
  const { simulation } = cluster;
  const violations: Violation[] = [];
  const watch = new SafeModeWatch(waitMs, (violation) => violations.push(violation));
  simulation.trace.listener = (entry) => watch.logged(entry);
  simulation.network.tap = new WireTap(() => simulation.nowMs, [watch]);
  for (const name of cluster.chunkserverNames) {
    const fields = { address: `${name}:8080` };
    watch.logged({ atMs: 0, host: 'master', event: 'info chunkserver registered', fields });
  }
  const client = cluster.client('client');
  for (const path of ['/a', '/b', '/c', '/d']) await cluster.run(() => client.writeFile(path, 'content'));
  cluster.crash('chunkserver-1', { unsynced: 'keep' });
  cluster.crash('chunkserver-2', { unsynced: 'keep' });
  cluster.crash('master', { unsynced: 'keep' });
  await cluster.launch('master');
  await simulation.runFor(8000);
  await cluster.launch('chunkserver-2');
  await simulation.runFor(120_000);
  return violations;
}

test('safe mode watch: a master that waits for a lease before it copies is in order, one that acts earlier is not', async () => {
  deepEqual(await restarted(11_000), []);
  // As if it had to wait for longer than it does.
  const [violation] = await restarted(1_000_000);
  match(
    violation!.summary,
    /^the master ordered (a copy|\d+ replicas into quarantine) when 3 of 4 chunkservers had shown/,
  );
});
