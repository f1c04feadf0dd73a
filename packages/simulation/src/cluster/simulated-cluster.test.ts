import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const KiB = 1024;

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 0xff);
}

/** Writes small and large, crashes a chunkserver on the way, reads all of it back. */
async function story(seed: number): Promise<string> {
  const cluster = await SimulatedCluster.start({ seed, chunkservers: 3 });
  const client = cluster.client();
  const small = pattern(3 * KiB, seed);
  const large = pattern(300 * KiB, seed + 1);
  await cluster.run(async () => {
    await client.mkdir('/d');
    await client.writeFile('/d/small', small);
    await client.writeFile('/d/large', large);
    await client.appendRecord('/d/log', small.subarray(0, 100), { create: true });
  });
  cluster.crash('chunkserver-2', { unsynced: 'lose' });
  await cluster.run(async () => {
    deepEqual(new Uint8Array(await client.readFile('/d/small')), small);
    deepEqual(new Uint8Array(await client.readFile('/d/large')), large);
    await client.writeFile('/d/after', small);
    await client.appendRecord('/d/log', small.subarray(100, 200));
  });
  await cluster.launch('chunkserver-2');
  await cluster.untilLive(3);
  await cluster.run(async () => {
    deepEqual(new Uint8Array(await client.readFile('/d/after')), small);
    deepEqual(new Uint8Array(await client.readFile('/d/log')), small.subarray(0, 200));
    deepEqual((await client.readdir('/d')).sort(), ['after', 'large', 'log', 'small']);
    await client.close();
  });
  return cluster.simulation.trace.hash;
}

test('cluster: what was written is read back after a chunkserver lost power', async () => {
  await story(1);
});

test('cluster: the same seed gives the same trace, another seed another', async () => {
  const first = await story(7);
  equal(await story(7), first);
  equal((await story(8)) === first, false);
});

test('cluster: status and pressure tell the memory that each process takes', async () => {
  const cluster = await SimulatedCluster.start({ seed: 3, chunkservers: 2 });
  cluster.simulation.host('master').machine.processBytes = 5000;
  cluster.simulation.host('chunkserver-2').machine.processBytes = 7000;
  await cluster.simulation.runFor(2000);
  const client = cluster.client();
  await cluster.run(async () => {
    const status = await client.clusterStatus();
    equal(status.processMemoryBytes, 5000);
    const bytes = status.servers.map((server) => server.usage?.processMemoryBytes).sort();
    deepEqual(bytes, [134_217_728, 7000]);
    const { servers } = await client.clusterPressure();
    deepEqual(servers.map((server) => server.usage?.processMemoryBytes).sort(), bytes);
    await client.close();
  });
});

test('client: an append by path has one time limit for all its steps', async () => {
  const cluster = await SimulatedCluster.start({ seed: 3, chunkservers: 3 });
  const client = cluster.client();
  await cluster.run(async () => (await client.open('/log', 'w')).close());
  for (const name of ['master', ...cluster.chunkserverNames]) cluster.crash(name, { unsynced: 'lose' });
  cluster.simulation.clock.after(3000, () => void cluster.server('master').start());
  const startMs = cluster.simulation.nowMs;
  await cluster.run(() => rejects(client.appendRecord('/log', Buffer.from('one'), { timeoutMs: 5000 })));
  const tookMs = cluster.simulation.nowMs - startMs;
  ok(tookMs > 3000 && tookMs < 5500, `${tookMs} ms`);
});
