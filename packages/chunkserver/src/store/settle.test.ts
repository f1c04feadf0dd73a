import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { SETTLED_AT_ONCE_BYTES } from '../limits.ts';
import { commitDurable, stage, TestDisk, viewOf } from '../testing/test-disk.ts';
import type { Replica } from './replica.ts';
import { readBlocks } from './replica-bytes.ts';
import { Replicas } from './replicas.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const OTHER = '0a1b2c3d-0000-4000-8000-000000000002';
const KiB = 1024;
const MAX = 512 * KiB;
const PIECE = 64 * KiB;

/** A replica in a chunk file, of a server that lets `MAX` bytes wait, and a disk that does not put them in place yet. */
async function beginBlocked(seed: number, unsettledBytesMax = MAX) {
  const disk = await TestDisk.start(seed);
  const { clock, log } = disk.seams;
  const { stores } = disk.replicas;
  disk.replicas = new Replicas({
    ...{ clock, log, pool: disk.pool, stores, cachedMax: 16, chunkBytes: () => CHUNK_BYTES_MAX, reserveBytes: 0 },
    ...{ capacityBytes: undefined, report: () => {}, diskFailed: () => {}, unsettledBytesMax },
  });
  const replica = await disk.create(HANDLE);
  await fill(disk, replica, 0, 2);
  await disk.run(() => clock.sleep(5_000));
  ok(replica.isInFile && replica.unsettled.length === 0);
  const { files } = stores[0]!;
  const use = files.use.bind(files);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  files.use = async (path, mode, work) => {
    await released;
    return use(path, mode, work);
  };
  return { disk, replica, release };
}

async function fill(disk: TestDisk, replica: Replica, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    const mutation = stage(replica, index * PIECE, new Uint8Array(PIECE).fill(index + 1));
    while (!mutation.isDurable) await disk.run(() => disk.simulation.clock.sleep(1));
    commitDurable(replica);
  }
}

const isOverloaded = { kind: 'OVERLOADED' };

test('settling: mutations are refused while too much waits for its place, and taken again afterwards', async () => {
  const { disk, replica, release } = await beginBlocked(1);
  const other = await disk.create(OTHER);
  await fill(disk, replica, 2, 8);
  throws(() => stage(replica, 0, new Uint8Array(PIECE)), isOverloaded);
  throws(() => stage(other, 0, new Uint8Array(1)), isOverloaded);
  release();
  await disk.run(() => disk.simulation.clock.sleep(5_000));
  equal(replica.unsettled.length, 0);
  await fill(disk, other, 0, 1);
  const content = await disk.content(replica);
  deepEqual(
    Array.from({ length: 10 }, (_, index) => content[index * PIECE]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

test('settling: what nobody will put in place, because its replica is gone or corrupt, holds up no others', async () => {
  for (const end of ['gone', 'corrupt']) {
    const { disk, replica } = await beginBlocked(2);
    await fill(disk, replica, 2, 8);
    if (end === 'gone') disk.replicas.forget(replica);
    else disk.replicas.corrupt(replica, 0);
    const other = await disk.create(OTHER);
    await disk.install(other, viewOf(OTHER, 2, 0), 1);
    await disk.run(() => disk.simulation.clock.sleep(5_000));
    await fill(disk, other, 0, 1);
  }
});

test('settling: more than is put in place at a time reads whole meanwhile, and after a power failure in between', async () => {
  for (let pauseMs = 0; pauseMs < 60; pauseMs += 5) {
    const { disk, replica, release } = await beginBlocked(3, 10 * SETTLED_AT_ONCE_BYTES);
    const { random, clock } = disk.simulation;
    const expected = new Uint8Array(4 * 1024 * KiB);
    expected.set([...new Uint8Array(PIECE).fill(1), ...new Uint8Array(PIECE).fill(2)]);
    let end = 2 * PIECE;
    for (let bytes = 0; bytes < 2.5 * SETTLED_AT_ONCE_BYTES; bytes += 700 * KiB) {
      const offset = random.between(0, 3 * 1024 * KiB);
      const written = random.bytes(700 * KiB);
      expected.set(written, offset);
      end = Math.max(end, offset + written.length);
      const mutation = stage(replica, offset, written);
      while (!mutation.isDurable) await disk.run(() => clock.sleep(1));
      commitDurable(replica);
    }
    const { committedSequence } = replica.log;
    await disk.run(
      () => new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed)),
    );
    release();
    await disk.run(() => clock.sleep(500 + pauseMs));
    equal(Buffer.compare(await disk.content(replica), expected.subarray(0, end)), 0);
    await disk.crash('random');
    equal(Buffer.compare(await disk.content(disk.replicas.find(HANDLE)!), expected.subarray(0, end)), 0);
  }
});

test('settling: what is put in place while a slow disk is read is no damage, and the read has it', async () => {
  const disk = await TestDisk.start(5);
  const replica = await disk.create(HANDLE);
  const write = async (byte: number) => {
    const mutation = stage(replica, 0, new Uint8Array(10 * KiB).fill(byte));
    while (!mutation.isDurable) await disk.run(() => disk.simulation.clock.sleep(1));
    commitDurable(replica);
    await disk.run(() => disk.simulation.clock.sleep(5_000));
    ok(!replica.isInFile && replica.unsettled.length === 0);
    await disk.fold();
  };
  await write(1);
  const { timing } = disk.host.disk;
  timing.slowness = 1e6;
  const reading = readBlocks(replica, { offset: 0, end: 10 * KiB }, disk.pool);
  timing.slowness = 1;
  const begunMs = disk.simulation.nowMs;
  await write(2);
  const { memory } = await disk.run(() => reading);
  ok(disk.simulation.nowMs - begunMs > 15_000, 'the read was under way meanwhile');
  deepEqual(new Set(memory.bytes.subarray(0, 10 * KiB)), new Set([2]));
  equal(replica.corruptBlocks.size, 0);
});

test('settling: what waits when the server ends is there after the next start, and nothing goes on', async () => {
  const { disk, replica } = await beginBlocked(4);
  const [store] = disk.replicas.stores;
  store!.files.use = () => Promise.reject(new Error('a file was used after the end'));
  await fill(disk, replica, 2, 4);
  // A record that the journal refuses for the moment is given up with it.
  const append = store!.append.bind(store);
  store!.append = () => {
    throw new FsError('OVERLOADED', 'the journal prepares its next segment');
  };
  const { committedSequence } = replica.log;
  const journalled = new Promise<void>((durable, failed) =>
    replica.journalCommitted(committedSequence, durable, failed),
  );
  const givenUp = rejects(journalled, { kind: 'UNAVAILABLE' });
  store!.append = append;
  await disk.run(() => disk.replicas.close());
  await disk.run(() => store!.close());
  const asked: string[] = [];
  store!.append = (...args) => {
    asked.push(args[1].$case);
    return append(...args);
  };
  await disk.run(() => givenUp);
  await disk.run(() => disk.simulation.clock.sleep(10_000));
  deepEqual(asked, ['committed']); // once, to be told that the journal is closed
  await disk.crash('lose');
  const restarted = disk.replicas.find(HANDLE)!;
  equal(restarted.log.durableSequence, 6); // the commit point of the last one was given up
  const content = await disk.content(restarted);
  deepEqual(
    Array.from({ length: 5 }, (_, index) => content[index * PIECE]),
    [1, 2, 3, 4, 5],
  );
});
