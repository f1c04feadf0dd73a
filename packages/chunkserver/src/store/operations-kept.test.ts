import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { OPERATION_MEMORY_MS, OPERATION_WINDOW } from '@cairnfs/protocol';
import { commitDurable, stage, TestDisk } from '../testing/test-disk.ts';
import { readOperations } from './stored-replica.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const CLIENT = 'c'.repeat(16);
const UNTIL_SETTLED_MS = 3_000;

const expired = (error: unknown) => isFsError(error, 'OUTCOME_EXPIRED');

/** Overwrites of one byte, numbered [from, to], each of which calls all before it settled. */
async function overwrite(disk: TestDisk, from: number, to: number): Promise<void> {
  const replica = disk.replicas.find(HANDLE)!;
  for (let number = from; number <= to; number += 1) {
    stage(replica, 0, new Uint8Array([number]), { client: CLIENT, number, settledBelow: number });
    if (number % 100 === 0 || number === to) {
      await disk.run(() => disk.simulation.clock.sleep(50));
      commitDurable(replica);
    }
  }
  await disk.run(() => disk.simulation.clock.sleep(UNTIL_SETTLED_MS));
}

const stored = (disk: TestDisk) => readOperations(disk.replicas.holderOf(HANDLE)!.ledger.view(), HANDLE);

test('operations: one that was settled, and whose entry is gone from the index, is refused after a restart', async () => {
  const disk = await TestDisk.start(1);
  await disk.create(HANDLE);
  await overwrite(disk, 1, OPERATION_WINDOW + 100);
  const inWindow = OPERATION_WINDOW / 2;
  equal(
    stored(disk).entries.some(({ number }) => number === inWindow),
    false,
  );
  for (const unsynced of ['lose', 'keep'] as const) {
    await disk.crash(unsynced);
    const { operations } = disk.replicas.find(HANDLE)!;
    throws(() => operations.lookup({ client: CLIENT, number: inWindow, settledBelow: 0 }), expired);
    equal(operations.lookup({ client: CLIENT, number: OPERATION_WINDOW + 101, settledBelow: 0 }), undefined);
  }
});

test('operations: of a client that is forgotten nothing stays in the index', async () => {
  const disk = await TestDisk.start(2);
  await disk.create(HANDLE);
  await overwrite(disk, 1, OPERATION_WINDOW + 100);
  equal(stored(disk).windows.length, 1);
  const replica = disk.replicas.find(HANDLE)!;
  const later = Number.MAX_SAFE_INTEGER;
  equal(replica.operations.hasRoom('another', later), true); // forgets by time
  const other = 'd'.repeat(16);
  for (let number = 1; number <= OPERATION_WINDOW + 100; number += 1) {
    stage(replica, 0, new Uint8Array([number]), { client: other, number, settledBelow: number });
    if (number % 100 === 0) await disk.run(() => disk.simulation.clock.sleep(50));
  }
  await disk.run(() => disk.simulation.clock.sleep(50));
  commitDurable(replica);
  await disk.run(() => disk.simulation.clock.sleep(UNTIL_SETTLED_MS));
  const { entries, windows } = stored(disk);
  equal(
    entries.some(({ client }) => client === CLIENT),
    false,
  );
  equal(windows.map(({ client }) => client).join(), other);
});

test('operations: what a client may ask again for is known after a restart, whatever became of the calendar', async () => {
  const hour = 3_600_000;
  for (const jumpMs of [20 * hour, -20 * hour]) {
    const disk = await TestDisk.start(3);
    await disk.create(HANDLE);
    await overwrite(disk, 1, 1);
    const mutation = { client: CLIENT, number: 1, settledBelow: 0 };
    const isKnown = () => {
      const { operations } = disk.replicas.find(HANDLE)!;
      equal(operations.hasRoom('another', disk.simulation.nowMs), true); // forgets by time
      return operations.lookup(mutation) !== undefined;
    };
    disk.host.adjustClock({ wallOffsetMs: jumpMs });
    equal(isKnown(), true);
    await disk.crash('lose');
    equal(isKnown(), true, `the calendar was set by ${jumpMs} ms`);
    await disk.run(() => disk.simulation.clock.sleep(OPERATION_MEMORY_MS + 1000));
    equal(isKnown(), false);
  }
});
