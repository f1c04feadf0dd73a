import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError, FsError, isFsError } from '@cairnfs/base';
import { DISK_FRAMES_MAX, QUARANTINE_MOVES_MAX, UPLOADS_MAX } from '../limits.ts';
import { checksumsKey, commitPointKey } from '../store/keys.ts';
import { readBlocks } from '../store/replica-bytes.ts';
import { TestParts } from '../testing/test-parts.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const KiB = 1024;
const handleOf = (index: number) => `0a1b2c3d-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;

test('uploads: finished ones make room for others', async () => {
  const parts = await TestParts.start(1);
  const bytes = new Uint8Array(64 * KiB + 1);
  for (let index = 0; index < UPLOADS_MAX + 10; index += 1) {
    const frame = { handle: handleOf(index), offset: 0, bytes, sync: true };
    equal((await parts.disk.run(() => parts.frame(frame))).durableLength, bytes.length);
  }
});

test('uploads: a frame that overlaps what arrived leaves that as it is', async () => {
  const parts = await TestParts.start(2);
  const { disk } = parts;
  const first = new Uint8Array(128 * KiB).fill(1);
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes: first, sync: true }));
  const longer = new Uint8Array(192 * KiB).fill(2);
  const reply = await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes: longer, sync: true }));
  deepEqual(reply, { receivedLength: 192 * KiB, durableLength: 192 * KiB });
  const content = await disk.content(disk.replicas.find(HANDLE)!);
  deepEqual([content[0], content[128 * KiB - 1], content[128 * KiB]], [1, 1, 2]);
});

test('quarantine: waits for a frame that is being written', async () => {
  for (let pauseMs = 0; pauseMs < 3; pauseMs += 0.1) {
    const parts = await TestParts.start(3);
    const { disk } = parts;
    const bytes = new Uint8Array(1024 * KiB).fill(3);
    await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes, sync: true }));
    const second = parts.frame({ handle: HANDLE, offset: 1024 * KiB, bytes, sync: true });
    await disk.run(() => disk.simulation.clock.sleep(pauseMs));
    parts.quarantine.order({ handle: HANDLE, versionAtMost: 1, reason: 'deleted' });
    await disk.run(() => second);
    await disk.run(() => parts.quarantine.idle());
    ok(disk.replicas.stores.every(({ failure }) => failure === undefined));
    parts.quarantine.order({ handle: HANDLE, versionAtMost: 1, reason: 'deleted' });
    await disk.run(() => parts.quarantine.idle());
    equal(disk.replicas.find(HANDLE), undefined);
  }
});

test('uploads: a small frame that comes twice in one tick is not acknowledged before it is durable', async () => {
  const parts = await TestParts.start(4);
  const { disk } = parts;
  const frame = { handle: HANDLE, offset: 0, bytes: new Uint8Array(100), sync: true };
  const [store] = disk.replicas.stores;
  const durable: number[] = [];
  await disk.run(() =>
    Promise.all([1, 2].map(() => parts.frame(frame).then(() => durable.push(store!.ledger.durableSequence)))),
  );
  deepEqual(durable, [1, 1]);
});

/** A first block that is synced alone, and two frames behind it. */
async function growing(seed: number) {
  const parts = await TestParts.start(seed);
  const { disk } = parts;
  const bytes = disk.simulation.random.bytes(256 * KiB);
  const frame = (start: number, end: number, sync: boolean) => {
    return parts.frame({ handle: HANDLE, offset: start, bytes: bytes.subarray(start, end), sync });
  };
  deepEqual(await disk.run(() => frame(0, 64 * KiB, true)), { receivedLength: 64 * KiB, durableLength: 64 * KiB });
  return { parts, disk, bytes, frame };
}

test('uploads: a first block that was synced alone takes further frames', async () => {
  const { disk, bytes, frame } = await growing(5);
  const used = () => disk.replicas.useOf(disk.replicas.stores[0]!);
  const last = frame(128 * KiB, 256 * KiB, true);
  const middle = await disk.run(() => frame(64 * KiB, 128 * KiB, false));
  ok(middle.receivedLength >= 128 * KiB);
  deepEqual(await disk.run(() => last), { receivedLength: 256 * KiB, durableLength: 256 * KiB });
  deepEqual(await disk.run(() => frame(0, 64 * KiB, true)), { receivedLength: 256 * KiB, durableLength: 256 * KiB });
  deepEqual(used(), { usedBytes: 256 * KiB, replicaCount: 1, inFileCount: 1 });
  deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
  await disk.fold();
  await disk.crash('lose');
  deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
  deepEqual(used(), { usedBytes: 256 * KiB, replicaCount: 1, inFileCount: 1 });
});

test('uploads: whatever a crash cuts short, a first block that was synced alone is kept', async () => {
  for (let afterMs = 0; afterMs < 12; afterMs += 0.5) {
    const { disk, bytes, frame } = await growing(6);
    frame(64 * KiB, 256 * KiB, true).catch(() => {});
    await disk.run(() => disk.simulation.clock.sleep(afterMs));
    await disk.crash('random');
    const content = await disk.content(disk.replicas.find(HANDLE)!);
    ok(content.length === 64 * KiB || content.length === 256 * KiB);
    deepEqual(Buffer.from(content), Buffer.from(bytes.subarray(0, content.length)));
  }
});

test('uploads: a first block can be read while it moves to the chunk file', async () => {
  const { disk, bytes, frame } = await growing(7);
  let isDone = false;
  const growth = frame(64 * KiB, 128 * KiB, true).finally(() => {
    isDone = true;
  });
  const { pool, replicas } = disk;
  await disk.run(async () => {
    while (!isDone) {
      const { memory } = await readBlocks(replicas.find(HANDLE)!, { offset: 0, end: 64 * KiB }, pool);
      deepEqual(Buffer.from(memory.bytes.subarray(0, 64 * KiB)), Buffer.from(bytes.subarray(0, 64 * KiB)));
      memory.release();
      await disk.simulation.clock.sleep(0.05);
    }
    await growth;
  });
});

test('uploads: a frame that ended inside a block was the last one', async () => {
  const parts = await TestParts.start(8);
  const { disk } = parts;
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes: new Uint8Array(100), sync: true }));
  const next = { handle: HANDLE, offset: 0, bytes: new Uint8Array(200), sync: true };
  await rejects(
    disk.run(() => parts.frame(next)),
    /ended at 100, inside a block/,
  );
});

test('uploads: a view taken while the last sync becomes durable keeps its replica', async () => {
  const parts = await TestParts.start(9);
  const { disk } = parts;
  const [store] = disk.replicas.stores;
  const bytes = new Uint8Array(128 * KiB).fill(9);
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes, sync: true }));
  const late = parts.frame({ handle: HANDLE, offset: 128 * KiB, bytes, sync: true });
  const before = store!.ledger.lastSequence;
  while (store!.ledger.lastSequence === before) await disk.run(() => disk.simulation.clock.sleep(0.01));
  ok(store!.ledger.durableSequence < store!.ledger.lastSequence);
  const replica = disk.replicas.find(HANDLE)!;
  equal(replica.log.committedLength, 256 * KiB);
  replica.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  await disk.run(() => new Promise<void>((durable, failed) => replica.journalPromise(durable, failed)));
  await disk.run(() => late);
  equal(disk.replicas.find(HANDLE), replica);
  deepEqual(disk.replicas.useOf(store!), { usedBytes: 256 * KiB, replicaCount: 1, inFileCount: 1 });
});

test('uploads: one that is cut while the journal takes nothing is not taken for damaged', async () => {
  const parts = await TestParts.start(10);
  const { disk } = parts;
  const [store] = disk.replicas.stores;
  const bytes = disk.simulation.random.bytes(1_000);
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes, sync: true }));
  const replica = disk.replicas.find(HANDLE)!;
  const append = store!.append.bind(store);
  store!.append = () => {
    throw new FsError('OVERLOADED', 'the journal prepares its next segment');
  };
  replica.log.cut(300);
  replica.applyCut(300);
  deepEqual(Buffer.from(await disk.content(replica)), Buffer.from(bytes.subarray(0, 300)));
  store!.append = append;
  await disk.run(() => disk.simulation.clock.sleep(100));
  deepEqual(Buffer.from(await disk.content(replica)), Buffer.from(bytes.subarray(0, 300)));
  await disk.crash('lose');
  deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes.subarray(0, 300)));
});

test('uploads: what a failed sync may have lost is not acknowledged by the next one', async () => {
  const parts = await TestParts.start(11);
  const { disk } = parts;
  const [store] = disk.replicas.stores;
  const bytes = disk.simulation.random.bytes(256 * KiB);
  const frame = (start: number, end: number, sync: boolean) => {
    return disk.run(() => parts.frame({ handle: HANDLE, offset: start, bytes: bytes.subarray(start, end), sync }));
  };
  await frame(0, 128 * KiB, true);
  const use = store!.files.use.bind(store!.files);
  // The system gives up the pages it could not write for want of space: a later sync finds nothing to do and succeeds.
  store!.files.use = (path, mode, work) =>
    use(path, mode, (file) => {
      const sync = () => Promise.reject(new DiskError('ENOSPC', path, 'no space left on device'));
      return work(new Proxy(file, { get: (_, name) => (name === 'sync' ? sync : Reflect.get(file, name).bind(file)) }));
    });
  await rejects(frame(128 * KiB, 192 * KiB, true), { kind: 'NO_SPACE' });
  store!.files.use = use;
  equal(store!.failure, undefined);
  // Again from what is durable; a frame behind the gap does not make it whole.
  deepEqual(await frame(192 * KiB, 256 * KiB, false), { receivedLength: 128 * KiB, durableLength: 128 * KiB });
  deepEqual(await frame(128 * KiB, 192 * KiB, true), { receivedLength: 256 * KiB, durableLength: 256 * KiB });
  await disk.crash('lose');
  deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
});

test('uploads: frames wait for a disk that does not answer up to a limit, the others are refused at once', async () => {
  const parts = await TestParts.start(40);
  const { disk } = parts;
  const bytes = new Uint8Array(64 * KiB);
  const [store] = disk.replicas.stores;
  disk.host.disk.hang(`${store!.directory}/chunks`);
  const failures: unknown[] = [];
  const frames = Array.from({ length: DISK_FRAMES_MAX + 10 }, (_, index) => {
    const frame = { handle: handleOf(index % 100), offset: 64 * KiB, bytes };
    return parts.frame(frame).catch((error: unknown) => failures.push(error));
  });
  await disk.run(() => disk.simulation.clock.sleep(100));
  equal(failures.length, 10);
  ok(failures.every((error) => isFsError(error, 'OVERLOADED')));
  await disk.run(() => Promise.all(frames));
  equal(failures.filter((error) => isFsError(error, 'DISK_FAILED')).length, DISK_FRAMES_MAX);
});

test('quarantine: so many replicas are on their way at a time, and an order repeated later is carried out', async () => {
  const parts = await TestParts.start(41);
  const { disk, quarantine } = parts;
  const handles = Array.from({ length: QUARANTINE_MOVES_MAX + 5 }, (_, index) => handleOf(index));
  const bytes = new Uint8Array(10);
  await disk.run(() => Promise.all(handles.map((handle) => parts.frame({ handle, offset: 0, bytes, sync: true }))));
  const order = () => {
    for (const handle of handles) quarantine.order({ handle, versionAtMost: 1, reason: 'deleted' });
  };
  order();
  await disk.run(() => quarantine.idle());
  equal(quarantine.counts.movedAside, QUARANTINE_MOVES_MAX);
  order();
  await disk.run(() => quarantine.idle());
  equal(quarantine.counts.movedAside, handles.length);
});

test('uploads: a frame for a server that had this address before is refused, and nothing is kept of it', async () => {
  const parts = await TestParts.start(1);
  const frame = { handle: HANDLE, offset: 0, bytes: new Uint8Array(10), sync: true, members: [2, 3, 4] };
  await rejects(
    parts.disk.run(() => parts.frame(frame)),
    { kind: 'STALE_VERSION' },
  );
  equal(parts.disk.replicas.find(HANDLE), undefined);
});

test('uploads: the file of one whose entries were found damaged at the start stays where it is', async () => {
  const parts = await TestParts.start(43);
  const { disk } = parts;
  const bytes = new Uint8Array(64 * KiB).fill(7);
  const frame = (offset: number) => disk.run(() => parts.frame({ handle: HANDLE, offset, bytes, sync: true }));
  await frame(0);
  await disk.fold();
  disk.host.disk.break({ prefix: 'disk/state', operation: 'write', code: 'ENOSPC' });
  equal((await frame(64 * KiB)).durableLength, 128 * KiB);
  disk.host.disk.repair();
  await disk.damage(checksumsKey(HANDLE));
  await disk.crash('keep');
  ok(disk.replicas.isUnreadable(HANDLE));
  const [store] = disk.replicas.stores;
  ok(disk.host.disk.files.has(store!.chunkPath(HANDLE)));
});

test('uploads: a frame for a chunk whose replica here is damaged is refused, and goes to another server', async () => {
  const parts = await TestParts.start(42);
  const { disk } = parts;
  const small = { handle: HANDLE, offset: 0, bytes: new Uint8Array(100).fill(1), sync: true };
  await disk.run(() => parts.frame(small));
  await disk.fold();
  await disk.damage(commitPointKey(HANDLE));
  await disk.crash('keep');
  ok(disk.replicas.find(HANDLE) === undefined && disk.replicas.isUnreadable(HANDLE));
  const again = TestParts.over(disk);
  await rejects(
    disk.run(() => again.frame(small)),
    { kind: 'DISK_FAILED' },
  );
});
