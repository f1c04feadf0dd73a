import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { replicaKey } from '../store/keys.ts';
import { commitDurable, stage } from '../testing/test-disk.ts';
import { TestParts } from '../testing/test-parts.ts';

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
