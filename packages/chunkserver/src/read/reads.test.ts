import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError, MiB } from '@cairnfs/base';
import { BLOCK_BYTES, BufferPool } from '@cairnfs/protocol';
import { DISK_READ_BYTES_MAX } from '../limits.ts';
import type { Mutations } from '../mutation/mutations.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import { stage } from '../testing/test-disk.ts';
import { TestParts } from '../testing/test-parts.ts';
import { Reads } from './reads.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const LENGTH = 100;
const ROOMY = { room: () => undefined };

/** A replica of zeros with one overwrite staged, that has promised version 2 and heard no more. */
async function promised(): Promise<{ parts: TestParts; reads: Reads }> {
  const parts = await TestParts.start(1);
  const { disk } = parts;
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes: new Uint8Array(LENGTH), sync: true }));
  const replica = disk.replicas.find(HANDLE)!;
  stage(replica, 10, new Uint8Array(20).fill(1));
  await disk.run(() => disk.simulation.clock.sleep(100));
  replica.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  const reads = new Reads({
    replicas: disk.replicas,
    mutations: { commitPointFor: () => undefined } as unknown as Mutations,
    lease: { check() {} } as unknown as ServerLease,
    pool: new BufferPool(),
  });
  return { parts, reads };
}

const request = { handle: HANDLE, version: 2, offset: 10, length: 1, knownLength: LENGTH };

test('read: after an overwrite a length does not tell what a promised version holds', async () => {
  const { parts, reads } = await promised();
  await rejects(
    parts.disk.run(() => reads.read(request, ROOMY)),
    { kind: 'STALE_VERSION' },
  );
  equal(parts.disk.replicas.find(HANDLE)!.log.version, 1);
});

for (const [knownSequence, byte] of [
  [0, 0],
  [1, 1],
] as const) {
  test(`read: a promised version confirmed at sequence ${knownSequence} is taken and read`, async () => {
    const { parts, reads } = await promised();
    const { data } = await parts.disk.run(() => reads.read({ ...request, knownSequence }, ROOMY));
    deepEqual([...data!.buffers[0]!], [byte]);
    equal(parts.disk.replicas.find(HANDLE)!.log.version, 2);
  });
}

test('read: a sequence number that is not staged here proves nothing', async () => {
  const { parts, reads } = await promised();
  await rejects(
    parts.disk.run(() => reads.read({ ...request, knownSequence: 2 }, ROOMY)),
    { kind: 'STALE_VERSION' },
  );
});

test('read: calls wait for a disk that does not answer up to a limit, the others are refused at once', async () => {
  const { parts, reads } = await promised();
  const { disk } = parts;
  const handle = HANDLE.replace(/1$/, '2');
  const bytes = new Uint8Array(MiB);
  await disk.run(() => parts.frame({ handle, offset: 0, bytes, sync: true }));
  const read = () =>
    reads.read({ handle, version: 1, offset: 0, length: MiB, knownLength: MiB, knownSequence: undefined }, ROOMY);
  const [store] = disk.replicas.stores;
  const failures: unknown[] = [];
  const fits = DISK_READ_BYTES_MAX / MiB;
  const endHang = disk.host.disk.hang(store!.chunkPath(handle));
  const all = Array.from({ length: fits + 10 }, () => read().catch((error: unknown) => failures.push(error)));
  await disk.run(() => disk.simulation.clock.sleep(100));
  equal(failures.length, 10);
  ok(failures.every((error) => isFsError(error, 'OVERLOADED')));
  // What waits is told of the disk's failure, and its room is free again.
  await disk.run(() => Promise.all(all));
  equal(failures.filter((error) => isFsError(error, 'DISK_FAILED')).length, fits);
  endHang();
  store!.readRoom.enter(DISK_READ_BYTES_MAX);
});

test('read: of a few bytes the block that they are in counts', async () => {
  const { parts, reads } = await promised();
  const { disk } = parts;
  const handle = HANDLE.replace(/1$/, '2');
  await disk.run(() => parts.frame({ handle, offset: 0, bytes: new Uint8Array(MiB), sync: true }));
  const { readRoom } = disk.replicas.stores[0]!;
  const request = {
    handle,
    version: 1,
    offset: BLOCK_BYTES - 1,
    length: 2,
    knownLength: MiB,
    knownSequence: undefined,
  };
  const others = DISK_READ_BYTES_MAX - 2 * BLOCK_BYTES;
  readRoom.enter(others);
  equal((await disk.run(() => reads.read(request, ROOMY))).message.length, 2);
  readRoom.enter(1);
  await rejects(
    disk.run(() => reads.read(request, ROOMY)),
    { kind: 'OVERLOADED' },
  );
});
