import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { OPERATION_MEMORY_MS } from '@cairnfs/protocol';
import { COPIES_SENT_MAX, DISK_READS_MAX } from '../limits.ts';
import type { DiskStore } from '../store/disk-store.ts';
import { commitPointKey, replicaKey } from '../store/keys.ts';
import { commitDurable, stage } from '../testing/test-disk.ts';
import { TestParts } from '../testing/test-parts.ts';
import { installByProof } from '../view/view-control.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const KiB = 1024;

async function source(length: number): Promise<TestParts> {
  const parts = await TestParts.start(1);
  const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
  await parts.disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes, sync: true }));
  return parts;
}

async function clone(from: TestParts, to: TestParts, length: number): Promise<Uint8Array> {
  const copying = to.clone(HANDLE, 1, length);
  await driveBoth(from, to, copying);
  return to.disk.content(to.disk.replicas.find(HANDLE)!);
}

/** Each has a simulation of its own. */
async function driveBoth(from: TestParts, to: TestParts, work: Promise<unknown>): Promise<void> {
  let isDone = false;
  const settled = work.finally(() => {
    isDone = true;
  });
  settled.catch(() => {});
  for (let turn = 0; turn < 10_000 && !isDone; turn += 1) {
    for (const { disk } of [from, to]) await disk.run(() => disk.simulation.clock.sleep(1));
  }
  await settled;
}

for (const [held, confirmed] of [
  [300 * KiB, 200 * KiB - 7],
  [300 * KiB, 40 * KiB],
  [60 * KiB, 5],
] as const) {
  test(`clone: an upload of ${held} bytes confirmed at ${confirmed} is copied up to there`, async () => {
    const from = await source(held);
    const to = await TestParts.start(2, from);
    const content = await clone(from, to, confirmed);
    deepEqual(Buffer.from(content), Buffer.from(Uint8Array.from({ length: confirmed }, (_, index) => index % 251)));
  });
}

test('clone: a source that only promised the version installs it, because the master names no other', async () => {
  const from = await source(100);
  from.disk.replicas.find(HANDLE)!.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  const to = await TestParts.start(4, from);
  await driveBoth(from, to, to.clone(HANDLE, 2, 100));
  equal(to.disk.replicas.find(HANDLE)!.log.version, 2);
  equal(from.disk.replicas.find(HANDLE)!.log.version, 2);
});

/** Whoever works on a chunk file is not done with it before what is returned is called. */
function holdFiles({ files }: DiskStore): () => void {
  const use = files.use.bind(files);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  files.use = async (path, mode, work) => {
    const done = await use(path, mode, work);
    await released;
    return done;
  };
  return () => {
    files.use = use;
    release();
  };
}

/** Whether it says that it has not joined, read from the disk for an inventory and when it is asked for. */
function reports({ disk: { replicas } }: TestParts): boolean[] {
  const inventory = replicas.stores.flatMap((store) => replicas.page(store, '', 10));
  return [...inventory, replicas.describe(replicas.find(HANDLE)!)].map(({ isLearner }) => isLearner);
}

test('clone: nothing is answered from it before it joins, nor after a restart', async () => {
  const from = await source(100);
  const to = await TestParts.start(9, from);
  await clone(from, to, 100);
  const check = () => {
    deepEqual(reports(to), [true, true]);
    const replica = to.disk.replicas.find(HANDLE)!;
    equal(installByProof(replica, { version: 1, knownLength: 100 }), false);
    throws(
      () => replica.log.checkVersion(1),
      (error) => isFsError(error, 'STALE_VERSION'),
    );
    return replica;
  };
  check();
  await to.disk.crash('lose');
  const joining = check();
  joining.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  await to.disk.run(() => new Promise<void>((durable, failed) => joining.journalPromise(durable, failed)));
  await to.disk.crash('lose');
  deepEqual(reports(to), [false, false]);
  const replica = to.disk.replicas.find(HANDLE)!;
  equal(installByProof(replica, { version: 2, knownLength: 100 }), true);
  replica.log.checkVersion(2);
});

test('clone: a copy of before an overwrite is copied anew, though it is as long', async () => {
  const from = await source(100);
  const to = await TestParts.start(8, from);
  await clone(from, to, 100);
  const replica = from.disk.replicas.find(HANDLE)!;
  stage(replica, 0, new Uint8Array(100).fill(0xee));
  await from.disk.run(() => from.disk.simulation.clock.sleep(20));
  commitDurable(replica);
  await driveBoth(from, to, to.clone(HANDLE, 1, 100, { sequence: 1 }));
  equal((await to.disk.content(to.disk.replicas.find(HANDLE)!))[99], 0xee);
});

test('clone: replaces a replica whose entries are damaged', async () => {
  const from = await source(100);
  const to = await TestParts.start(3);
  await to.disk.run(() => to.frame({ handle: HANDLE, offset: 0, bytes: new Uint8Array(100), sync: true }));
  await to.disk.fold();
  await to.disk.crash('keep');
  const again = TestParts.over(to.disk, from);
  await to.disk.damage(replicaKey(HANDLE));
  const content = await clone(from, again, 100);
  equal(content[99], 99);
  ok(to.disk.replicas.stores.every(({ failure }) => failure === undefined));
});

test('clone: an operation that its client called settled is refused there too, also after a restart', async () => {
  const from = await source(100);
  const replica = from.disk.replicas.find(HANDLE)!;
  const client = 'c'.repeat(16);
  stage(replica, 0, new Uint8Array(10), { client, number: 1, settledBelow: 1 });
  stage(replica, 0, new Uint8Array(10), { client, number: 5, settledBelow: 5 });
  await from.disk.run(() => from.disk.simulation.clock.sleep(100));
  commitDurable(replica);
  const to = await TestParts.start(5, from);
  await clone(from, to, 100);
  const check = () => {
    const { operations } = to.disk.replicas.find(HANDLE)!;
    throws(
      () => operations.lookup({ client, number: 1, settledBelow: 0 }),
      (error) => isFsError(error, 'OUTCOME_EXPIRED'),
    );
    equal(operations.lookup({ client, number: 5, settledBelow: 0 })?.sequence, 2);
  };
  check();
  await to.disk.crash('lose');
  check();
});

test('clone: operations are known there too when the calendars of both servers are far apart', async () => {
  const from = await source(100);
  from.disk.host.adjustClock({ wallOffsetMs: -20 * 3_600_000 });
  await from.disk.crash('keep');
  const again = TestParts.over(from.disk);
  const client = 'c'.repeat(16);
  stage(again.disk.replicas.find(HANDLE)!, 0, new Uint8Array(10), { client, number: 1, settledBelow: 1 });
  await again.disk.run(() => again.disk.simulation.clock.sleep(100));
  commitDurable(again.disk.replicas.find(HANDLE)!);
  const to = await TestParts.start(7, again);
  await to.disk.run(() => to.disk.simulation.clock.sleep(OPERATION_MEMORY_MS));
  await clone(again, to, 100);
  const { operations } = to.disk.replicas.find(HANDLE)!;
  equal(operations.hasRoom('another', to.disk.simulation.nowMs), true); // forgets by time
  equal(operations.lookup({ client, number: 1, settledBelow: 0 })?.sequence, 1);
});

/** Steps both until the copy is whole at `to` and takes its place. */
async function untilArriving(from: TestParts, to: TestParts): Promise<void> {
  for (let turn = 0; turn < 10_000 && to.clones.arriving(HANDLE) === undefined; turn += 1) {
    for (const { disk } of [from, to]) await disk.run(() => disk.simulation.clock.sleep(0.05));
  }
  ok(to.clones.arriving(HANDLE) !== undefined, 'the copy did not come so far');
}

test('clone: one whose version ends while it takes its place is not kept', async () => {
  const length = 200 * KiB;
  const from = await source(length);
  const to = await TestParts.start(6, from);
  const copying = to.clone(HANDLE, 1, length);
  copying.catch(() => {});
  await untilArriving(from, to);
  // The master asks for a promise, hears that there is no replica, and counts on that.
  equal(to.disk.replicas.find(HANDLE), undefined);
  to.clones.promised(HANDLE, 2);
  await rejects(driveBoth(from, to, copying), (error) => isFsError(error, 'STALE_VERSION'));
  equal(to.disk.replicas.find(HANDLE), undefined);
  await to.disk.crash('keep');
  equal(to.disk.replicas.find(HANDLE), undefined);
  const path = to.disk.replicas.stores[0]!.chunkPath(HANDLE);
  equal(await to.disk.run(() => to.disk.seams.disk.stat(path)), undefined);
});

test('clone: one that is not kept does not take the file of an upload that waited for it away', async () => {
  const length = 200 * KiB;
  const from = await source(length);
  const to = await TestParts.start(10, from);
  const { disk } = to;
  const copying = to.clone(HANDLE, 1, length);
  copying.catch(() => {});
  await untilArriving(from, to);
  to.clones.promised(HANDLE, 2);
  const path = disk.replicas.stores[0]!.chunkPath(HANDLE);
  const isLeft = to.clones.arriving(HANDLE)!.then(() => disk.host.disk.files.has(path));
  const bytes = new Uint8Array(length).fill(0xee);
  const uploading = to.frame({ handle: HANDLE, offset: 0, bytes, sync: true });
  await rejects(driveBoth(from, to, copying), (error) => isFsError(error, 'STALE_VERSION'));
  equal(await isLeft, false);
  await driveBoth(from, to, uploading);
  equal(disk.host.disk.files.has(path), true);
  await disk.crash('lose');
  deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
});

test('clone: committed bytes of the copy it replaces never reach its file', async () => {
  const length = 200 * KiB;
  const expected = Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));
  let keptCount = 0;
  for (let startMs = 480; startMs < 500; startMs += 2) {
    const from = await source(length);
    from.disk.replicas.find(HANDLE)!.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
    const to = await TestParts.start(7, from);
    const { disk } = to;
    const old = await disk.create(HANDLE);
    for (const fill of [0xee, 0xdd]) {
      stage(old, 0, new Uint8Array(length).fill(fill));
      await disk.run(() => disk.simulation.clock.sleep(20));
      commitDurable(old); // put in place half a second from now
      if (fill === 0xee) await disk.run(() => disk.simulation.clock.sleep(1_000));
    }
    await disk.run(() => disk.simulation.clock.sleep(startMs));
    await driveBoth(from, to, to.clone(HANDLE, 2, length)).catch((error: unknown) => {
      if (!isFsError(error, 'OVERLOADED')) throw error;
    });
    await disk.run(() => disk.simulation.clock.sleep(1_000));
    ok(disk.replicas.stores.every(({ failure }) => failure === undefined));
    const replica = disk.replicas.find(HANDLE)!;
    equal(replica.corruptBlocks.size, 0);
    if (replica.log.version === 2) {
      deepEqual(Buffer.from(await disk.content(replica)), expected);
      keptCount += 1;
    }
  }
  ok(keptCount > 0);
});

test('clone: nothing takes the place of a replica that is found damaged while its bytes are put in place', async () => {
  const length = 200 * KiB;
  const from = await source(length);
  from.disk.replicas.find(HANDLE)!.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  const to = await TestParts.start(11, from);
  const { disk } = to;
  const sleep = (ms: number) => disk.run(() => disk.simulation.clock.sleep(ms));
  const old = await disk.create(HANDLE);
  stage(old, 0, new Uint8Array(length).fill(0xee));
  await sleep(20);
  commitDurable(old);
  await sleep(1_000);
  const release = holdFiles(old.store);
  stage(old, 0, new Uint8Array(64 * KiB).fill(0xdd));
  await sleep(20);
  commitDurable(old);
  await sleep(600);
  equal(old.uses, 1);
  await disk.fold();
  await disk.damage(commitPointKey(HANDLE));
  throws(
    () => stage(old, 0, new Uint8Array(4)),
    (error) => isFsError(error, 'DISK_FAILED') && old.isGone,
  );
  await rejects(driveBoth(from, to, to.clone(HANDLE, 2, length)), { kind: 'STALE_VERSION' });
  const order = async () => {
    to.quarantine.order({ handle: HANDLE, versionAtMost: 1, reason: 'corrupt' });
    await disk.run(() => to.quarantine.idle());
    return disk.replicas.holderOf(HANDLE) === undefined;
  };
  equal(await order(), false);
  release();
  await sleep(1_000);
  equal(await order(), true);
  await driveBoth(from, to, to.clone(HANDLE, 2, length));
  const content = await disk.content(disk.replicas.find(HANDLE)!);
  deepEqual(Buffer.from(content), Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251)));
  deepEqual(disk.replicas.useOf(disk.replicas.stores[0]!), { usedBytes: length, replicaCount: 1, inFileCount: 1 });
});

test('clone: one meant for a server that had this address before is refused, and what is here stays', async () => {
  const to = await source(100);
  const from = await source(100);
  const copying = to.disk.run(() => to.clone(HANDLE, 2, 100, { serverId: 7 }));
  await rejects(driveBoth(from, to, copying), (error) => isFsError(error, 'INVALID_ARGUMENT'));
  equal(to.disk.replicas.find(HANDLE)!.log.committedLength, 100);
});

test('clone: goes on beside as many reads as a disk has room for', async () => {
  const from = await source(300 * KiB);
  const to = await TestParts.start(5, from);
  const [store] = from.disk.replicas.stores;
  for (let count = 0; count < DISK_READS_MAX; count++) store!.readRoom.enter(1);
  throws(() => store!.readRoom.enter(1), { kind: 'OVERLOADED' });
  equal((await clone(from, to, 300 * KiB)).length, 300 * KiB);
});

test('clone: so many are sent at a time, a further one is refused before it begins', async () => {
  const from = await source(100);
  const request = { handle: HANDLE, version: 1, length: 100, sequence: 0 };
  const sent = Array.from({ length: COPIES_SENT_MAX }, () => from.clones.send(request)[Symbol.asyncIterator]());
  await from.disk.run(() => Promise.all(sent.map((items) => items.next())));
  const another = () => from.disk.run(() => from.clones.send(request)[Symbol.asyncIterator]().next());
  await rejects(another(), { kind: 'OVERLOADED' });
  await from.disk.run(async () => sent[0]!.return?.(undefined));
  equal((await another()).done, false);
});
