import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, DiskError, FsError, ProcessCalendar } from '@cairnfs/base';
import { BufferPool, CHUNK_BYTES_MAX, ReplicaCondition, type ReplicaReport } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { STOCK_PAGE_REPLICAS } from '../limits.ts';
import { commitDurable, stage, TestDisk } from '../testing/test-disk.ts';
import type { DiskStore } from './disk-store.ts';
import { atOfQuarantineKey, commitPointKey } from './keys.ts';
import { openDisks } from './open-disks.ts';
import { Replicas } from './replicas.ts';
import { takeStock } from './take-stock.ts';

const handleOf = (index: number) => `0a1b2c3d-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
const stayed = () => {};
const MANY = 2 * STOCK_PAGE_REPLICAS + 10;

function upload(store: DiskStore, index: number, length: number, version = 1): number {
  const bytes = new Uint8Array(length).fill(index);
  const value = { version, members: [1], uploadId: 'upload', length, firstBlock: 0, isInFile: false };
  const record = { ...value, blockChecksums: [crc32c(bytes)] };
  return store.append(handleOf(index), { $case: 'uploadStored', value: record }, bytes);
}

test('stock: small chunks are counted page by page, without a look-up for each', async () => {
  const disk = await TestDisk.start(1);
  const store = disk.replicas.placeFor(0);
  let last = 0;
  for (let index = 0; index < MANY; index += 1) last = upload(store, index, 10);
  await disk.run(() => store.durable(last));
  await disk.fold();
  await disk.crash('lose');
  const [counted] = disk.replicas.stores;
  deepEqual(disk.replicas.useOf(counted!), { usedBytes: 10 * MANY, replicaCount: MANY, inFileCount: 0 });

  const asked = { gets: 0, ranges: 0, entriesMax: 0 };
  const { ledger, directory } = counted!;
  const view = () => {
    const real = ledger.view();
    return {
      readSequence: 0,
      get: (key: string) => {
        asked.gets += 1;
        return real.get(key);
      },
      range: (start: string, end: string, limit: number) => {
        const entries = real.range(start, end, limit);
        asked.ranges += 1;
        asked.entriesMax = Math.max(asked.entriesMax, entries.length);
        return entries;
      },
    };
  };
  const counting = { directory, failure: undefined, ledger: { view }, chunkFiles: () => counted!.chunkFiles() };
  const { clock, log } = disk.seams;
  let count = 0;
  const found = () => {
    count += 1;
  };
  const stores = [counting as unknown as DiskStore];
  await disk.run(() => takeStock({ clock, calendar: new ProcessCalendar(clock), log, stores, found, stayed }));
  equal(count, MANY);
  deepEqual(asked, { gets: 0, ranges: 6, entriesMax: STOCK_PAGE_REPLICAS });
});

test('stock: committed bytes that were not in place are put there; what is damaged is told and not counted', async () => {
  const disk = await TestDisk.start(2);
  for (const index of [1, 2]) {
    const replica = await disk.create(handleOf(index));
    stage(replica, 0, new Uint8Array(100).fill(index));
    await disk.run(() => disk.simulation.clock.sleep(100));
    commitDurable(replica);
    const { committedSequence } = replica.log;
    await disk.run(
      () => new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed)),
    );
  }
  await disk.fold();
  await disk.damage(commitPointKey(handleOf(2)));
  disk.reports = [];
  await disk.crash('keep');
  deepEqual(disk.replicas.useOf(disk.replicas.stores[0]!), { usedBytes: 100, replicaCount: 1, inFileCount: 0 });
  deepEqual(
    disk.reports.map(({ handle, condition }) => [handle, condition]),
    [[handleOf(2), ReplicaCondition.REPLICA_CONDITION_CORRUPT]],
  );
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  equal(disk.replicas.find(handleOf(1))!.settledSequence, 1);
});

test('stock: a chunk file that is made of what was not in place is not taken for one without a record', async () => {
  const disk = await TestDisk.start(3);
  const handle = handleOf(0xc8);
  const replica = await disk.create(handle);
  const bytes = new Uint8Array(100_000).fill(7); // more than the index takes
  stage(replica, 0, bytes);
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(replica);
  const { committedSequence } = replica.log;
  await disk.run(
    () => new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed)),
  );
  // Its folder is listed more than 500 ms after the replica was found, when its bytes would be on their way to the file.
  disk.host.disk.timing.slowness = 50;
  await disk.crash('keep');
  await disk.run(() => disk.simulation.clock.sleep(10_000));
  const again = disk.replicas.find(handle)!;
  deepEqual([again.settledSequence, again.isInFile, again.corruptBlocks.size], [1, true, 0]);
  equal(Buffer.compare(await disk.content(again), bytes), 0);
});

/**
 * A chunk has a replica of version 1 on each of two disks, 'a' and 'b'.
 *
 * @returns the one that is kept at the next start.
 */
async function keptOf(terms: readonly [number, number], more: (a: DiskStore, b: DiskStore) => Promise<void>) {
  const simulation = new Simulation({ seed: 4 });
  const start = () => simulation.host('one').start();
  const first = start();
  await simulation.run(async () => {
    const { stores } = await openDisks(first, ['a', 'b']);
    for (const [index, store] of stores.entries()) {
      store.append(handleOf(1), { $case: 'created', value: { members: [1] } });
      const view = new Uint8Array(0);
      const taken = {
        version: 1,
        term: terms[index]!,
        view,
        committedSequence: 0,
        isSealed: false,
        keepsStaged: false,
      };
      await store.durable(store.append(handleOf(1), { $case: 'viewTaken', value: taken }));
    }
    await more(stores[0]!, stores[1]!);
  });
  simulation.host('one').crash({ unsynced: 'lose' });
  const { clock, log, ...seams } = start();
  const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, ['a', 'b']));
  const found: string[] = [];
  await simulation.run(() =>
    takeStock({
      clock,
      calendar: new ProcessCalendar(clock),
      log,
      stores,
      found: ({ directory }) => found.push(directory),
      stayed,
    }),
  );
  return found;
}

test('stock: of two replicas at one version the one of the later term stays, whatever they have staged', async () => {
  deepEqual(await keptOf([1, 2], async (a) => stageAppend(a)), ['b']);
});

test('stock: of two replicas of one term the one that has something staged stays', async () => {
  deepEqual(await keptOf([1, 1], async (_, b) => stageAppend(b)), ['b']);
});

async function stageAppend(store: DiskStore): Promise<void> {
  const bytes = new Uint8Array(7).fill(1);
  const where = { sequence: 1, offset: 0, isAppend: true, lengthBefore: 0, lengthAfter: bytes.length };
  const operation = { client: new Uint8Array(0), number: 0, settledBelow: 0, atMs: 0 };
  const mutation = { ...where, ...operation, checksum: crc32c(bytes) };
  await store.durable(store.append(handleOf(1), { $case: 'staged', value: { mutation, committedSequence: 0 } }, bytes));
}

test('stock: a chunk on two disks stays where more of it is known, whatever lies between', async () => {
  const simulation = new Simulation({ seed: 3 });
  const start = () => simulation.host('one').start();
  const open = async (seams: ReturnType<typeof start>) => (await openDisks(seams, ['a', 'b', 'c'])).stores;
  const first = start();
  const [a, b, c] = await simulation.run(() => open(first));
  const last = new Map<DiskStore, number>();
  const put = (store: DiskStore, index: number, version: number) => {
    last.set(store, upload(store, index, 10, version));
  };
  for (let index = 0; index < MANY; index += 1) put(index % 3 === 0 ? a! : b!, index, 1);
  put(c!, 1_500, 2); // 1,500 is on a at version 1
  put(c!, 7, 1); // and on b at the same version
  await simulation.run(async () => {
    for (const [store, sequence] of last) await store.durable(sequence);
  });
  simulation.host('one').crash({ unsynced: 'lose' });
  const seams = start();
  const stores = await simulation.run(() => open(seams));
  const { clock, log } = seams;
  const sinks = { report: (_report: ReplicaReport) => {}, diskFailed: () => {} };
  const limits = { cachedMax: 16, reserveBytes: 0, capacityBytes: undefined, chunkBytes: () => CHUNK_BYTES_MAX };
  const replicas = new Replicas({ clock, log, pool: new BufferPool(), stores, ...limits, ...sinks });
  await simulation.run(() => replicas.takeStock());
  equal(replicas.holderOf(handleOf(1_500))?.directory, 'c');
  equal(replicas.holderOf(handleOf(7))?.directory, 'b');
  const counts = stores.map((store) => replicas.useOf(store).replicaCount);
  equal(
    counts.reduce((sum, count) => sum + count, 0),
    MANY,
  );
  equal(counts[2], 1);
});

test('stock: of two copies at one version that stays which has promised a later one, or holds more', async () => {
  const simulation = new Simulation({ seed: 5 });
  const start = () => simulation.host('one').start();
  const open = async (seams: ReturnType<typeof start>) => (await openDisks(seams, ['a', 'b'])).stores;
  const first = start();
  const [a, b] = await simulation.run(() => open(first));
  upload(a!, 1, 10);
  upload(b!, 1, 10);
  // Made while the other disk was away, and a member of the view that followed.
  b!.append(handleOf(1), { $case: 'promised', value: { promisedVersion: 2, isRemoved: false } });
  const sequence = upload(a!, 2, 10);
  const last = upload(b!, 2, 20);
  await simulation.run(() => Promise.all([a!.durable(sequence), b!.durable(last)]));
  simulation.host('one').crash({ unsynced: 'lose' });
  const seams = start();
  const stores = await simulation.run(() => open(seams));
  const found: string[] = [];
  const note = (store: DiskStore, { handle }: { handle: string }) => found.push(`${handle} on ${store.directory}`);
  const { clock, log } = seams;
  const calendar = new ProcessCalendar(clock);
  await simulation.run(() => takeStock({ clock, calendar, log, stores, found: note, stayed }));
  deepEqual(found, [`${handleOf(1)} on b`, `${handleOf(2)} on b`]);
});

test('stock: on a full disk what is not to stay keeps its file for now, and is a replica no more', async () => {
  const simulation = new Simulation({ seed: 6 });
  const { clock, log, ...seams } = simulation.host('one').start();
  const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, ['a', 'b']));
  const [a, b] = stores as [DiskStore, DiskStore];
  const copy = `${handleOf(2)}.copy`;
  const last = [upload(a, 1, 10), upload(b, 1, 20)];
  await simulation.run(async () => {
    await Promise.all([a.durable(last[0]!), b.durable(last[1]!)]);
    for (const name of [handleOf(1), copy]) await (await seams.disk.open(a.chunkPath(name), 'openOrCreate')).close();
  });
  for (const name of [handleOf(1), copy]) {
    simulation.host('one').disk.break({ prefix: a.chunkPath(name), operation: 'metadata', code: 'ENOSPC' });
  }
  const [found, left]: [string[], string[]] = [[], []];
  const noteFound = ({ directory }: DiskStore) => found.push(directory);
  const noteLeft = ({ directory }: DiskStore, name: string) => left.push(`${name} on ${directory}`);
  await simulation.run(() =>
    takeStock({ clock, calendar: new ProcessCalendar(clock), log, stores, found: noteFound, stayed: noteLeft }),
  );
  deepEqual([found, left], [['b'], [`${handleOf(1)} on a`, `${copy} on a`]]);
  deepEqual([a.names(handleOf(1)), a.failure], [false, undefined]);
});

for (const [name, refusal, timesMax, lost] of [
  ['that is behind for a moment is waited for', 'OVERLOADED', 3, []],
  ['that stays behind leaves its disk out', 'OVERLOADED', Number.POSITIVE_INFINITY, ['a']],
  ['that has no room leaves its disk out', 'NO_SPACE', Number.POSITIVE_INFINITY, ['a']],
] as const) {
  test(`stock: a journal ${name}`, async () => {
    const simulation = new Simulation({ seed: 7 });
    const { clock, log, ...seams } = simulation.host('one').start();
    const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, ['a', 'b']));
    const [a, b] = stores as [DiskStore, DiskStore];
    const last = [upload(a, 1, 10), upload(b, 1, 20)];
    await simulation.run(() => Promise.all([a.durable(last[0]!), b.durable(last[1]!)]));
    const append = a.ledger.append.bind(a.ledger);
    let times = 0;
    a.ledger.append = (...record) => {
      times += 1;
      if (times <= timesMax) throw new FsError(refusal, 'the journal takes nothing now');
      return append(...record);
    };
    const found: string[] = [];
    const noteFound = ({ directory }: DiskStore) => found.push(directory);
    const calendar = new ProcessCalendar(clock);
    await simulation.run(() => takeStock({ clock, calendar, log, stores, found: noteFound, stayed }));
    deepEqual(found, ['b']);
    const failed = stores.filter(({ failure }) => failure !== undefined);
    deepEqual(
      failed.map(({ directory }) => directory),
      lost,
    );
  });
}

/** Of three chunks on both disks, of which 'a' has the longer copies, and one on each alone: those found when 'a' breaks. */
async function foundAsBreaks(breaks: (a: DiskStore, error: DiskError) => (store: DiskStore, handle: string) => void) {
  const simulation = new Simulation({ seed: 9 });
  const { clock, log, ...seams } = simulation.host('one').start();
  const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, ['a', 'b']));
  const [a, b] = stores as [DiskStore, DiskStore];
  for (const index of [1, 2, 3, 4]) upload(a, index, 20);
  for (const index of [1, 2, 3, 5]) upload(b, index, 10);
  await simulation.run(() => Promise.all(stores.map((store) => store.durable(upload(store, 6, 10)))));
  const counting = breaks(a, new DiskError('EIO', 'a/index', 'EIO: i/o error, read'));
  const list: string[] = [];
  const found = (store: DiskStore, { handle }: { handle: string }) => {
    counting(store, handle);
    list.push(`${Number.parseInt(handle.slice(-2), 16)} on ${store.directory}`);
  };
  await simulation.run(() => takeStock({ clock, calendar: new ProcessCalendar(clock), log, stores, found, stayed }));
  equal(a.failure?.kind, 'DISK_FAILED');
  return { list, named: [1, 2, 3].map((index) => b.names(handleOf(index))) };
}

const ALL_ON_B = { list: [1, 2, 3, 5, 6].map((index) => `${index} on b`), named: [true, true, true] };

for (const [name, failsAt, expected] of [
  ['that others have too', 1, ALL_ON_B],
  ['that it has alone', 4, { list: ['1 on a', '2 on a', '3 on a', '5 on b', '6 on b'], named: [false, false, false] }],
] as const) {
  test(`stock: of a disk that fails as a replica ${name} is counted nothing is found any more, and the others go on`, async () => {
    const outcome = await foundAsBreaks((a, error) => (store, handle) => {
      if (store === a && handle === handleOf(failsAt)) throw error;
    });
    deepEqual(outcome, expected);
  });
}

test('stock: of a disk that fails as what it has staged is read nothing is found, and the copies on others stay', async () => {
  const outcome = await foundAsBreaks((a, error) => {
    const { ledger } = a;
    const view = ledger.view.bind(ledger);
    ledger.view = () => {
      const real = view();
      const range: typeof real.range = (start, end, limit) => {
        if (start.startsWith('s')) throw error; // mutations
        return real.range(start, end, limit);
      };
      return { readSequence: real.readSequence, get: real.get.bind(real), range };
    };
    return () => {};
  });
  deepEqual(outcome, ALL_ON_B);
});

test('stock: what is moved aside has its time from a calendar that was behind at the start and is right now', async () => {
  const simulation = new Simulation({ seed: 10 });
  const host = simulation.host('one');
  host.adjustClock({ wallOffsetMs: -1e9 });
  const { clock, log, ...seams } = host.start();
  const calendar = new ProcessCalendar(clock);
  const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, ['a', 'b']));
  const [a, b] = stores as [DiskStore, DiskStore];
  await simulation.run(async () => {
    await Promise.all([a.durable(upload(a, 1, 10)), b.durable(upload(b, 1, 20))]);
    await (await seams.disk.open(a.chunkPath(handleOf(2)), 'openOrCreate')).close();
  });
  host.adjustClock({ wallOffsetMs: 0 });
  const atLeastMs = clock.wallMs();
  await simulation.run(() => takeStock({ clock, calendar, log, stores, found: () => {}, stayed }));
  const [entry] = a.ledger.view().range('q', 'r', 1);
  ok(atOfQuarantineKey(entry!.key) >= atLeastMs);
  const file = [...host.disk.files.keys()].find((path) => path.startsWith('a/quarantine/'));
  ok(Number.parseInt(file!.slice('a/quarantine/'.length), 10) >= atLeastMs);
});

test('stock: a disk whose folders cannot be listed for want of open files is left out, but for the last one', async () => {
  for (const directories of [['a', 'b'], ['a']]) {
    const simulation = new Simulation({ seed: 8 });
    const host = simulation.host('one');
    const { clock, log, ...seams } = host.start();
    const { stores } = await simulation.run(() => openDisks({ clock, log, ...seams }, directories));
    host.disk.break({ prefix: 'a/chunks/07', operation: 'metadata', code: 'EMFILE' });
    const options = { clock, calendar: new ProcessCalendar(clock), log, stores, found: () => {}, stayed };
    const taken = simulation.run(() => takeStock(options));
    if (directories.length === 1) await rejects(taken, { kind: 'OVERLOADED' });
    else await taken;
    equal(stores[0]!.failure?.kind, directories.length === 1 ? undefined : 'DISK_FAILED');
  }
});

test('inventory: what the index says of a replica is what its object says', async () => {
  const disk = await TestDisk.start(4);
  const store = disk.replicas.placeFor(0);
  upload(store, 1, 10);
  upload(store, 2, 10, 3);
  upload(store, 3, 10);
  store.append(handleOf(3), { $case: 'promised', value: { promisedVersion: 2, isRemoved: true } });
  upload(store, 4, 10);
  store.append(handleOf(4), { $case: 'corruptFound', value: { block: 0 } });
  const mutated = await disk.create(handleOf(5));
  stage(mutated, 0, new Uint8Array(100));
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(mutated);
  await disk.crash('keep');
  const page = disk.replicas.page(disk.replicas.stores[0]!, '', 10);
  equal(page.length, 5);
  ok(new Set(page.map(({ condition }) => condition)).size >= 3);
  const objects = page.map(({ handle }) => disk.replicas.describe(disk.replicas.find(handle)!));
  deepEqual(page, objects);
});
