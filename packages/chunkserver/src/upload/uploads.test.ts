import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { UPLOADS_MAX } from '../limits.ts';
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
