/** The disk takes no more segments, or does not let go of any: the ledger refuses, and goes on by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { recordSpace } from './record-format.ts';
import { CrashDisk, ManualClock } from './testing/crash-disk.ts';
import { bytes, HEADER, openOn, SIZING, SMALL_RECORD, turns } from './testing/test-ledger.ts';
import type { JournalRoom, Ledger } from './types.ts';

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
