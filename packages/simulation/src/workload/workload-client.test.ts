import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '@cairnfs/sim';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { type PlannedNameCall, type PlannedOperation, subtreePath } from '../schedule/schedule.ts';
import { OperationRunner } from './operation-runner.ts';
import { WorkloadClient } from './workload-client.ts';

const planned = (id: number, atMs: number, call: PlannedNameCall): PlannedOperation => ({
  ...{ id, client: 0, atMs, timeoutMs: 3000 },
  call: { on: 'names', subtree: 0, call },
});

async function begin(operations: readonly PlannedOperation[]) {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const admin = cluster.client('admin');
  await cluster.run(() => admin.mkdir('/names'));
  await cluster.run(() => admin.mkdir(subtreePath(0)));
  const told: string[] = [];
  const runner = new OperationRunner(
    new Memory(),
    (client, event) => told.push(`${client} ${event}`),
    () => {},
  );
  const client = new WorkloadClient({ cluster, name: 'client-1', operations, runner });
  void client.start();
  return { cluster, client, runner, told };
}

test('workload client: each process has the next number, and what it asks its number in the history', async () => {
  const operations = [7, 8, 9].map((id, index) => planned(id, index * 100, { kind: 'mkdir', path: `/d${id}` }));
  const { cluster, client } = await begin(operations);
  const { simulation } = cluster;
  const seen: unknown[] = [];
  for (let index = 0; index < 3; index++) {
    while (client.underWay === undefined) await simulation.runFor(0.1);
    const { id, operation, client: name } = client.underWay;
    seen.push([name, id, operation.id]);
    client.crash({ unsynced: 'lose' });
    await client.start();
  }
  deepEqual(seen, [
    ['client-1', 1, 7],
    ['client-1.2', 2, 8],
    ['client-1.3', 3, 9],
  ]);
});

test('workload client: an end that was refused is told with both names of the error', async () => {
  const { cluster, client, told, runner } = await begin([planned(1, 0, { kind: 'stat', path: '/none' })]);
  while (!client.isDone) await cluster.simulation.runFor(10);
  equal(told.length, 2);
  match(told[1]!, /^client-1 ends #1 stat NOT_FOUND \(ENOENT\)$/);
  deepEqual([...runner.errors], [['NOT_FOUND', 1]]);
});
