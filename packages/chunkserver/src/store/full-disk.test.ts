/** A chunkserver's disk is full to the last byte: replicas leave it, over restarts too, and nothing new comes to it. */
import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { BLOCK_BYTES } from '@cairnfs/protocol';
import { commitDurable, stage, TestDisk } from '../testing/test-disk.ts';
import type { DiskStore } from './disk-store.ts';

const handleOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
const MUTATED = handleOf(999);

const storeOf = (disk: TestDisk): DiskStore => disk.replicas.stores[0]!;

/** No file grows, and the index takes no transaction: no segment of the journal ever comes free. */
function fill(disk: TestDisk): void {
  const { totalBytes, freeBytes } = disk.host.disk.space('disk');
  disk.host.disk.setCapacity('disk', totalBytes - freeBytes);
  disk.host.disk.break({ prefix: 'disk/state', operation: 'write', code: 'ENOSPC' });
}

/** Small chunks, until the disk takes no more. @returns how many it took. */
async function upload(disk: TestDisk): Promise<number> {
  let bytes = new Uint8Array(BLOCK_BYTES);
  const upload = { version: 1, members: [1], uploadId: '', firstBlock: 0, blockChecksums: [0], isInFile: false };
  for (let count = 0; ; count += 1) {
    const value = { ...upload, length: bytes.length };
    try {
      await disk.run(() => storeOf(disk).journal(handleOf(count), { $case: 'uploadStored', value }, bytes));
    } catch (error) {
      ok(isFsError(error, 'NO_SPACE'), String(error));
      if (bytes.length === 1) return count;
      bytes = new Uint8Array(1); // there may still be room for less
      count -= 1;
    }
  }
}

test('full disk: replicas are moved aside and forgotten, also after any number of starts', async () => {
  const disk = await TestDisk.start(1);
  fill(disk);
  let left = await upload(disk);
  ok(left > 50, `${left}`);
  for (let start = 0; start < 4; start += 1) {
    for (let count = 0; count < 5; count += 1) {
      left -= 1;
      const handle = handleOf(left);
      const moved = { $case: 'quarantined', value: { atMs: 1, reason: 'garbage' } } as const;
      await disk.run(() => storeOf(disk).journal(handle, moved));
      await disk.run(() => storeOf(disk).journal(handle, { $case: 'quarantineEnded', value: { atMs: 1 } }));
      equal(disk.replicas.holderOf(handle), undefined);
    }
    throws(() => storeOf(disk).append(handleOf(1_000), { $case: 'created', value: { members: [1] } }), {
      kind: 'NO_SPACE',
    });
    await disk.crash('lose');
    equal(disk.replicas.holderOf(handleOf(left)), undefined);
    ok(disk.replicas.holderOf(handleOf(left - 1)) !== undefined);
  }
});

test('full disk: a chunk takes no mutation more, and what was staged before is committed and put in place', async () => {
  const disk = await TestDisk.start(2);
  const replica = await disk.create(MUTATED);
  stage(replica, 0, new Uint8Array(100).fill(7));
  await disk.run(() => storeOf(disk).durable(storeOf(disk).ledger.lastSequence));
  fill(disk);
  await upload(disk);
  throws(() => stage(replica, 100, new Uint8Array(100)), { kind: 'NO_SPACE' });
  commitDurable(replica);
  const { committedSequence } = replica.log;
  await disk.run(
    () => new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed)),
  );
  await disk.run(() => disk.simulation.clock.sleep(5_000));
  equal(replica.unsettled.length, 0);
  equal((await disk.content(replica))[99], 7);
});
