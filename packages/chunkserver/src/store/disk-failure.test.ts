/** A disk fails while records wait for it: whoever waits is told at once, and finds no replica any more. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, DiskError, FsError } from '@cairnfs/base';
import { DISK_TIMEOUT_MS } from '@cairnfs/storage';
import { commitDurable, stage, TestDisk, viewOf } from '../testing/test-disk.ts';
import { takeView } from '../view/take-view.ts';
import type { DiskStore } from './disk-store.ts';
import type { Replica } from './replica.ts';

const HANDLE = '00000000-0000-4000-8000-000000000001';
/** More than a disk takes, far less than anybody's patience. */
const SOON_MS = 50;

async function begin(seed: number): Promise<{ disk: TestDisk; store: DiskStore; replica: Replica }> {
  const disk = await TestDisk.start(seed);
  const replica = await disk.create(HANDLE);
  const [store] = disk.replicas.stores;
  return { disk, store: store!, replica };
}

/** @returns what becomes of everything that waits for the replica's next records, as it is told. */
function waitForAll(disk: TestDisk, replica: Replica): string[] {
  const told: string[] = [];
  const waiter = (name: string): [() => void, (failure: FsError) => void] => {
    const isFound = () => (disk.replicas.find(HANDLE) === undefined ? 'gone' : 'found');
    return [() => told.push(`${name} durable`), ({ kind }) => told.push(`${name} ${kind} ${isFound()}`)];
  };
  const { log } = replica;
  const bytes = new Uint8Array(100);
  const mutation = {
    ...{ sequence: 1, offset: 0, bytes, checksum: crc32c(bytes), isAppend: true, operation: undefined },
    ...{ lengthAfter: 100, isDurable: false, isGone: false },
  };
  replica.journalStaged(mutation, 0, ...waiter('staged'));
  replica.journalCommitted(log.committedSequence, ...waiter('committed'));
  replica.journalPromise(...waiter('promise'));
  replica.journalView(viewOf(HANDLE, 1, 0), ...waiter('view'));
  replica.journalTerm(viewOf(HANDLE, 1, 0), ...waiter('term'));
  replica.journalSealed(...waiter('sealed'));
  return told;
}

const ALL_TOLD = ['staged', 'committed', 'promise', 'view', 'term', 'sealed'].map((name) => `${name} DISK_FAILED gone`);

test('disk failure: the journal fails, and all that wait for it are told so, after the replica is gone', async () => {
  const { disk, replica } = await begin(1);
  disk.host.disk.break({ prefix: 'disk/journal', operation: 'sync', code: 'EIO' });
  const told = waitForAll(disk, replica);
  await disk.run(() => disk.simulation.clock.sleep(SOON_MS));
  deepEqual(told, ALL_TOLD);
});

test('disk failure: a chunk file fails, and what waits for the journal of that disk does so no longer', async () => {
  const { disk, store, replica } = await begin(2);
  const told = waitForAll(disk, replica);
  store.fault(new DiskError('EIO', 'disk/chunks/a', 'a read error'));
  deepEqual(told, ALL_TOLD);
  const before = [...told];
  await disk.run(() => disk.simulation.clock.sleep(SOON_MS));
  deepEqual(told, before); // what the journal still wrote is told to nobody
});

for (const place of ['disk/journal', 'disk/chunks', 'disk']) {
  test(`disk failure: ${place} does not answer, and all that wait for the disk are told so in the end`, async () => {
    const { disk, store, replica } = await begin(7);
    const whole = new Uint8Array(100_000).fill(7);
    const file = await disk.run(() => disk.seams.disk.open(store.chunkPath(HANDLE), 'create'));
    await disk.run(() => file.write(0, [whole]));
    disk.host.disk.hang(place);
    const told = waitForAll(disk, replica);
    const work = [store.setAside(HANDLE, 1), store.refreshSpace(), store.syncName(HANDLE)];
    const settled = Promise.allSettled(work);
    await disk.run(() => disk.simulation.clock.sleep(DISK_TIMEOUT_MS + 5_000));
    await disk.run(() => settled);
    equal(store.failure?.kind, 'DISK_FAILED');
    match(store.failure.message, /disk disk failed and is out of service \(disk does not answer since 60 s\)/);
    equal(disk.replicas.find(HANDLE), undefined);
    // Where the journal still answered, it was made durable meanwhile.
    deepEqual(told.length, ALL_TOLD.length);
    if (place !== 'disk/chunks') deepEqual(told, ALL_TOLD);
    await disk.run(() => store.close());
  });
}

test('disk failure: what is asked of a replica afterwards is refused at once', async () => {
  const { disk, store, replica } = await begin(3);
  store.fault(new DiskError('EIO', 'disk/chunks/a', 'a read error'));
  const journalled = new Promise<void>((durable, failed) => replica.journalPromise(durable, failed));
  await rejects(journalled, { kind: 'DISK_FAILED' });
  await rejects(store.durable(store.ledger.lastSequence), { kind: 'DISK_FAILED' });
  equal(disk.replicas.find(HANDLE), undefined);
});

test('disk failure: a record that the journal put off ends with its disk', async () => {
  const { disk, store, replica } = await begin(4);
  const append = store.ledger.append;
  store.ledger.append = () => {
    throw new FsError('OVERLOADED', 'the journal prepares its next segment');
  };
  const journalled = new Promise<void>((durable, failed) => replica.journalPromise(durable, failed));
  store.ledger.append = append;
  store.fault(new DiskError('EIO', 'disk/chunks/a', 'a read error'));
  await disk.run(() => rejects(journalled, { kind: 'DISK_FAILED' }));
});

test('disk failure: a view is not taken on a disk that fails under it', async () => {
  const { disk, replica } = await begin(5);
  disk.host.disk.break({ prefix: 'disk/journal', code: 'EIO' });
  const view = viewOf(HANDLE, 1, 0);
  await disk.run(() => rejects(takeView(replica, { view, term: 2, fence: true }), { kind: 'DISK_FAILED' }));
});

test('disk failure: what had been made durable before is there when the disk comes back', async () => {
  const { disk, store, replica } = await begin(6);
  stage(replica, 0, new Uint8Array(100).fill(7));
  await disk.run(() => store.durable(store.ledger.lastSequence));
  commitDurable(replica);
  disk.host.disk.break({ prefix: 'disk/journal', code: 'EIO' });
  await disk.run(() => rejects(store.journal(HANDLE, { $case: 'sealed', value: {} }), { kind: 'DISK_FAILED' }));
  disk.host.disk.repair();
  await disk.crash('lose');
  equal(disk.replicas.find(HANDLE)?.log.durableSequence, 1);
});

test('disk failure: a server short of open files asks again, and keeps its disks', async () => {
  const { disk, store, replica } = await begin(8);
  const bytes = new Uint8Array(100_000).fill(7); // more than the index takes
  const put = async (offset: number) => {
    const mutation = stage(replica, offset, bytes);
    while (!mutation.isDurable) await disk.run(() => disk.simulation.clock.sleep(1));
    commitDurable(replica);
    await disk.run(() => disk.simulation.clock.sleep(3_000));
  };
  await put(0);
  ok(replica.isInFile);
  await disk.run(() => store.files.closeAll());
  for (const operation of ['metadata', 'sync'] as const) {
    disk.host.disk.break({ prefix: 'disk/chunks', operation, code: 'EMFILE' });
  }
  await rejects(disk.content(replica), { kind: 'OVERLOADED', message: /short of open files or memory/ });
  await put(bytes.length);
  deepEqual([store.failure, replica.unsettled.length], [undefined, 1]);
  disk.host.disk.repair();
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  equal(replica.unsettled.length, 0);
  deepEqual(await disk.content(replica), new Uint8Array(2 * bytes.length).fill(7));
});
