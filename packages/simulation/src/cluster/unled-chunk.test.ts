/** A chunk inside a file whose view nobody leads, because the writer that had it made is gone: its bytes are read all the same. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { KiB } from '@cairnfs/base';
import { createRpcPool, MasterMethods } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CHUNK_BYTES = 128 * KiB;
const OFFSET = 1000;
const OLD = Buffer.alloc(2 * CHUNK_BYTES, 'o');
const NEW = Buffer.alloc(500, 'n');
/** Far less than a chunk lease. */
const READ = { timeoutMs: 5_000 };

test('unled chunk: what was overwritten before its primary died is read at once under a view that nobody has led yet', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3, master: { chunkBytes: CHUNK_BYTES } });
  const client = cluster.client();
  const pool = createRpcPool(cluster.simulation.host('writer').start());
  const { inode, chunk } = await cluster.run(async () => {
    await client.writeFile('/file', OLD);
    const handle = await client.open('/file', 'r+');
    await handle.write(NEW, 0, NEW.length, OFFSET);
    const { chunks } = await client.locate('/file');
    return { inode: handle.ino, chunk: chunks[0]! };
  });
  equal(chunk.open, true);
  // The others have staged the bytes, and nobody has told them that they are committed.
  const primary = chunk.replicas[0]!;
  cluster.crash(primary.address.replace(':8080', ''), { unsynced: 'lose' });
  const wanted = { inode, at: { $case: 'handle', value: chunk.handle } as const, fullHandle: '', operation: undefined };
  const opened = await cluster.run(async () => {
    const request = { ...wanted, suspectedServers: [primary.serverId] };
    return (await pool.channel('master:9000').call(MasterMethods.openExtent, request, { timeoutMs: 60_000 })).message;
  });
  equal(opened.extent!.chunk!.version > chunk.version, true);
  const bytes = await cluster.run(async () => {
    const handle = await client.open('/file');
    const { buffer } = await handle.read(Buffer.alloc(OFFSET + NEW.length), 0, OFFSET + NEW.length, 0, READ);
    return buffer;
  });
  deepEqual(bytes, Buffer.concat([OLD.subarray(0, OFFSET), NEW]));
});
