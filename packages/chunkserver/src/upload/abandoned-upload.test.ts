/** Uploads that end before any of them was synced: no record speaks of their files, and no inventory. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, DiskError } from '@cairnfs/base';
import { ChunkserverDataMethods, ChunkserverPeerMethods, dataPart, ReplicaCondition } from '@cairnfs/protocol';
import { QUARANTINE_SWEEP_MS, UPLOAD_IDLE_MS, UPLOADS_MAX } from '../limits.ts';
import { TestParts } from '../testing/test-parts.ts';
import { TestServers } from '../testing/test-servers.ts';

const HANDLE = '0a1b2c3d-0000-4000-8000-0000000000aa';
const ORDER = { handle: HANDLE, versionAtMost: 1, reason: 'deleted' };
const KiB = 1024;
const CALL = { timeoutMs: 5_000 };
/** Of one step of a slow disk, longer than mutations wait to be put in place. */
const SLOW_MS = 5_000;

/** Frames that nobody asked to sync, in a chunk file. */
async function abandoned(seed: number) {
  const parts = await TestParts.start(seed);
  const { disk, quarantine, uploads } = parts;
  const bytes = disk.simulation.random.bytes(512 * KiB);
  const frame = (start: number, end: number, sync = false) => {
    return parts.frame({ handle: HANDLE, offset: start, bytes: bytes.subarray(start, end), sync });
  };
  const sleep = (ms: number) => disk.run(() => disk.simulation.clock.sleep(ms));
  /** As a heartbeat does. */
  const sweep = async () => {
    uploads.sweep();
    quarantine.sweep();
    await disk.run(() => quarantine.idle());
  };
  const filesIn = (folder: string) => {
    return [...disk.host.disk.files.keys()].filter((path) => path.startsWith(`disk/${folder}/`)).length;
  };
  const files = () => ({ chunks: filesIn('chunks'), quarantine: filesIn('quarantine') });
  const gone = () => {
    return parts.reports.filter(({ condition }) => condition === ReplicaCondition.REPLICA_CONDITION_GONE).length;
  };
  const checkWhole = async () => {
    const all = { receivedLength: bytes.length, durableLength: bytes.length };
    deepEqual(await disk.run(() => frame(0, bytes.length, true)), all);
    deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
    await sleep(UPLOAD_IDLE_MS + 1);
    await sweep();
    await sleep(QUARANTINE_SWEEP_MS);
    await sweep();
    equal(filesIn('chunks'), 1);
    await disk.crash('lose');
    deepEqual(Buffer.from(await disk.content(disk.replicas.find(HANDLE)!)), Buffer.from(bytes));
  };
  await disk.run(() => frame(0, 256 * KiB));
  deepEqual(files(), { chunks: 1, quarantine: 0 });
  return { parts, disk, bytes, frame, sleep, sweep, files, gone, checkWhole };
}

test('abandoned upload: once it fell silent its file is set aside, and deleted after the grace period', async () => {
  const { sleep, sweep, files, checkWhole } = await abandoned(1);
  await sleep(UPLOAD_IDLE_MS - 1_000);
  await sweep();
  deepEqual(files(), { chunks: 1, quarantine: 0 });
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 0, quarantine: 1 });
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 0, quarantine: 0 });
  await checkWhole();
});

test('abandoned upload: its file is remembered while a replica of the chunk is in the index, and set aside after that', async () => {
  const { disk, sleep, sweep, files } = await abandoned(11);
  const replica = await disk.create(HANDLE); // a view waits for no file
  await sleep(UPLOAD_IDLE_MS + QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 1, quarantine: 0 });
  disk.replicas.forget(replica);
  const moved = { $case: 'quarantined', value: { atMs: 1, reason: 'garbage' } } as const;
  await disk.run(() => replica.store.journal(HANDLE, moved));
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 0, quarantine: 1 });
});

test('abandoned upload: an order sets its file aside before it is said to be gone', async () => {
  const { parts, disk, files, gone, checkWhole } = await abandoned(2);
  parts.quarantine.order(ORDER);
  equal(gone(), 0);
  await disk.run(() => parts.quarantine.idle());
  deepEqual([gone(), files()], [1, { chunks: 0, quarantine: 1 }]);
  await checkWhole();
});

test('abandoned upload: a frame that comes while the file is set aside begins it anew', async () => {
  for (const how of ['order', 'sweep'] as const) {
    let [early, late] = [0, 0];
    for (let pauseMs = 0; pauseMs < 8; pauseMs += 0.3) {
      const { parts, disk, frame, sleep, files, checkWhole } = await abandoned(3);
      const { quarantine, uploads } = parts;
      await sleep(UPLOAD_IDLE_MS + 1);
      if (how === 'sweep') uploads.sweep();
      if (how === 'sweep') quarantine.sweep();
      else quarantine.order(ORDER);
      await sleep(pauseMs);
      if (files().quarantine === 0) early += 1;
      else late += 1;
      const reply = await disk.run(() => frame(0, 128 * KiB, true));
      deepEqual(reply, { receivedLength: 128 * KiB, durableLength: 128 * KiB });
      await disk.run(() => quarantine.idle());
      deepEqual(files(), { chunks: 1, quarantine: 1 });
      equal(disk.replicas.stores[0]!.failure, undefined);
      await checkWhole();
    }
    ok(early > 0 && late > 0);
  }
});

test('abandoned upload: an order leaves a frame that is being written alone', async () => {
  const { parts, disk, frame, files, gone, checkWhole } = await abandoned(4);
  const second = frame(256 * KiB, 512 * KiB);
  parts.quarantine.order(ORDER);
  await disk.run(() => second);
  deepEqual([gone(), files()], [0, { chunks: 1, quarantine: 0 }]);
  await checkWhole();
});

test('abandoned upload: one that a full disk cut short leaves nothing', async () => {
  const { disk, frame, sleep, sweep, files, checkWhole } = await abandoned(5);
  disk.host.disk.break({ prefix: 'disk/chunks', operation: 'sync', code: 'ENOSPC' });
  await rejects(
    disk.run(() => frame(256 * KiB, 512 * KiB, true)),
    { kind: 'NO_SPACE' },
  );
  disk.host.disk.repair();
  await sleep(UPLOAD_IDLE_MS + 1);
  await sweep();
  deepEqual(files(), { chunks: 0, quarantine: 1 });
  await checkWhole();
});

test('abandoned upload: the file of one that was begun anew after a failed sync stays', async () => {
  const { parts, disk, frame, sleep, sweep, files, checkWhole } = await abandoned(9);
  const [store] = disk.replicas.stores;
  const use = store!.files.use.bind(store!.files);
  store!.files.use = (path) => Promise.reject(new DiskError('ENOSPC', path, 'no space left on device'));
  await rejects(
    disk.run(() => frame(0, 256 * KiB, true)),
    { kind: 'NO_SPACE' },
  );
  store!.files.use = use;
  await disk.run(() => frame(0, 256 * KiB));
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 1, quarantine: 0 });
  equal(parts.uploads.has(HANDLE), true);
  await checkWhole();
  deepEqual(files(), { chunks: 1, quarantine: 0 });
});

test('abandoned upload: one of which only later frames came is not forgotten as finished', async () => {
  const parts = await TestParts.start(6);
  const { disk, quarantine, uploads } = parts;
  const count = () => [...disk.host.disk.files.keys()].filter((path) => path.startsWith('disk/chunks/')).length;
  const bytes = new Uint8Array(64 * KiB);
  await disk.run(() => parts.frame({ handle: HANDLE, offset: 64 * KiB, bytes }));
  const small = new Uint8Array(64 * KiB + 1);
  for (let index = 0; index < UPLOADS_MAX; index += 1) {
    const handle = `0a1b2c3d-0000-4000-8000-${(index + 0x1000).toString(16).padStart(12, '0')}`;
    await disk.run(() => parts.frame({ handle, offset: 0, bytes: small, sync: true }));
  }
  equal(count(), UPLOADS_MAX + 1);
  await disk.run(() => disk.simulation.clock.sleep(UPLOAD_IDLE_MS + 1));
  uploads.sweep();
  quarantine.sweep();
  await disk.run(() => quarantine.idle());
  equal(count(), UPLOADS_MAX);
});

test('quarantine: a file that a full disk did not let go of is not said to be gone, and moved later', async () => {
  for (const how of ['order', 'sweep'] as const) {
    const { parts, disk, frame, sleep, sweep, files, gone, checkWhole } = await abandoned(7);
    const { quarantine } = parts;
    await disk.run(() => frame(256 * KiB, 512 * KiB, true));
    const order = () => {
      quarantine.order(ORDER);
      return disk.run(() => quarantine.idle());
    };
    const [store] = disk.replicas.stores;
    const { rename } = store!.disk;
    store!.disk.rename = (from) => Promise.reject(new DiskError('ENOSPC', from, 'no space left on device'));
    await order();
    equal(disk.replicas.holderOf(HANDLE), undefined);
    await order();
    await sleep(QUARANTINE_SWEEP_MS);
    await sweep();
    deepEqual([gone(), files()], [0, { chunks: 1, quarantine: 0 }]);
    equal(store!.failure, undefined);
    store!.disk.rename = rename;
    await sleep(QUARANTINE_SWEEP_MS);
    if (how === 'order') await order();
    else await sweep();
    deepEqual([gone(), files()], [how === 'order' ? 1 : 0, { chunks: 0, quarantine: 1 }]);
    await checkWhole();
  }
});

test('quarantine: a file that cannot be moved does not hold up the others', async () => {
  const { parts, disk, sleep, sweep, files } = await abandoned(10);
  const [store] = disk.replicas.stores;
  const others = ['ab', 'ac'].map((end) => `${HANDLE.slice(0, -2)}${end}`);
  for (const handle of others) {
    await disk.run(() => parts.frame({ handle, offset: 0, bytes: new Uint8Array(128 * KiB) }));
  }
  disk.host.disk.break({ prefix: store!.chunkPath(HANDLE), operation: 'metadata', code: 'ENOSPC' });
  await sleep(UPLOAD_IDLE_MS + 1);
  await sweep();
  deepEqual(files(), { chunks: 3, quarantine: 0 });
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  deepEqual(files(), { chunks: 1, quarantine: 2 });
  disk.host.disk.repair();
  await sleep(QUARANTINE_SWEEP_MS);
  await sweep();
  equal(files().chunks, 0);
});

test('abandoned upload: what is put in place of a replica that a view made meanwhile does not leave with its file', async () => {
  const servers = await TestServers.start(8, ['one']);
  const { disk } = servers.simulation.host('one');
  const channel = servers.peers!.channel('one:8080');
  const frame = { handle: HANDLE, version: 1, members: [1], uploadId: 'u', offset: 0, sync: false };
  const part = dataPart(Buffer.alloc(128 * KiB, 1));
  await servers.run(() =>
    channel.call(ChunkserverDataMethods.uploadFrame, { ...frame, route: [], fanOut: false }, { ...CALL, data: part }),
  );
  const path = `disk/chunks/aa/${HANDLE}`;
  const record = servers.simulation.random.bytes(100 * KiB);
  const view = {
    ...{ handle: HANDLE, version: 1, members: [1], addresses: ['one:8080'], baseSequence: 0, minimum: 1 },
    ...{ sealed: false, baseLength: undefined, lease: 1, disks: [] },
  };
  const mutation = { handle: HANDLE, version: 1, term: 1, sequence: 1, offset: 0, append: true };
  const { writeMs } = disk.timing;
  servers.quarantine = [ORDER];
  // The look whether there is a file takes its time.
  disk.timing.writeMs = [SLOW_MS, SLOW_MS];
  await servers.sleep(3_000);
  servers.quarantine = [];
  disk.timing.writeMs = writeMs;
  ok(disk.files.has(path), 'it is not on its way yet');
  await servers.run(async () => {
    await channel.call(ChunkserverPeerMethods.installView, { view, term: 1, fence: false, create: true }, CALL);
    const staged = { ...mutation, operation: undefined, committedSequence: 0 };
    await channel.call(ChunkserverPeerMethods.stageMutation, staged, { ...CALL, data: dataPart(record) });
    const committed = { handle: HANDLE, version: 1, term: 1, committedSequence: 1 };
    await channel.call(ChunkserverPeerMethods.commit, committed, CALL);
  });
  await servers.sleep(3 * SLOW_MS);
  const inPlace = Buffer.alloc(record.length);
  disk.files.get(path)!.read(0, inPlace);
  equal(crc32c(inPlace), crc32c(record), 'it was put in place');
  const read = { handle: HANDLE, offset: 0, length: record.length, knownLength: record.length };
  equal(crc32c(await servers.read('one', read)), crc32c(record));
  equal(servers.reports.get(1)?.get(HANDLE)?.condition === ReplicaCondition.REPLICA_CONDITION_GONE, false);
});
