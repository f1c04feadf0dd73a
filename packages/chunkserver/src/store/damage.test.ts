import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, isFsError } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import { commitReplica, stageMutation } from '../mutation/commit.ts';
import { commitDurable, stage, TestDisk, viewOf } from '../testing/test-disk.ts';
import { checksumsKey, commitPointKey, dataKey, mutationKey, replicaKey } from './keys.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const OTHER = '0a1b2c3d-0000-4000-8000-000000000002';
const KiB = 1024;

/** Two chunks of `length` bytes, all of it in place and in the index. */
async function twoChunks(seed: number, length: number): Promise<TestDisk> {
  const disk = await TestDisk.start(seed);
  for (const handle of [HANDLE, OTHER]) {
    const replica = await disk.create(handle);
    stage(replica, 0, new Uint8Array(length).fill(7));
    await disk.run(() => disk.simulation.clock.sleep(100));
    commitDurable(replica);
    await disk.run(() => disk.simulation.clock.sleep(3_000));
    equal(replica.unsettled.length, 0);
  }
  await disk.fold();
  return disk;
}

const isCorrupt = (error: unknown) => isFsError(error, 'CHECKSUM_MISMATCH');
const healthy = (disk: TestDisk) => disk.replicas.stores.every(({ failure }) => failure === undefined);

const ENTRIES: Record<string, (disk: TestDisk) => void | Promise<void>> = {
  replica: (disk) => disk.damage(replicaKey(HANDLE)),
  'commit point': (disk) => disk.damage(commitPointKey(HANDLE)),
  checksums: (disk) => disk.damage(checksumsKey(HANDLE)),
  bytes: (disk) => disk.damage(dataKey(HANDLE)),
  'place of the bytes': (disk) => disk.misplace(dataKey(HANDLE)),
};

for (const [name, damage] of Object.entries(ENTRIES)) {
  test(`index: a flipped bit in the ${name} of one replica costs that replica, not the disk`, async () => {
    const disk = await twoChunks(1, 100);
    const replica = disk.replicas.find(HANDLE)!;
    await damage(disk);
    try {
      stage(replica, 50, new Uint8Array(4).fill(9));
    } catch (error) {
      ok(isFsError(error, 'DISK_FAILED') && replica.isGone);
    }
    await disk.run(() => disk.simulation.clock.sleep(100));
    // The record that meets the damage makes the replica go: whoever holds the object finds nothing in it any more.
    if (!replica.isGone) commitDurable(replica);
    await disk.run(() => disk.simulation.clock.sleep(3_000));
    ok(healthy(disk), 'the disk was taken out of service');
    deepEqual([...(await disk.content(disk.replicas.find(OTHER)!))], Array(100).fill(7));
    const again = disk.replicas.find(HANDLE);
    if (again !== undefined) await rejects(disk.content(again), isCorrupt);
    await disk.crash('keep');
    ok(disk.replicas.find(OTHER) !== undefined);
  });

  test(`index: a replica with a flipped bit in its ${name} can still be removed`, async () => {
    const disk = await twoChunks(2, 100);
    await damage(disk);
    const store = disk.replicas.holderOf(HANDLE)!;
    await disk.run(() => store.journal(HANDLE, { $case: 'quarantined', value: { atMs: 5, reason: 'surplus' } }));
    equal(disk.replicas.holderOf(HANDLE), undefined);
    ok(healthy(disk));
  });
}

for (const [name, keys] of Object.entries({
  replica: [replicaKey],
  'commit point': [commitPointKey],
  checksums: [checksumsKey],
  bytes: [dataKey],
  'checksums and bytes': [checksumsKey, dataKey],
})) {
  test(`index: the ${name} of another chunk in a chunk's place is damage of that replica`, async () => {
    const disk = await TestDisk.start(9);
    const store = disk.replicas.placeFor(0);
    for (const [handle, filler] of [
      [HANDLE, 1],
      [OTHER, 2],
    ] as const) {
      const bytes = new Uint8Array(100).fill(filler);
      const value = { version: filler, members: [1], uploadId: 'upload', length: bytes.length, firstBlock: 0 };
      const record = { ...value, isInFile: false, blockChecksums: [crc32c(bytes)] };
      await disk.run(() => store.journal(handle, { $case: 'uploadStored', value: record }, bytes));
    }
    await disk.fold();
    for (const keyOf of keys) await disk.mixUp(keyOf(OTHER), keyOf(HANDLE));
    const replica = disk.replicas.find(HANDLE);
    equal(replica === undefined, name === 'replica' || name === 'commit point');
    if (replica !== undefined) await rejects(disk.content(replica), isCorrupt);
    deepEqual([...(await disk.content(disk.replicas.find(OTHER)!))], Array(100).fill(2));
    ok(healthy(disk));
  });
}

test('index: an old format is refused, naming both', async () => {
  const disk = await TestDisk.start(10);
  const { seams } = disk;
  await disk.run(async () => {
    const file = await seams.disk.open('disk/FORMAT', 'readWrite');
    await file.write(0, [Buffer.from('cairnfs-ledger 2 chunkserver 1\n')]);
    await file.sync();
    await file.close();
  });
  await rejects(disk.crash('lose'), /FORMAT says .*chunkserver 1.*this server expects .*chunkserver 3/);
});

test('index: a staged mutation with a flipped bit goes with its replica', async () => {
  const disk = await twoChunks(3, 100);
  stage(disk.replicas.find(HANDLE)!, 100, new Uint8Array(10));
  await disk.run(() => disk.simulation.clock.sleep(100));
  await disk.fold();
  await disk.damage(mutationKey(HANDLE, 2));
  const store = disk.replicas.holderOf(HANDLE)!;
  await disk.run(() => store.journal(HANDLE, { $case: 'quarantined', value: { atMs: 5, reason: 'surplus' } }));
  ok(healthy(disk));
});

const REPLAYED: Record<string, { length: number; key: string }> = {
  'checksums of a chunk file': { length: 128 * KiB, key: checksumsKey(HANDLE) },
  'checksums of a chunk in the index': { length: 100, key: checksumsKey(HANDLE) },
  'staged mutation': { length: 100, key: mutationKey(HANDLE, 2) },
};

for (const [name, { length, key }] of Object.entries(REPLAYED)) {
  test(`index: a flipped bit in a ${name} that a replay meets costs that replica, whatever followed`, async () => {
    const disk = await twoChunks(11, length);
    const replica = disk.replicas.find(HANDLE)!;
    const append = async () => {
      stage(replica, replica.log.stagedLength, new Uint8Array(10));
      await disk.run(() => disk.simulation.clock.sleep(100));
    };
    await append();
    await disk.fold();
    // What follows is in the journal alone.
    disk.host.disk.break({ prefix: 'disk/state', operation: 'write', code: 'ENOSPC' });
    for (let count = 0; count < 2; count += 1) {
      commitDurable(replica);
      await append();
    }
    commitDurable(replica);
    await disk.run(() => disk.simulation.clock.sleep(3_000));
    equal(replica.unsettled.length, 0);
    disk.host.disk.repair();
    await disk.damage(key);
    await disk.crash('keep');
    ok(healthy(disk));
    equal(Buffer.compare(await disk.content(disk.replicas.find(OTHER)!), Buffer.alloc(length, 7)), 0);
    const again = disk.replicas.find(HANDLE);
    if (again !== undefined) await rejects(disk.content(again), isCorrupt);
  });
}

for (const [name, isLast] of Object.entries({ 'its last mutation': true, 'one in between': false })) {
  test(`index: a staged mutation that a replay cannot read, and later removes, does not leave a replica without ${name}`, async () => {
    const disk = await twoChunks(12, 128 * KiB);
    const replica = disk.replicas.find(HANDLE)!;
    const append = async () => {
      stage(replica, replica.log.stagedLength, new Uint8Array(10).fill(9));
      await disk.run(() => disk.simulation.clock.sleep(20));
    };
    await append(); // 2
    await append(); // 3
    await disk.fold();
    disk.host.disk.break({ prefix: 'disk/state', operation: 'write', code: 'ENOSPC' });
    commitReplica(replica, 2);
    await append(); // 4: the first that says that 2 is committed
    commitReplica(replica, 3);
    if (!isLast) await append(); // 5: says so of 3, which can be read
    await disk.run(() => disk.simulation.clock.sleep(3_000)); // 2 and 3 are put in place and leave the index
    deepEqual([replica.settledSequence, replica.log.committedSequence], [3, 3]);
    commitDurable(replica);
    disk.host.disk.repair();
    await disk.damage(mutationKey(HANDLE, 2));
    for (const _ of ['a start', 'one more']) {
      await disk.crash('keep');
      ok(healthy(disk));
      equal(disk.replicas.find(HANDLE), undefined);
      equal((await disk.content(disk.replicas.find(OTHER)!)).length, 128 * KiB);
      await disk.fold();
    }
  });
}

test('index: what is stored of a chunk that a replay could not follow fails, and is not taken for stored', async () => {
  const disk = await TestDisk.start(16);
  const store = disk.replicas.placeFor(0);
  const bytes = new Uint8Array(64 * KiB).fill(7);
  const part = { version: 1, members: [1], uploadId: 'upload', isInFile: false };
  const whole = { ...part, length: bytes.length, firstBlock: 0, blockChecksums: [crc32c(bytes)] };
  const record = { $case: 'uploadStored' as const, value: whole };
  await disk.run(() => store.journal(HANDLE, record, bytes));
  await disk.fold();
  disk.host.disk.break({ prefix: 'disk/state', operation: 'write', code: 'ENOSPC' });
  const next = { ...part, length: 2 * bytes.length, firstBlock: 1, blockChecksums: [crc32c(bytes)], isInFile: true };
  await disk.run(() => store.journal(HANDLE, { $case: 'uploadStored', value: next }));
  disk.host.disk.repair();
  await disk.damage(checksumsKey(HANDLE));
  await disk.crash('keep');
  const holder = disk.replicas.holderOf(HANDLE)!;
  await rejects(
    disk.run(() => holder.journal(HANDLE, record, bytes)),
    { kind: 'DAMAGED' },
  );
  ok(disk.replicas.isUnreadable(HANDLE) && healthy(disk));
});

for (const [name, sequence] of Object.entries({ 'committed mutation': 2, 'staged mutation': 3 })) {
  test(`index: a ${name} that is missing is damage of its replica, not a gap`, async () => {
    const disk = await twoChunks(13, 128 * KiB);
    const replica = disk.replicas.find(HANDLE)!;
    for (let count = 0; count < 3; count += 1) stage(replica, replica.log.stagedLength, new Uint8Array(10));
    await disk.run(() => disk.simulation.clock.sleep(20));
    commitReplica(replica, 2);
    await disk.run(() => disk.simulation.clock.sleep(20));
    await disk.fold();
    await disk.damage(mutationKey(HANDLE, sequence), 'lose');
    await disk.crash('keep');
    ok(healthy(disk));
    equal(disk.replicas.find(HANDLE), undefined);
    ok(disk.replicas.find(OTHER) !== undefined);
  });
}

test('index: a last staged mutation that is missing is damage, for its operation is still known', async () => {
  const disk = await twoChunks(17, 100);
  const replica = disk.replicas.find(HANDLE)!;
  stage(replica, 100, new Uint8Array(10), { client: 'c'.repeat(16), number: 1, settledBelow: 0 });
  await disk.run(() => disk.simulation.clock.sleep(20));
  await disk.fold();
  await disk.damage(mutationKey(HANDLE, 2), 'lose');
  await disk.crash('keep');
  equal(disk.replicas.find(HANDLE), undefined);
  ok(disk.replicas.find(OTHER) !== undefined && healthy(disk));
});

test('index: a replica of which a record met damage is not loaded again, also where that can still be done', async () => {
  const disk = await TestDisk.start(15);
  const replica = await disk.create(HANDLE);
  stage(replica, 0, new Uint8Array(100));
  await disk.run(() => disk.simulation.clock.sleep(20));
  commitDurable(replica);
  await disk.fold();
  await disk.damage(checksumsKey(HANDLE)); // not needed before its bytes are put in place
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  ok(replica.isGone);
  equal(disk.replicas.find(HANDLE), undefined);
  await disk.crash('keep');
  equal(disk.replicas.find(HANDLE), undefined);
  ok(healthy(disk));
});

test('index: a replica of which a record meets damage is reported damaged, not as its object still describes it', async () => {
  const disk = await twoChunks(14, 100);
  const replica = disk.replicas.find(HANDLE)!;
  await disk.damage(replicaKey(HANDLE));
  disk.reports = [];
  await rejects(disk.install(replica, viewOf(HANDLE, 2, 1), 1));
  ok(replica.isGone);
  const last = disk.reports.filter(({ handle }) => handle === HANDLE).at(-1);
  equal(last?.condition, ReplicaCondition.REPLICA_CONDITION_CORRUPT);
});

test('index: a commit point that is missing is damage, not a chunk of no bytes', async () => {
  const disk = await twoChunks(4, 100);
  await disk.damage(commitPointKey(HANDLE), 'lose');
  await disk.crash('keep');
  equal(disk.replicas.find(HANDLE), undefined);
  ok(disk.replicas.find(OTHER) !== undefined);
});

test('index: a flipped bit is not summed again when an upload is cut', async () => {
  const disk = await TestDisk.start(5);
  const store = disk.replicas.placeFor(0);
  const value = { version: 1, members: [1], uploadId: 'upload', length: 100, firstBlock: 0, isInFile: false };
  const bytes = new Uint8Array(100).fill(7);
  const record = { $case: 'uploadStored' as const, value: { ...value, blockChecksums: [crc32c(bytes)] } };
  await disk.run(() => store.journal(HANDLE, record, bytes));
  await disk.fold();
  await disk.damage(dataKey(HANDLE));
  const replica = disk.replicas.find(HANDLE)!;
  replica.log.cut(50);
  replica.applyCut(50);
  const again = disk.replicas.find(HANDLE);
  if (again !== undefined) await rejects(disk.content(again), isCorrupt);
  ok(healthy(disk));
});

test('chunk file: one that is missing costs its replica, not the disk', async () => {
  const disk = await twoChunks(6, 200 * KiB);
  for (const store of disk.replicas.stores) await disk.run(() => store.files.closeAll());
  disk.host.disk.remove(`disk/chunks/${HANDLE.slice(-2)}/${HANDLE}`);
  await rejects(disk.content(disk.replicas.find(HANDLE)!), isCorrupt);
  ok(healthy(disk));
  equal((await disk.content(disk.replicas.find(OTHER)!)).length, 200 * KiB);
});

test('chunk file: one that is missing when a mutation is put in place costs its replica, not the disk', async () => {
  const disk = await twoChunks(7, 128 * KiB);
  const replica = disk.replicas.find(HANDLE)!;
  for (const store of disk.replicas.stores) await disk.run(() => store.files.closeAll());
  disk.host.disk.remove(`disk/chunks/${HANDLE.slice(-2)}/${HANDLE}`);
  stage(replica, 128 * KiB, new Uint8Array(64 * KiB));
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(replica);
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  ok(healthy(disk));
  ok(replica.corruptBlocks.size > 0);
});

test('replica: operations of a run before are forgotten in time', async () => {
  const disk = await TestDisk.start(8);
  const replica = await disk.create(HANDLE);
  const mutation = stage(replica, 0, new Uint8Array(10));
  const operation = { client: 'c'.repeat(16), number: 1, settledBelow: 0 };
  const again = { ...mutation, sequence: 2, operation, isDurable: false, isGone: false };
  stageMutation(replica, again, { nowMs: disk.seams.clock.nowMs(), durable: () => {}, failed: () => {} });
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(replica);
  await disk.install(replica, viewOf(HANDLE, 2, 2), 1);
  await disk.crash('lose');
  const { operations } = disk.replicas.find(HANDLE)!;
  equal(operations.clientCount, 1);
  await disk.run(() => disk.simulation.clock.sleep(3_600_000));
  ok(operations.hasRoom('d'.repeat(16), disk.seams.clock.nowMs()));
  equal(operations.clientCount, 0);
});
