import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { commitDurable, stage, TestDisk, viewOf } from '../testing/test-disk.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const KiB = 1024;

/** The chunk after each mutation, by sequence number. */
class Model {
  readonly contents: Uint8Array[] = [new Uint8Array(0)];

  add(sequence: number, offset: number, bytes: Uint8Array): void {
    const before = this.contents[sequence - 1]!;
    const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
    after.set(before);
    after.set(bytes, offset);
    this.contents.length = sequence;
    this.contents.push(after);
  }
}

/** Random mutations, commits, views, pauses and power failures; what was durably committed is always there. */
async function story(seed: number, bytesMax: number): Promise<void> {
  const disk = await TestDisk.start(seed);
  const { random } = disk.simulation;
  const model = new Model();
  let replica = await disk.create(HANDLE);
  let safeSequence = 0;
  let version = 1;
  for (let step = 0; step < 50; step += 1) {
    const choice = random.between(0, 9);
    if (choice <= 4) {
      const { stagedLength } = replica.log;
      const offset = random.between(0, Math.min(stagedLength + 100, 3_000_000));
      const bytes = random.bytes(random.between(1, bytesMax));
      const { sequence } = stage(replica, offset, bytes);
      model.add(sequence, offset, bytes);
    } else if (choice === 5) {
      await disk.run(() => disk.simulation.clock.sleep(random.between(0, 10)));
    } else if (choice === 6) {
      commitDurable(replica);
      const { committedSequence } = replica.log;
      await disk.run(
        () => new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed)),
      );
      safeSequence = committedSequence;
    } else if (choice === 7) {
      await disk.run(() => disk.simulation.clock.sleep(random.between(0, 1_500)));
    } else if (choice === 8) {
      commitDurable(replica);
      version += 1;
      const base = replica.log.committedSequence;
      await disk.install(replica, viewOf(HANDLE, version, base), 1);
      safeSequence = base;
    } else {
      const { durableSequence } = replica.log;
      await disk.crash('random');
      replica = disk.replicas.find(HANDLE)!;
      ok(replica.log.durableSequence >= durableSequence, `seed ${seed}: a durable mutation was lost`);
      ok(replica.log.committedSequence >= safeSequence, `seed ${seed}: a durable commit point was lost`);
    }
    deepEqual(
      Buffer.from(await disk.content(replica)),
      Buffer.from(model.contents[replica.log.committedSequence]!),
      `seed ${seed}, step ${step}`,
    );
  }
  equal(replica.corruptBlocks.size, 0);
}

test('replica: mutations survive power failures at any point, in the index and in a chunk file', async () => {
  for (let seed = 1; seed <= 6; seed += 1) await story(seed, 2 * KiB);
  for (let seed = 101; seed <= 105; seed += 1) await story(seed, 90 * KiB);
});

test('replica: what was put in place left the journal, and reads the same after a restart', async () => {
  const disk = await TestDisk.start(3);
  const replica = await disk.create(HANDLE);
  const bytes = disk.simulation.random.bytes(200 * KiB);
  stage(replica, 0, bytes.subarray(0, 100 * KiB));
  stage(replica, 100 * KiB, bytes.subarray(100 * KiB));
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(replica);
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  equal(replica.unsettled.length, 0);
  equal(replica.isInFile, true);
  await disk.crash('lose');
  const again = disk.replicas.find(HANDLE)!;
  equal(again.unsettled.length, 0);
  deepEqual(Buffer.from(await disk.content(again)), Buffer.from(bytes));
});

test('replica: a flipped bit in the chunk file is found by the next read', async () => {
  const disk = await TestDisk.start(4);
  const replica = await disk.create(HANDLE);
  stage(replica, 0, disk.simulation.random.bytes(200 * KiB));
  await disk.run(() => disk.simulation.clock.sleep(100));
  commitDurable(replica);
  await disk.run(() => disk.simulation.clock.sleep(3_000));
  disk.host.disk.flipBit(`disk/chunks/${HANDLE.slice(-2)}/${HANDLE}`, 70 * KiB * 8);
  await disk.content(replica).then(
    () => ok(false, 'the damaged block was served'),
    (error) => equal(error.block, 1),
  );
});
