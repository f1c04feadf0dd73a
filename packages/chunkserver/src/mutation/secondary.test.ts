import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, FsError } from '@cairnfs/base';
import { type CallContext, type ChunkView, PooledBytes } from '@cairnfs/protocol';
import { prepareView } from '../view/view-control.ts';
import type { Primaries } from './primaries.ts';
import { Secondaries } from './secondary.ts';
import { MutationCluster } from './testing/mutation-cluster.ts';

const RECORD_BYTES = 100;
const handleOf = (chunk: number) => `00000000-0000-4000-8000-00000000100${chunk}`;

const FIRST_VIEW: Omit<ChunkView, 'handle' | 'version'> = {
  ...{ members: [1, 2], addresses: ['server-1:1', 'server-2:1'] },
  ...{ baseSequence: 0, minimum: 1, sealed: false, baseLength: 0, lease: 1, disks: [] },
};

/** A secondary of some chunks, that buffers at most 250 bytes. */
class TestSecondary {
  readonly cluster = new MutationCluster({ seed: 1, serverCount: 2 });
  readonly secondaries: Secondaries;
  /** Buffers that were given back. */
  freed = 0;

  constructor() {
    this.secondaries = new Secondaries(this.cluster.servers[1]!.context, () => {}, 250);
  }

  async install(chunk: number, version: number, { fence } = { fence: false }): Promise<void> {
    const view: ChunkView = { ...FIRST_VIEW, handle: handleOf(chunk), version };
    await this.until(this.secondaries.installView({ view, term: 1, fence, create: true }));
  }

  prepare(chunk: number, versions: { oldVersion: number; newVersion: number; removed: boolean }): Promise<unknown> {
    const { context } = this.cluster.servers[1]!;
    const primaries = { promised() {}, ledTo() {} } as unknown as Primaries;
    const call = { masterSession: 0, serverId: 2, committedSequence: 0, disk: '' };
    const request = { ...versions, ...call, handle: handleOf(chunk) };
    return this.until(prepareView({ context, secondaries: this.secondaries, primaries }, request));
  }

  /** @returns 'READY', or the kind of the refusal. */
  stage(chunk: number, sequence: number): Promise<string> {
    const bytes = new Uint8Array(RECORD_BYTES).fill(sequence);
    const memory = new PooledBytes(bytes, () => {
      this.freed += 1;
    });
    const request = {
      ...{ handle: handleOf(chunk), version: 1, sequence, offset: (sequence - 1) * RECORD_BYTES },
      ...{ operation: undefined, committedSequence: 0, append: true, term: 1 },
    };
    const data = { bytes, checksum: crc32c(bytes), memory };
    return this.secondaries
      .stage(request, { data, deadlineMs: this.cluster.time.nowMs + 3_000 } as unknown as CallContext)
      .then(
        ({ message }) => (message.stagedSequence >= sequence ? 'READY' : `READY up to ${message.stagedSequence}`),
        (error) => (error instanceof FsError ? error.kind : String(error)),
      )
      .finally(() => memory.release());
  }

  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    await this.cluster.time.run(() => isDone, this.cluster.time.nowMs + 1_000);
    return done;
  }
}

test('view: a member that only promised the version takes it from a primary that had it installed by a read', async () => {
  const secondary = new TestSecondary();
  await secondary.install(1, 1);
  const { log } = secondary.cluster.servers[1]!.context.replicas.find(handleOf(1))!;
  log.promise({ oldVersion: 1, newVersion: 2, removed: false });
  await secondary.install(1, 2, { fence: true });
  equal(log.version, 2);
  equal(log.term, 1);
});

test('view: a member that missed the first one of a new chunk is made by the fence of the next', async () => {
  const secondary = new TestSecondary();
  await secondary.install(1, 1, { fence: true });
  const { log } = secondary.cluster.servers[1]!.context.replicas.find(handleOf(1))!;
  equal(log.version, 1);
  equal(await secondary.until(secondary.stage(1, 1)), 'READY');
});

test('view: a replica that was begun and never got one is none', async () => {
  const secondary = new TestSecondary();
  const { cluster, secondaries } = secondary;
  const { context } = cluster.servers[1]!;
  const view = { ...FIRST_VIEW, handle: handleOf(1), version: 1 };
  context.replicas.create(view, '');
  await rejects(secondaries.installView({ view, term: 1, fence: true, create: false }), { kind: 'CHUNK_NOT_FOUND' });
  const versions = { oldVersion: 1, newVersion: 2, removed: false };
  await rejects(secondary.prepare(1, versions), { kind: 'CHUNK_NOT_FOUND' });
});

test('view: one that comes after a later one was prepared where no replica was makes none', async () => {
  const secondary = new TestSecondary();
  await rejects(secondary.prepare(1, { oldVersion: 2, newVersion: 3, removed: false }), { kind: 'CHUNK_NOT_FOUND' });
  await rejects(secondary.install(1, 2), { kind: 'STALE_VERSION', details: { version: 0, promisedVersion: 3 } });
  equal(secondary.cluster.servers[1]!.context.replicas.find(handleOf(1)), undefined);
  await secondary.install(2, 2);
  await secondary.install(1, 3);
  equal(await secondary.until(secondary.stage(1, 1)), 'STALE_VERSION', 'at version 1');
});

test('view: a replica that is behind the one it is to leave refuses what it served, and says that it was not in sync', async () => {
  const secondary = new TestSecondary();
  await secondary.install(1, 1);
  const { log } = secondary.cluster.servers[1]!.context.replicas.find(handleOf(1))!;
  log.checkVersion(1);
  const leave = { oldVersion: 2, newVersion: 4, removed: true };
  for (let time = 0; time < 2; time += 1) {
    await rejects(secondary.prepare(1, leave), { kind: 'STALE_VERSION' });
    throws(() => log.checkVersion(1), { kind: 'STALE_VERSION' });
    equal(log.keptVersion, 1);
  }
  await rejects(secondary.install(1, 3), { kind: 'STALE_VERSION' });
});

test('view: a promise that is durable is answered at once when it is asked for again', async () => {
  const secondary = new TestSecondary();
  await secondary.install(1, 1);
  equal(await secondary.until(secondary.stage(1, 1)), 'READY');
  const { journal } = secondary.cluster.servers[1]!;
  const promises = () => journal.records.filter(({ record }) => record.kind === 'promised').length;
  const leave = { oldVersion: 1, newVersion: 2, removed: true };
  const first = secondary.prepare(1, leave);
  const second = secondary.prepare(1, leave); // the first one's caller gave up; it is not durable yet
  deepEqual(await first, await second);
  equal(promises(), 2);
  deepEqual(await secondary.prepare(1, leave), await first);
  equal(promises(), 2);
  // Another promise is not durable by that, nor by the answer to the earlier one.
  await secondary.prepare(1, { ...leave, newVersion: 3 });
  equal(promises(), 3);
});

test('early mutations: their memory is bounded over all chunks, and free again when their turn came', async () => {
  const test = new TestSecondary();
  await test.install(1, 1);
  await test.install(2, 1);
  const early = [test.stage(1, 2), test.stage(2, 2)];
  equal(await test.until(test.stage(1, 3)), 'OVERLOADED');
  equal(test.freed, 1);
  const inOrder = [test.stage(1, 1), test.stage(2, 1)];
  deepEqual(await test.until(Promise.all([...inOrder, ...early])), ['READY', 'READY', 'READY', 'READY']);
  const again = [test.stage(1, 4), test.stage(1, 5)];
  equal(await test.until(test.stage(2, 4)), 'OVERLOADED');
  equal(await test.until(test.stage(1, 3)), 'READY');
  deepEqual(await test.until(Promise.all(again)), ['READY', 'READY']);
});

test('early mutations: one that comes twice counts once, and a new view lets go of all', async () => {
  const test = new TestSecondary();
  await test.install(1, 1);
  await test.install(2, 1);
  const early = [test.stage(1, 3), test.stage(1, 2), test.stage(1, 2)];
  equal(await test.until(test.stage(1, 4)), 'OVERLOADED');
  await test.install(1, 2);
  deepEqual(await test.until(Promise.all(early)), ['STALE_VERSION', 'CANCELLED', 'STALE_VERSION']);
  equal(test.freed, 4);
  const other = [test.stage(2, 2), test.stage(2, 3)];
  equal(await test.until(test.stage(2, 1)), 'READY');
  deepEqual(await test.until(Promise.all(other)), ['READY', 'READY']);
});

test('secondary: its disk fails, and all that wait there are refused at once', async () => {
  const test = new TestSecondary();
  await test.install(1, 1);
  const server = test.cluster.servers[1]!;
  const calls = [test.stage(1, 1), test.stage(1, 1), test.stage(1, 3)];
  const committed = { handle: handleOf(1), version: 1, term: 1, committedSequence: 0 };
  const commit = test.secondaries.commit(committed).catch(({ kind }) => kind);
  const atMs = test.cluster.time.nowMs;
  server.failDisk();
  deepEqual(await test.until(Promise.all([...calls, commit])), Array(4).fill('DISK_FAILED'));
  equal(test.cluster.time.nowMs, atMs);
});

test('early mutations: those whose caller gave up, or whose replica is gone, are let go of', async () => {
  const test = new TestSecondary();
  const { time, servers } = test.cluster;
  await test.install(1, 1);
  await test.install(2, 1);
  const early = test.stage(1, 3);
  for (let half = 0; half < 4; half += 1) await test.until(time.sleep(500));
  const later = test.stage(2, 2);
  test.secondaries.sweep();
  equal(await test.until(test.stage(1, 5)), 'OVERLOADED');
  for (let half = 0; half < 2; half += 1) await test.until(time.sleep(500));
  test.secondaries.sweep();
  equal(await test.until(early), 'DEADLINE_EXCEEDED');
  const staging = test.stage(2, 1);
  const last = test.stage(2, 4);
  servers[1]!.context.replicas.find = () => undefined;
  test.secondaries.sweep();
  deepEqual(await test.until(Promise.all([staging, later, last])), Array(3).fill('CHUNK_NOT_FOUND'));
});
