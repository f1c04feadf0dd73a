import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { ChunkserverDataMethods, createRpcPool, MasterMethods, type RpcPool } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const AWAY = 'chunkserver-3';
const OPTIONS = { timeoutMs: 5_000 };

/** Where the file's one chunk is, by its path. */
async function locate(pool: RpcPool, path: string) {
  const request = { file: { path, inode: 0 }, offset: 0, length: 0, limit: 0 };
  const { message } = await pool.channel('master:9000').call(MasterMethods.locate, request, OPTIONS);
  return message.extents[0]!.chunk!;
}

test('fencing: a server that missed a view serves none of it after the master restarted, to whoever still knows it', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3 });
  const { simulation } = cluster;
  const client = cluster.client();
  const seams = simulation.host('reader').start();
  const pool = createRpcPool(seams);
  await cluster.run(() => client.writeFile('/file', Buffer.from('before')));
  const known = await cluster.run(() => locate(pool, '/file'));

  const others = simulation.hosts.map(({ name }) => name).filter((name) => name !== AWAY && name !== 'reader');
  simulation.network.partition(AWAY, others);
  await cluster.run(() => client.appendRecord('/file', Buffer.from(' and after')));
  const changed = await cluster.run(() => locate(pool, '/file'));
  notEqual(changed.version, known.version);
  cluster.crash('master', { unsynced: 'lose' });
  await cluster.launch('master');
  simulation.network.heal();

  const read = async (): Promise<string> => {
    const request = { handle: known.handle, version: known.version, offset: 0, length: 6, knownLength: known.length };
    try {
      const reply = await pool.channel(`${AWAY}:8080`).call(ChunkserverDataMethods.readChunk, request, OPTIONS);
      reply.data?.memory.release();
      return 'served';
    } catch (error) {
      return isFsError(error) ? error.kind : String(error);
    }
  };
  const answers = new Set<string>();
  const untilMs = simulation.nowMs + 60_000;
  while (simulation.nowMs < untilMs) {
    answers.add(await cluster.run(read));
    await simulation.runFor(20);
  }
  ok(!answers.has('served'), [...answers].join(', '));
  await cluster.untilLive(3);
  await cluster.run(async () => {
    equal(Buffer.from(await client.readFile('/file')).toString(), 'before and after');
    deepEqual((await client.clusterStatus(OPTIONS)).problems, []);
    await client.close();
  });
});
