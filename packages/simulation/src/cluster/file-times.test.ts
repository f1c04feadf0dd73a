import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const IDLE_MS = 20_000; // longer than a primary keeps an idle lease

test('file times: a write shows in the modification time when it is acknowledged, and stays that when the chunk closes', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 3 });
  const client = cluster.client();
  const { simulation } = cluster;
  const handle = await cluster.run(() => client.open('/file', 'w'));
  const made = await cluster.run(() => client.stat('/file'));
  await simulation.runFor(1000);
  await cluster.run(() => handle.write(Buffer.from('content')));
  await cluster.run(() => handle.close());
  const written = await cluster.run(() => client.stat('/file'));
  ok(written.mtimeMs >= made.mtimeMs + 1000, `${written.mtimeMs - made.mtimeMs} ms later`);
  equal(written.ctimeMs, written.mtimeMs);
  const [listed] = await cluster.run(async () => (await client.list('/', { withAttributes: true })).entries);
  equal(listed!.stats!.mtimeMs, written.mtimeMs);
  await simulation.runFor(IDLE_MS);
  const closed = await cluster.run(() => client.stat('/file'));
  equal(closed.mtimeMs, written.mtimeMs);
  equal(closed.size, 7);
});

test('file times: what was set after the last write stands when the chunk closes, and a later write moves it again', async () => {
  const cluster = await SimulatedCluster.start({ seed: 2, chunkservers: 3 });
  const client = cluster.client();
  const { simulation } = cluster;
  const handle = await cluster.run(() => client.open('/file', 'a'));
  await cluster.run(() => handle.appendRecord(Buffer.from('one')));
  await simulation.runFor(100);
  await cluster.run(() => client.utimes('/file', 1000, 1000));
  equal((await cluster.run(() => client.stat('/file'))).mtimeMs, 1_000_000);
  await simulation.runFor(IDLE_MS);
  equal((await cluster.run(() => client.stat('/file'))).mtimeMs, 1_000_000);
  const beforeMs = (await cluster.run(() => client.stat('/file'))).ctimeMs;
  await cluster.run(() => handle.appendRecord(Buffer.from('two')));
  ok((await cluster.run(() => handle.stat())).mtimeMs >= beforeMs + IDLE_MS / 2);
});
