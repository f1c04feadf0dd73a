import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { newInode } from '../namespace/attributes.ts';
import { FileLayout } from '../namespace/file-layout.ts';
import { TestNamespace } from '../testing/test-namespace.ts';
import { closeChunk } from './close-chunk.ts';

test('close: a chunk whose length a view change logged already still tells the file its size', async () => {
  const namespace = await TestNamespace.start();
  const layout = new FileLayout(CHUNK_BYTES_MAX);
  const id = 100;
  const settled = { length: 100, sequence: 1, sealed: false };
  await namespace.do((transaction, { wallMs, garbageDueMs }) => {
    const file = { isDirectory: false, mode: 0o644, owner: '', group: '', replication: 3, wallMs };
    layout.allocate(transaction, namespace.simulation, {
      ...{ id, inode: newInode(file), offset: 0, members: [1, 2, 3], disks: [], garbageDueMs },
    });
    const { handle } = transaction.extentAt(id, 0)!;
    const open = transaction.chunk(handle)!;
    // As a confirmed view leaves it: the chunk knows how far it reaches, extent and inode do not.
    const changed = { ...open, version: 2, members: [2, 3], length: 100, sequence: 1, baseSequence: 1 };
    transaction.putChunk(handle, changed);
    closeChunk(transaction, handle, changed, settled, wallMs);
  });
  const { inode, tail, chunk } = namespace.read((transaction) => {
    const inode = transaction.inode(id)!;
    const tail = layout.tail(transaction, id, inode)!;
    return { inode, tail, chunk: transaction.chunk(tail.handle)! };
  });
  deepEqual([inode.size, inode.generation > 1], [100, true]);
  deepEqual([tail.length, tail.limit], [100, CHUNK_BYTES_MAX]);
  equal(chunk.state, ChunkState.CHUNK_STATE_CLOSED);
  const { generation } = inode;
  await namespace.do((transaction, { wallMs }) =>
    closeChunk(transaction, tail.handle, transaction.chunk(tail.handle)!, settled, wallMs),
  );
  equal(
    namespace.read((transaction) => transaction.inode(id)!.generation),
    generation,
  );
});
