import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault, PlannedFault } from '../schedule/schedule.ts';
import { FaultInjector } from './fault-injector.ts';
import { rotJournal } from './journal-rot.ts';
import { MessageTraps } from './message-traps.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const DURATION_MS = 3000;

/** Small files, one after another: records in the journals of all servers. */
async function clusterWithFiles() {
  const cluster = await SimulatedCluster.start({ seed: 3, chunkservers: 3 });
  const client = cluster.client('client');
  await cluster.run(async () => {
    for (let number = 0; number < 5; number++) await client.writeFile(`/f${number}`, new Uint8Array(10));
  });
  const names = () => cluster.run(() => client.readdir('/'));
  const faults = new FaultInjector(cluster, new Map(), { traps: new MessageTraps() });
  return { cluster, names, faults };
}

/** @param choice 0.99: the last record that may be struck, of fewer than a hundred. */
function rots(fault: { host: string; choice: number }): PlannedFault {
  const whole: Fault = { kind: 'journalRot', disk: 0, bits: 1, durationMs: DURATION_MS, ...fault };
  return { id: 1, atMs: 10, fault: whole };
}

for (const [host, refusal] of [
  ['master', 'start failed'],
  ['chunkserver-2', 'error disk not in service'],
] as const) {
  test(`journal rot: ${host} refuses its journal as long as a record is rotten, and serves again when it is mended`, async () => {
    const { cluster, names, faults } = await clusterWithFiles();
    const refused: string[] = [];
    cluster.simulation.trace.listener = ({ host: name, event, fields }) => {
      if (name === host && event === refusal) refused.push(String(fields.error));
    };
    faults.plan([rots({ host, choice: 0.99 })]);
    await cluster.simulation.runFor(DURATION_MS);
    deepEqual([faults.struck.get('journalRot'), cluster.server(host).isServing], [1, false]);
    ok(
      refused.length > 0 && refused.every((error) => error.includes('The journal is damaged in ')),
      refused.join('\n'),
    );
    await cluster.simulation.runFor(DURATION_MS);
    await cluster.untilLive(3);
    equal(cluster.server(host).isServing, true);
    deepEqual(await names(), ['f0', 'f1', 'f2', 'f3', 'f4']);
  });
}

test('journal rot: it is mended when all faults end', async () => {
  const { cluster, names, faults } = await clusterWithFiles();
  faults.plan([rots({ host: 'master', choice: 0.99 })]);
  await cluster.simulation.runFor(500);
  equal(cluster.server('master').isServing, false);
  faults.endAll();
  await cluster.untilLive(3);
  equal((await names()).length, 5);
});

test('journal rot: it strikes records of that disk that are known to have been durable, and is mended to the bit', async () => {
  const { cluster } = await clusterWithFiles();
  const { disk } = cluster.simulation.host('master');
  cluster.crash('master', { unsynced: 'keep' });
  const contents = () =>
    [...disk.files].map(([path, file]) => {
      const bytes = new Uint8Array(file.sizeBytes);
      file.read(0, bytes);
      return { path, bytes };
    });
  const before = contents();
  const struck = new Set<number>();
  for (let choice = 0; choice < 1; choice += 0.0101) {
    const { path, sequence, mend } = rotJournal(disk, { folder: '', choice, bits: 3 })!;
    const changed = contents().filter(({ bytes }, index) => Buffer.compare(bytes, before[index]!.bytes) !== 0);
    deepEqual(
      changed.map((file) => file.path),
      [path],
    );
    struck.add(sequence);
    mend();
    deepEqual(contents(), before);
  }
  let last = 0;
  cluster.simulation.trace.listener = ({ event, fields }) => {
    if (event === 'info ledger opened') last = Number(fields.last);
  };
  await cluster.launch('master');
  // All but the last two, each of them a batch of its own: the last one may not be durable, and it alone says that the other is.
  deepEqual(
    [...struck].sort((a, b) => a - b),
    Array.from({ length: last - 2 }, (_, index) => index + 1),
  );
  equal(rotJournal(disk, { folder: 'another disk', choice: 0, bits: 1 }), undefined);
});
