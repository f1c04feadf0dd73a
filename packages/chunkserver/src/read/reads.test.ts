import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from '@cairnfs/protocol';
import type { Mutations } from '../mutation/mutations.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import { stage } from '../testing/test-disk.ts';
import { TestParts } from '../testing/test-parts.ts';
import { Reads } from './reads.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';
const LENGTH = 100;

/** A replica of zeros with one overwrite staged, that has promised version 2 and heard no more. */
async function promised(): Promise<{ parts: TestParts; reads: Reads }> {
  const parts = await TestParts.start(1);
  const { disk } = parts;
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 0, bytes: new Uint8Array(LENGTH), sync: true }));
  const replica = disk.replicas.find(HANDLE)!;
  stage(replica, 10, new Uint8Array(20).fill(1));
  await disk.run(() => disk.simulation.clock.sleep(100));
  replica.log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  const reads = new Reads({
    replicas: disk.replicas,
    mutations: { commitPointFor: () => undefined } as unknown as Mutations,
    lease: { check() {} } as unknown as ServerLease,
    pool: new BufferPool(),
  });
  return { parts, reads };
}

const request = { handle: HANDLE, version: 2, offset: 10, length: 1, knownLength: LENGTH };

test('read: after an overwrite a length does not tell what a promised version holds', async () => {
  const { parts, reads } = await promised();
  await rejects(
    parts.disk.run(() => reads.read(request)),
    { kind: 'STALE_VERSION' },
  );
  equal(parts.disk.replicas.find(HANDLE)!.log.version, 1);
});

for (const [knownSequence, byte] of [
  [0, 0],
  [1, 1],
] as const) {
  test(`read: a promised version confirmed at sequence ${knownSequence} is taken and read`, async () => {
    const { parts, reads } = await promised();
    const { data } = await parts.disk.run(() => reads.read({ ...request, knownSequence }));
    deepEqual([...data!.buffers[0]!], [byte]);
    equal(parts.disk.replicas.find(HANDLE)!.log.version, 2);
  });
}

test('read: a sequence number that is not staged here proves nothing', async () => {
  const { parts, reads } = await promised();
  await rejects(
    parts.disk.run(() => reads.read({ ...request, knownSequence: 2 })),
    { kind: 'STALE_VERSION' },
  );
});
