import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods } from '@cairnfs/protocol';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { requestOf, type WireFrame, WireTap } from '../wire/wire-tap.ts';
import { OldReader } from './old-reader.ts';

const RECORD = Buffer.alloc(100, 1);

test('old reader: it asks all that held a chunk under versions that are over, also who comes back, and nobody answers', async () => {
  const cluster = await SimulatedCluster.start({ seed: 3, chunkservers: 3 });
  const { simulation } = cluster;
  const reader = new OldReader(simulation);
  const asked: { version: number; server: string; atMs: number }[] = [];
  const answered: WireFrame[] = [];
  const log = {
    sent: (frame: WireFrame) => {
      const request = requestOf(frame, ChunkserverDataMethods.readChunk);
      if (request === undefined || ![frame.from, frame.to].includes('old-reader')) return;
      if (frame.role === 'response') answered.push(frame);
      if (frame.role === 'request') asked.push({ version: request.version, server: frame.to, atMs: frame.sentMs });
    },
  };
  simulation.trace.listener = (entry) => reader.logged(entry);
  simulation.network.tap = new WireTap(() => simulation.nowMs, [reader, log]);
  reader.start();
  const client = cluster.client();
  await cluster.run(() => client.appendFile('/f', RECORD));
  await simulation.runFor(1000);
  equal(asked.length, 0);
  cluster.crash('chunkserver-2', { unsynced: 'keep' });
  await cluster.run(() => client.appendRecord('/f', RECORD, { timeoutMs: 60_000 }));
  await simulation.runFor(1000);
  deepEqual([...new Set(asked.map(({ version }) => version))], [1]);
  deepEqual([...new Set(asked.map(({ server }) => server))].sort(), ['chunkserver-1', 'chunkserver-3']);
  await simulation.runFor(20_000);
  const backMs = simulation.nowMs;
  await cluster.launch('chunkserver-2');
  await simulation.runFor(5000);
  ok(asked.some(({ server, atMs }) => server === 'chunkserver-2' && atMs > backMs));
  equal(answered.length, 0);
  reader.end();
});
