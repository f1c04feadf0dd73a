/** What becomes of a mutation whose outcome the client does not know, on a chunk that was cut since. */
import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods, createRpcPool, dataPart, MasterMethods, type MutateRequest } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const TIMEOUT_MS = 5000;
const CLIENT = new Uint8Array(16).fill(7);

/** A chunk of 5,000 bytes cut at 1,000, closed; `mutate` sends it what a client would send that looks for an outcome. */
async function cutChunk(seed: number) {
  const cluster = await SimulatedCluster.start({ seed, chunkservers: 3 });
  const client = cluster.client();
  const pool = createRpcPool(cluster.simulation.host('retry').start());
  const inode = await cluster.run(async () => {
    const handle = await client.open('/file', 'w+');
    await handle.write(new Uint8Array(5000).fill(1), 0, 5000, 0);
    await handle.truncate(1000);
    return handle.ino;
  });
  const { handle } = (await cluster.run(() => client.locate('/file'))).chunks[0]!;
  const mutate = (kind: MutateRequest['kind'], number: number) =>
    cluster.run(async () => {
      const at = { $case: 'handle', value: handle } as const;
      const wanted = { inode, at, fullHandle: '', suspectedServers: [], operation: undefined };
      const opened = await pool
        .channel('master:9000')
        .call(MasterMethods.openExtent, wanted, { timeoutMs: TIMEOUT_MS });
      const { chunk, limit } = opened.message.extent!;
      const operation = { client: CLIENT, number, settledBelow: 0 };
      const { version, replicas } = chunk!;
      const named = { handle, version, kind, operation, capacity: limit };
      return pool
        .channel(replicas[0]!.address)
        .call(
          ChunkserverDataMethods.mutateChunk,
          { ...named, data: new Uint8Array(0), checksum: undefined },
          { timeoutMs: TIMEOUT_MS, data: dataPart(Buffer.from('late')) },
        );
    });
  return { cluster, client, mutate };
}

test('open outcome: on a chunk that was cut and only promised its view, an append is told that it never was applied', async () => {
  for (const seed of [1, 2, 3]) {
    const { mutate } = await cutChunk(seed);
    await rejects(mutate({ $case: 'append', value: true }, 5), { kind: 'CHUNK_SEALED' });
  }
});

test('open outcome: on a chunk that was cut, a write inside it is applied', async () => {
  for (const seed of [1, 2, 3]) {
    const { cluster, client, mutate } = await cutChunk(seed);
    await mutate({ $case: 'writeAt', value: 10 }, 5);
    const again = await mutate({ $case: 'writeAt', value: 10 }, 5);
    equal(again.message.repeatedOperation, true);
    const bytes = Buffer.from(await cluster.run(() => client.readFile('/file')));
    equal(bytes.subarray(9, 15).toString('latin1'), '\u0001late\u0001');
    equal(bytes.length, 1000);
  }
});
