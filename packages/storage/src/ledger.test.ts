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
import { bytes, format, HEADER, openOn, SIZING, SMALL_RECORD, segmentPaths, turns } from './testing/test-ledger.ts';
import type { Apply } from './types.ts';

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
