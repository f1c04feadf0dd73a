import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c, type Disk, DiskError, type FsError, isFsError, putU32LE } from '@cairnfs/base';
import { openLedger } from './ledger.ts';
import {
  encodeSegmentHeader,
  putRecordHeader,
  RECORD_HEADER_BYTES,
  recordAt,
  recordSpace,
  sealOf,
} from './record-format.ts';
import { CrashDisk, ManualClock, seededRandom, silentLog } from './testing/crash-disk.ts';
import type { Apply, JournalRoom, Ledger } from './types.ts';

const SIZING = { segmentBytes: 4096, roomAheadBytes: 1024 };
const format = { name: 'test', version: 1 };
const apply: Apply = (transaction, record, sequence) => {
  const name = Buffer.from(record).toString('latin1');
  if (name.startsWith('-')) transaction.remove(name.slice(1));
  else transaction.put(name, Buffer.from(String(sequence)));
};
const bytes = (text: string) => Buffer.from(text, 'latin1');

function openOn(
  disk: CrashDisk,
  clock = new ManualClock(),
  with_: { apply?: Apply; version?: number; seed?: number } = {},
): Promise<Ledger> {
  const random = seededRandom(with_.seed ?? 1);
  const seams = { clock, random, disk, log: silentLog, openStateStore: disk.openStateStore.bind(disk) };
  const options = {
    directory: '/l',
    apply: with_.apply ?? apply,
    format: { name: 'test', version: with_.version ?? 1 },
  };
  return openLedger(seams, options, SIZING);
}

const turns = async (count = 200) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};
const segmentPaths = (disk: CrashDisk) => [...disk.files.keys()].filter((path) => path.endsWith('.journal')).sort();

function flip(disk: CrashDisk, path: string, offset: number): void {
  disk.content(path)[offset]! ^= 1;
}

test('ledger: a record is seen at once, and named by the views that saw it until it is folded', async () => {
  const ledger = await openOn(new CrashDisk());
  assert.equal(ledger.append(bytes('a')), 1);
  const view = ledger.view();
  assert.equal(view.get('b'), undefined);
  assert.equal(view.readSequence, 0);
  assert.equal(Buffer.from(view.get('a')!).toString(), '1');
  assert.equal(view.readSequence, 1);
  ledger.append(bytes('-a'));
  assert.equal(view.get('a'), undefined);
  assert.equal(view.readSequence, 2);
  await ledger.whenDurable(2);
  await ledger.checkpoint();
  assert.equal(ledger.foldedSequence, 2);
  assert.equal(ledger.view().get('a'), undefined);
  await ledger.close();
});

test('ledger: callbacks run in the order of their records, and at once when already durable', async () => {
  const ledger = await openOn(new CrashDisk());
  const order: number[] = [];
  for (const name of ['a', 'b', 'c']) ledger.append(bytes(name));
  for (const sequence of [3, 1, 2]) ledger.onDurable(sequence, () => order.push(sequence), assert.ifError);
  await ledger.whenDurable(3);
  assert.deepEqual(order, [1, 2, 3]);
  ledger.onDurable(3, () => order.push(0), assert.ifError);
  assert.deepEqual(order, [1, 2, 3, 0]);
  await ledger.close();
});

test('ledger: parts become one record, data stays apart, and both come back after a restart', async () => {
  const disk = new CrashDisk();
  const seen: string[] = [];
  const noting: Apply = (_transaction, record, sequence, data) => {
    seen.push(`${sequence} ${Buffer.from(record).toString()} ${data === undefined ? '-' : data.length}`);
  };
  const ledger = await openOn(disk, new ManualClock(), { apply: noting });
  ledger.append([bytes('one '), bytes('two')]);
  ledger.append(bytes('with'), Buffer.alloc(1000, 7));
  await ledger.whenDurable(2);
  assert.equal(ledger.view().readSequence, 0);
  const before = seen.splice(0);
  await openOn(
    disk.crash(() => 0),
    new ManualClock(),
    { apply: noting },
  );
  assert.deepEqual(seen, before);
});

test('ledger: the keys of its own are neither seen nor written', async () => {
  const ledger = await openOn(new CrashDisk());
  ledger.append(bytes('a'));
  await ledger.whenDurable(1);
  await ledger.checkpoint();
  assert.deepEqual(
    ledger
      .view()
      .range('\0', '\xff\xff\xff\xff', 10)
      .map(({ key }) => key),
    ['a'],
  );
  assert.throws(() => ledger.view().get('\xff\xffapplied'), /not one of the state/);
});

test('ledger: damage before a record that proves it was durable is refused with file and offset', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  for (const name of ['a', 'b', 'c']) await ledger.whenDurable(ledger.append(bytes(name)));
  const after = disk.crash(() => 0);
  const path = segmentPaths(after)[0]!;
  flip(after, path, 64 + 48 + 40); // the payload of the second record
  await assert.rejects(
    openOn(after),
    (error) => isFsError(error, 'DAMAGED') && error.details.path === path && error.details.offset === 112,
  );
});

test('ledger: a broken last record that was folded is refused, one that was not is a torn tail', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  await ledger.whenDurable(ledger.append(bytes('a')));
  const unfolded = disk.crash(() => 0);
  flip(unfolded, segmentPaths(unfolded)[0]!, 64 + 40);
  const cut = await openOn(unfolded);
  assert.equal(cut.lastSequence, 0);
  await cut.whenDurable(cut.append(bytes('b')));
  await cut.whenDurable(cut.append(bytes('c')));
  await cut.checkpoint();
  const folded = unfolded.crash(() => 0);
  flip(folded, segmentPaths(folded)[0]!, 64 + 48 + 40);
  await assert.rejects(openOn(folded), (error) => isFsError(error, 'DAMAGED'));
});

test('ledger: a missing segment is refused', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  for (let index = 0; index < 200; index++) await ledger.whenDurable(ledger.append(bytes(`name ${index} of a file`)));
  const paths = segmentPaths(disk);
  assert.ok(paths.length > 2);
  for (const missing of [paths[0]!, paths[1]!]) {
    const after = disk.crash(() => 0);
    after.files.delete(missing);
    await assert.rejects(openOn(after), (error) => isFsError(error, 'DAMAGED'), missing);
  }
});

test('ledger: another purpose or format version is refused', async () => {
  const disk = new CrashDisk();
  await (await openOn(disk)).close();
  await assert.rejects(openOn(disk, new ManualClock(), { version: 2 }), (error) => isFsError(error, 'DAMAGED'));
});

test('ledger: segments go once the store has flushed them', async () => {
  const clock = new ManualClock();
  const disk = new CrashDisk();
  const ledger = await openOn(disk, clock);
  for (let index = 0; index < 200; index++) await ledger.whenDurable(ledger.append(bytes(`name ${index} of a file`)));
  const before = ledger.statistics().segmentCount;
  clock.advance(1000);
  await turns();
  assert.equal(ledger.foldedSequence, 200);
  assert.ok(ledger.statistics().segmentCount < before && ledger.statistics().segmentCount <= 2);
  await ledger.close();
  assert.equal((await openOn(disk)).lastSequence, 200);
});

test('ledger: a failed sync ends it; nothing more becomes durable', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  disk.fault = { operation: 'sync', path: /journal$/, code: 'EIO' };
  ledger.append(bytes('a'));
  assert.ok(isFsError(await ledger.failed, 'DISK_FAILED'));
  assert.equal(ledger.durableSequence, 0);
  assert.throws(
    () => ledger.append(bytes('b')),
    (error) => isFsError(error, 'DISK_FAILED'),
  );
  await ledger.close();
});

test('ledger: when it fails, whoever waits is told once, in the order of the records, and whoever asks later at once', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  ledger.append(bytes('a'));
  await ledger.whenDurable(1);
  disk.fault = { operation: 'sync', path: /journal$/, code: 'EIO' };
  for (const name of ['b', 'c', 'd']) ledger.append(bytes(name));
  const told: string[] = [];
  const wait = (sequence: number) => {
    const failed = ({ kind }: FsError) => told.push(`${sequence} ${kind}`);
    ledger.onDurable(sequence, () => told.push(`${sequence} durable`), failed);
  };
  for (const sequence of [4, 2, 3]) wait(sequence);
  let isResolved = false;
  void ledger.whenDurable(2).then(() => {
    isResolved = true;
  });
  await ledger.failed;
  assert.deepEqual(told, ['2 DISK_FAILED', '3 DISK_FAILED', '4 DISK_FAILED']);
  wait(2);
  wait(1);
  assert.deepEqual(told.slice(3), ['2 DISK_FAILED', '1 durable']);
  await turns();
  assert.equal(told.length, 5);
  assert.equal(isResolved, false); // a server that ends with its disk answers nothing
  await ledger.close();
});

test('ledger: a failure that its owner found counts, and what is written all the same is told to nobody', async () => {
  const ledger = await openOn(new CrashDisk());
  ledger.append(bytes('a'));
  const told: string[] = [];
  ledger.onDurable(
    1,
    () => told.push('durable'),
    ({ kind }) => told.push(kind),
  );
  ledger.fail(new DiskError('EIO', '/l/other', 'a read error'));
  assert.deepEqual(told, ['DISK_FAILED']);
  assert.ok(isFsError(await ledger.failed, 'DISK_FAILED'));
  await turns();
  assert.deepEqual(told, ['DISK_FAILED']);
  assert.equal(ledger.durableSequence, 0);
  assert.throws(
    () => ledger.append(bytes('b')),
    (error) => isFsError(error, 'DISK_FAILED'),
  );
  await ledger.close();
});

test('ledger: a full disk refuses records before they are applied, and takes them again when there is room', async () => {
  const clock = new ManualClock();
  const disk = new CrashDisk();
  const ledger = await openOn(disk, clock);
  disk.fault = { operation: 'write', path: /preparing$/, code: 'ENOSPC' };
  let refusal: unknown;
  for (let index = 0; index < 200 && refusal === undefined; index++) {
    try {
      await ledger.whenDurable(ledger.append(bytes(`name ${index} of a file`)));
    } catch (error) {
      refusal = error;
    }
  }
  assert.ok(isFsError(refusal, 'NO_SPACE'));
  const { lastSequence } = ledger;
  assert.equal(ledger.durableSequence, lastSequence);
  disk.fault = undefined;
  clock.advance(1000);
  assert.throws(() => ledger.append(bytes('x'.repeat(100))));
  await turns();
  assert.equal(ledger.append(bytes('x'.repeat(100))), lastSequence + 1);
  await ledger.close();
});

test('ledger: a server short of open files is told to ask again, and its ledger goes on', async () => {
  const clock = new ManualClock();
  const disk = new CrashDisk();
  const ledger = await openOn(disk, clock);
  const append = async () => {
    for (;;) await ledger.whenDurable(ledger.append(bytes('a record'), undefined, 'reserve'));
  };
  disk.fault = { operation: 'write', path: /preparing$/, code: 'EMFILE' };
  await assert.rejects(append(), (error) => isFsError(error, 'OVERLOADED'));
  // A segment is gone, and its folder could not be synced.
  disk.fault = { operation: 'sync', path: /journal$/, code: 'EMFILE' };
  const { segmentCount } = ledger.statistics();
  await ledger.checkpoint();
  disk.fault = undefined;
  await ledger.checkpoint();
  assert.ok(ledger.statistics().segmentCount < segmentCount);
  clock.advance(1000);
  await assert.rejects(append(), (error) => isFsError(error, 'OVERLOADED')); // the next segment is on its way
  await turns();
  ledger.append(bytes('a record'), undefined, 'reserve');
  await ledger.close();
});

const FULL = { operation: 'write', path: /preparing$/, code: 'ENOSPC' } as const;

/** The longest that `fill` appends. */
const FILL_RECORD = recordSpace('name 10 of a file'.length);

/** Appends until a record of the class is refused. @returns how many were taken. */
async function fill(ledger: Ledger, room: JournalRoom): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await ledger.whenDurable(ledger.append(bytes(`name ${count} of a file`), undefined, room));
    } catch (error) {
      assert.ok(isFsError(error, 'NO_SPACE'), String(error));
      return count;
    }
  }
}

test('ledger: on a full disk the reserve takes what frees space, when nothing else is taken any more', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  disk.fault = FULL;
  const common = await fill(ledger, 'common');
  assert.ok(common > 0);
  const frees = await fill(ledger, 'reserve');
  assert.ok(frees * FILL_RECORD > SIZING.segmentBytes - HEADER - FILL_RECORD, `${frees}`);
  assert.equal(await fill(ledger, 'common'), 0);
  assert.equal(ledger.durableSequence, common + frees);
  await ledger.close();
});

test('ledger: the reserve outlives any starts on the full disk, also when each takes a record of it', async () => {
  let disk = new CrashDisk();
  let ledger = await openOn(disk);
  disk.fault = FULL;
  let count = await fill(ledger, 'common');
  for (let start = 0; start < 10; start++) {
    disk = disk.crash(() => 0);
    disk.fault = FULL;
    ledger = await openOn(disk);
    assert.equal(ledger.lastSequence, count);
    assert.equal(await fill(ledger, 'common'), 0);
    await ledger.whenDurable(ledger.append(bytes(`start ${start}`), undefined, 'reserve'));
    count += 1;
  }
  const frees = await fill(ledger, 'reserve');
  assert.ok(frees * FILL_RECORD + 10 * SMALL_RECORD > SIZING.segmentBytes - HEADER - FILL_RECORD, `${frees}`);
  assert.equal(await fill(ledger, 'common'), 0);
});

test('ledger: power that fails while the last records are written takes no more of the reserve than their segment', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  disk.fault = FULL;
  const count = await fill(ledger, 'common');
  ledger.append(bytes('a record that is torn'), undefined, 'reserve');
  await turns(3);
  let turn = 0;
  const torn = disk.crash(() => (turn++ === 0 ? 0 : turn % 2)); // of its pieces every other one
  torn.fault = FULL;
  const again = await openOn(torn);
  assert.equal(again.lastSequence, count);
  assert.ok((await fill(again, 'reserve')) > 10);
});

test('ledger: with room again, the reserve is filled up before anything else is taken', async () => {
  const clock = new ManualClock();
  const disk = new CrashDisk();
  const ledger = await openOn(disk, clock);
  disk.fault = FULL;
  await fill(ledger, 'common');
  await fill(ledger, 'reserve');
  disk.fault = undefined;
  clock.advance(1000);
  assert.throws(
    () => ledger.append(bytes('a')),
    (error) => isFsError(error, 'NO_SPACE'), // tried again from now on
  );
  await turns();
  assert.throws(
    () => ledger.append(bytes('a')),
    (error) => isFsError(error, 'OVERLOADED'), // the one that is there is the reserve
  );
  await turns();
  ledger.append(bytes('a'));
  await ledger.close();
});

test('ledger: a disk too full to name or to remove a segment that was made refuses records, and takes them again later', async () => {
  for (const operation of ['rename', ['rename', 'remove'], 'sync'] as const) {
    const clock = new ManualClock();
    const disk = new CrashDisk();
    const ledger = await openOn(disk, clock);
    disk.fault = { operation, path: /preparing$|\/journal$/, code: 'ENOSPC' };
    const count = await fill(ledger, 'common');
    for (let attempt = 0; attempt < 3; attempt++) {
      clock.advance(1000);
      assert.equal(await fill(ledger, 'common'), 0);
      await turns();
    }
    disk.fault = undefined;
    clock.advance(1000);
    assert.equal(await fill(ledger, 'common'), 0); // tried again from now on
    await turns();
    await ledger.whenDurable(ledger.append(bytes('a')));
    await ledger.close();
    const again = await openOn(disk);
    assert.equal(again.lastSequence, count + 1);
    await again.close();
  }
});

test('ledger: a disk too full to let go of a segment keeps it, and it goes when there is room', async () => {
  for (const operation of ['remove', 'sync'] as const) {
    const clock = new ManualClock();
    const disk = new CrashDisk();
    const ledger = await openOn(disk, clock);
    for (let index = 0; index < 200; index++) await ledger.whenDurable(ledger.append(bytes(`name ${index} of a file`)));
    await turns();
    const before = ledger.statistics().segmentCount;
    disk.fault = { operation, path: operation === 'sync' ? /\/journal$/ : /\.journal$/, code: 'ENOSPC' };
    for (let second = 0; second < 3; second++) {
      clock.advance(1000);
      await turns();
      assert.equal(ledger.statistics().segmentCount, before);
    }
    disk.fault = undefined;
    clock.advance(1000);
    await turns();
    assert.ok(ledger.statistics().segmentCount <= 2);
    await ledger.whenDurable(ledger.append(bytes('a')));
    await ledger.close();
  }
});

test('ledger: a full disk that keeps a segment half made does not keep a start', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  disk.fault = { operation: ['rename', 'remove'], path: /preparing$/, code: 'ENOSPC' };
  const count = await fill(ledger, 'common');
  assert.ok(disk.files.has('/l/journal/preparing'));
  const after = disk.crash(() => 1);
  after.fault = disk.fault;
  assert.equal((await openOn(after)).lastSequence, count);
});

test('ledger: a start goes on where the journal ended, and writes no segment anew', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  await ledger.whenDurable(ledger.append(bytes('a')));
  const after = disk.crash(() => 0);
  const paths = segmentPaths(after);
  const again = await openOn(after);
  await again.whenDurable(again.append(bytes('b')));
  assert.deepEqual(segmentPaths(after), paths);
  const last = await openOn(after.crash(() => 0));
  assert.equal(last.lastSequence, 2);
  assert.ok(last.view().get('a') !== undefined && last.view().get('b') !== undefined);
});

test('ledger: a record longer than the room kept ahead waits for its segment, and is not told that the disk is full', async () => {
  const ledger = await openOn(new CrashDisk());
  const append = () => ledger.append(bytes('a'), Buffer.alloc(2 * SIZING.roomAheadBytes));
  await ledger.whenDurable(append());
  assert.throws(append, (error) => isFsError(error, 'OVERLOADED'));
  await turns();
  await ledger.whenDurable(append());
  await ledger.close();
});

test('ledger: a record too large is refused', async () => {
  const ledger = await openOn(new CrashDisk());
  assert.throws(
    () => ledger.append(Buffer.alloc(5000)),
    (error) => isFsError(error, 'TOO_LARGE'),
  );
});

/** Real files, as plainly as possible. */
const nodeDisk: Pick<Disk, 'open' | 'list' | 'makeDirectory' | 'rename' | 'remove' | 'syncDirectory' | 'stat'> = {
  open: async (path, mode) => {
    const flags = { read: 'r', readWrite: 'r+', create: 'wx+', openOrCreate: 'a+' }[mode];
    if (mode === 'openOrCreate') await (await open(path, flags)).close();
    const handle = await open(path, mode === 'openOrCreate' ? 'r+' : flags);
    return {
      read: async (position, target) => (await handle.read(target, 0, target.length, position)).bytesRead,
      write: async (position, buffers) => void (await handle.writev(buffers as Uint8Array[], position)),
      readBulk: async (position, target) => (await handle.read(target, 0, target.length, position)).bytesRead,
      writeBulk: async (position, bytes) => void (await handle.write(bytes, 0, bytes.length, position)),
      sync: () => handle.datasync(),
      truncate: (sizeBytes) => handle.truncate(sizeBytes),
      size: async () => (await handle.stat()).size,
      close: () => handle.close(),
    };
  },
  list: async (directory) => (await readdir(directory)).sort(),
  makeDirectory: async (path) => void (await mkdir(path, { recursive: true })),
  rename: (from, to) => rename(from, to),
  remove: (path) => unlink(path),
  syncDirectory: async (directory) => {
    const handle = await open(directory, 'r');
    await handle.sync();
    await handle.close();
  },
  stat: async (path) => {
    try {
      const found = await stat(path);
      return { sizeBytes: found.size, modifiedWallMs: found.mtimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new DiskError('EIO', path, String(error));
    }
  },
};

test('ledger: over real files, records of all sizes come back after a stop without close', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ledger-'));
  try {
    const memory = new CrashDisk();
    const disk = Object.assign(Object.create(memory) as CrashDisk, nodeDisk);
    const seams = () => ({
      clock: new ManualClock(),
      disk,
      log: silentLog,
      random: seededRandom(1),
      openStateStore: new CrashDisk().openStateStore.bind(new CrashDisk()),
    });
    const lengths: number[] = [];
    const options = {
      directory,
      apply: () => {},
      format,
      onReplay: (record: Uint8Array) => void lengths.push(record.length),
    };
    const ledger = await openLedger(seams(), options);
    const sizes = [1, 31, 4096, 4097, 65_536, 1_048_576, 7];
    for (const size of sizes) ledger.append(Buffer.alloc(size, size));
    await ledger.whenDurable(sizes.length);
    const again = await openLedger(seams(), options);
    assert.deepEqual(lengths, sizes);
    await again.close();
    await ledger.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});

/** A disk on which the last of three records was torn: the header is lost, the data behind it is not. */
async function tornBehind(data: (segment: Uint8Array) => Uint8Array): Promise<CrashDisk> {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  for (const name of ['a', 'b']) {
    ledger.append(bytes(name));
    await ledger.whenDurable(ledger.lastSequence);
  }
  const path = segmentPaths(disk)[0]!;
  ledger.append(bytes('12345678'), data(disk.content(path)));
  await ledger.whenDurable(3);
  const after = disk.crash(() => 0);
  const third = HEADER + 2 * SMALL_RECORD;
  after.content(path).fill(0, third, third + RECORD_HEADER_BYTES);
  return after;
}
const HEADER = 64;
const SMALL_RECORD = 48;

test('ledger: data that is a copy of the journal itself is never taken for a record, behind a torn one either', async () => {
  const after = await tornBehind((segment) => segment.slice(HEADER, HEADER + 2 * SMALL_RECORD));
  assert.equal((await openOn(after)).lastSequence, 2);
});

test('ledger: records crafted for the place, by someone who knows all but the random mark, are not taken', async () => {
  const foreign = new Uint8Array(HEADER);
  foreign.set(encodeSegmentHeader({ number: 1, createdWallMs: new ManualClock().wallMs(), nonce: new Uint8Array(16) }));
  const after = await tornBehind(() => {
    const position = HEADER + 2 * SMALL_RECORD + RECORD_HEADER_BYTES + 8;
    const record = new Uint8Array(SMALL_RECORD);
    const seal = sealOf(foreign);
    const facts = { recordBytes: 1, dataBytes: 0, sequence: 9, previousChecksum: 0, durable: 8 };
    putRecordHeader(record, 0, { ...facts, seal, position });
    putU32LE(record, 0, crc32c(record.subarray(4, RECORD_HEADER_BYTES + 1), seal.checksum));
    assert.ok(recordAt(Buffer.concat([new Uint8Array(position), record]), position, seal) !== undefined);
    return record;
  });
  assert.equal((await openOn(after)).lastSequence, 2);
});

test('ledger: bytes of an earlier segment of the same number and time do not continue the chain', async () => {
  const segments = await Promise.all(
    [2, 3].map(async (seed) => {
      const disk = new CrashDisk();
      const ledger = await openOn(disk, new ManualClock(), { seed });
      const names = seed === 2 ? ['a', 'b', 'c'] : ['a'];
      for (const name of names) {
        ledger.append(bytes(name));
        await ledger.whenDurable(ledger.lastSequence);
      }
      return disk.crash(() => 0);
    }),
  );
  const [old, recent] = segments as [CrashDisk, CrashDisk];
  const path = segmentPaths(recent)[0]!;
  const from = HEADER + SMALL_RECORD;
  recent.content(path).set(old.content(path).subarray(from), from);
  assert.equal((await openOn(recent)).lastSequence, 1);
});

test('ledger: no file of a journal that failed is closed under a write', async () => {
  const disk = new CrashDisk();
  const open = disk.open.bind(disk);
  let letGo = () => {};
  let isGated = false;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const closedUnderWrite: string[] = [];
  disk.open = async (path, mode) => {
    const file = await open(path, mode);
    const write = file.write.bind(file);
    const close = file.close.bind(file);
    let writing = 0;
    file.write = async (position, buffers) => {
      writing += 1;
      try {
        if (isGated && path.endsWith('.journal')) await gate;
        await write(position, buffers);
      } finally {
        writing -= 1;
      }
    };
    file.close = async () => {
      if (writing > 0) closedUnderWrite.push(path);
      await close();
    };
    return file;
  };
  const ledger = await openOn(disk);
  isGated = true;
  disk.fault = { operation: 'write', path: /preparing/, code: 'EIO' };
  ledger.append(bytes('a'), new Uint8Array(3_200));
  assert.match((await ledger.failed).message, /failed and takes no more records/);
  const closing = ledger.close();
  await turns();
  letGo();
  await closing;
  assert.deepEqual(closedUnderWrite, []);
});

test('ledger: a torn tail that was cut refuses no later start, when the records written in its place are in the state', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  for (const name of ['a', 'b']) ledger.append(bytes(name));
  await ledger.whenDurable(2);
  const torn = disk.crash(() => 0);
  torn.content(segmentPaths(torn)[0]!).fill(0, HEADER, HEADER + SMALL_RECORD); // the first of a batch of two
  const again = await openOn(torn);
  assert.equal(again.lastSequence, 0);
  for (const name of ['c', 'd', 'e']) again.append(bytes(name));
  await again.whenDurable(3);
  // Power fails when the state has them, before the directory is synced without the segment that was torn.
  torn.syncDirectory = () => new Promise<never>(() => {});
  void again.checkpoint();
  await turns();
  const after = torn.crash(() => 0);
  assert.equal(segmentPaths(after).length, 3); // the reserve is the last
  assert.equal((await openOn(after)).lastSequence, 3);
});

test('ledger: a broken last record of a segment is refused when the next segment goes on after it', async () => {
  const disk = new CrashDisk();
  const ledger = await openOn(disk);
  while (segmentPaths(disk).length < 4) await ledger.whenDurable(ledger.append(bytes('a file of this name')));
  const after = disk.crash(() => 0);
  const path = segmentPaths(after)[0]!;
  const segment = after.content(path);
  const seal = sealOf(segment);
  let last = HEADER;
  for (let at = HEADER; ; ) {
    const record = recordAt(segment, at, seal);
    if (record === undefined) break;
    last = at;
    at += recordSpace(record.recordBytes + record.dataBytes);
  }
  flip(after, path, last + RECORD_HEADER_BYTES);
  await assert.rejects(
    openOn(after),
    (error) => isFsError(error, 'DAMAGED') && error.details.path === path && error.details.offset === last,
  );
});
