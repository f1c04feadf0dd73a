import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods, createRpcPool, MasterMethods } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CALL = { timeoutMs: 5000 };
/** Until the server with the failed disk is dead and what it had is repaired. */
const UNTIL_REPAIRED_MS = 180_000;

test('first append: after it met the failing disk of a secondary, the file is appended to as any other', async () => {
  const cluster = await SimulatedCluster.start({ seed: 31, chunkservers: 4 });
  const { simulation } = cluster;
  const client = cluster.client();
  const pool = createRpcPool(simulation.host('asker').start());
  const secondary = await cluster.run(async () => {
    await client.writeFile('/file', Buffer.alloc(0), { replication: 2 });
    const { ino } = await client.stat('/file');
    const wanted = {
      ...{ inode: Number(ino), at: { $case: 'append', value: true } as const },
      ...{ fullHandle: '', suspectedServers: [], operation: undefined },
    };
    const { message } = await pool.channel('master:9000').call(MasterMethods.openExtent, wanted, CALL);
    const { handle, version, replicas } = message.extent!.chunk!;
    // The first of them takes the lease.
    await pool.channel(replicas[0]!.address).call(ChunkserverDataMethods.getChunkLength, { handle, version }, CALL);
    return replicas[1]!.address.replace(':8080', '');
  });
  simulation.host(secondary).disk.break({ prefix: '', operation: 'write', code: 'EIO' });
  // It may fail, or be applied: the primary has staged it.
  const first = await cluster.run(() =>
    client.appendRecord('/file', Buffer.from('first;'), CALL).then(
      () => 'first;',
      () => undefined,
    ),
  );
  await simulation.runFor(UNTIL_REPAIRED_MS);
  await cluster.run(() => client.appendRecord('/file', Buffer.from('later;'), { timeoutMs: 60_000 }));
  const text = (await cluster.run(() => client.readFile('/file'))).toString();
  if (first === undefined) equal(text.endsWith('later;'), true);
  else equal(text, 'first;later;');
});
