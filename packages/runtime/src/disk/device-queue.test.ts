import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DiskError } from '@cairnfs/base';
import { DEVICE_OPERATIONS_MAX, DEVICE_WAITING_MAX, POOL_THREADS_DEFAULT } from '../limits.ts';
import { DeviceQueue, type OperationKind, PoolShares } from './device-queue.ts';
import { RuntimeDisk } from './runtime-disk.ts';

const THREADS = 64;
const HUNG = new DiskError('ETIMEDOUT', '/disk', 'the disk does not answer');
const directory = mkdtempSync(join(tmpdir(), 'cairn-device-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Operations on one device: which have begun, and which were told that it was given up. */
class Operations {
  readonly queue: DeviceQueue;
  readonly begun: string[] = [];
  readonly rejected: string[] = [];
  readonly #slots = new Map<string, number>();

  /** @param devices of the process, this one included. */
  constructor(devices = 2) {
    const shares = new PoolShares(THREADS);
    for (let count = 0; count < devices; count++) shares.add();
    this.queue = new DeviceQueue(shares);
  }

  ask(kind: OperationKind, ...names: string[]): void {
    for (const name of names) {
      const begin = (slot: number): void => {
        this.begun.push(name);
        this.#slots.set(name, slot);
      };
      this.queue.begin(kind, begin, () => this.rejected.push(name));
    }
  }

  end(...names: string[]): void {
    for (const name of names) this.queue.end(this.#slots.get(name)!);
  }
}

test('device: only so many operations are with the system at a time, the others come in their order', () => {
  const operations = new Operations();
  operations.ask('other', 'a', 'b', 'c', 'd', 'e', 'f');
  deepEqual(operations.begun, ['a', 'b', 'c', 'd']);
  equal(operations.begun.length, DEVICE_OPERATIONS_MAX - 1);
  operations.end('c');
  deepEqual(operations.begun.slice(4), ['e']);
  operations.end('a', 'b', 'd', 'e');
  deepEqual(operations.begun.slice(4), ['e', 'f']);
});

test('device: more than the askers have room for never wait', () => {
  const operations = new Operations();
  for (let count = 0; count < DEVICE_OPERATIONS_MAX; count++) operations.ask('sync', `s${count}`);
  for (let count = 0; count < DEVICE_WAITING_MAX; count++)
    operations.ask(count % 2 === 0 ? 'sync' : 'other', `${count}`);
  throws(() => operations.ask('other', 'one more'), /16384 operations wait for one device/);
  operations.end('s0');
  operations.ask('other', 'one more');
});

test('device: the only one has no bound', () => {
  const operations = new Operations(1);
  operations.ask('other', ...Array.from({ length: 1000 }, (_, index) => `${index}`));
  equal(operations.begun.length, 1000);
});

test('device: a sync does not wait behind reads, and reads not for ever behind syncs', () => {
  const operations = new Operations();
  operations.ask('other', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7');
  operations.ask('sync', 's1', 's2', 's3', 's4');
  deepEqual(operations.begun.slice(4), ['s1']);
  operations.end('r1', 'r2', 'r3', 'r4', 's1', 's2');
  deepEqual(operations.begun.slice(5), ['s2', 'r5', 's3', 'r6', 's4', 'r7']);
});

test('device: operations of a library are watched, and take the place of no other', () => {
  const operations = new Operations();
  operations.ask('outside', 'x', 'y', 'z');
  operations.ask('other', 'a', 'b', 'c', 'd');
  equal(operations.begun.length, 7);
  operations.end('x', 'y', 'z');
  operations.ask('other', 'e');
  equal(operations.begun.length, 7);
});

test('device: the ticks that an operation has seen are counted from its begin', () => {
  const operations = new Operations();
  const { queue } = operations;
  equal(queue.tick(), 0);
  operations.ask('other', 'a');
  deepEqual([queue.tick(), queue.isStalled], [1, false]);
  operations.ask('other', 'b');
  deepEqual([queue.tick(), queue.isStalled], [2, true]);
  operations.end('a');
  deepEqual([queue.tick(), queue.isStalled], [2, true]);
  operations.end('b');
  deepEqual([queue.tick(), queue.isStalled], [0, false]);
});

test('device: one that is given up rejects what is under way, what waits and what comes later', () => {
  const operations = new Operations();
  operations.ask('other', 'a', 'b', 'c', 'd', 'e');
  operations.ask('sync', 's');
  operations.end('a'); // in its place comes e
  operations.ask('other', 'f');
  operations.queue.giveUp(HUNG);
  operations.ask('sync', 'late');
  deepEqual(operations.rejected.sort(), ['b', 'c', 'd', 'e', 'f', 'late', 's']);
  ok(operations.queue.isHanging);
  operations.end('b', 'c', 'd', 'e', 's');
  ok(!operations.queue.isHanging);
});

test('device: with many of them, each has its share of the threads', () => {
  const shares = new PoolShares(THREADS);
  const maxima = Array.from({ length: 100 }, () => {
    shares.add();
    return shares.operationsMax;
  });
  equal(maxima[0], Number.POSITIVE_INFINITY);
  equal(maxima[9], DEVICE_OPERATIONS_MAX);
  for (let devices = 2; devices <= THREADS / 2; devices++) ok((maxima[devices - 1]! + 1) * devices <= THREADS);
  equal(maxima.at(-1), 1);
});

test('device: what hangs on one keeps no other waiting, and is over when it is given up', async () => {
  const disk = new RuntimeDisk();
  const [hanging, other] = [disk.device(), disk.device()];
  writeFileSync(join(directory, 'file'), 'here');
  // A pipe opens for reading when somebody opens it for writing: as many as there are threads.
  const pipes = Array.from({ length: POOL_THREADS_DEFAULT }, (_, index) => join(directory, `pipe-${index}`));
  equal(spawnSync('mkfifo', pipes).status, 0);
  const opened = pipes.map((pipe) => hanging.open(pipe, 'read'));
  const given = Promise.allSettled(opened);
  const file = await other.open(join(directory, 'file'), 'read');
  const target = new Uint8Array(4);
  equal(await file.read(0, target), 4);
  await file.close();
  hanging.giveUp(HUNG);
  for (const outcome of await given) equal((outcome as PromiseRejectedResult).reason, HUNG);
  await rejects(hanging.open(join(directory, 'file'), 'read'), HUNG);
  ok(disk.isHanging);
  await (await open(pipes[0]!, 'r+')).close(); // lets the thread go
});

test('device: the files of one that was given up refuse all but their close', async () => {
  const device = new RuntimeDisk().device();
  const file = await device.open(join(directory, 'given-up'), 'create');
  device.giveUp(HUNG);
  await rejects(file.write(0, [new Uint8Array(1)]), HUNG);
  await rejects(file.write(0, [new Uint8Array(1024 * 1024)]), HUNG);
  await rejects(file.read(0, new Uint8Array(1)), HUNG);
  await rejects(file.sync(), HUNG);
  await rejects(device.space(directory), HUNG);
  await file.close();
});

test('device: small writes are whole on one that has stalled, too', async () => {
  const device = new RuntimeDisk().device();
  const file = await device.open(join(directory, 'stalled'), 'create');
  let answer = (): void => {};
  const stalled = device.run(
    () =>
      new Promise<void>((resolve) => {
        answer = resolve;
      }),
  );
  for (let ticks = 0; ticks < 3; ticks++) device.tick();
  await file.write(0, [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
  await file.write(9, []);
  answer();
  await stalled;
  const target = new Uint8Array(4);
  equal(await file.read(0, target), 3);
  deepEqual([...target], [1, 2, 3, 0]);
  await file.close();
});
