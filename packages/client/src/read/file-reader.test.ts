import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { READ_FRAMES_IN_FLIGHT, REPLICA_SHUNNED_MS } from '../limits.ts';
import { handleOf, pattern, ScriptedFile, SERVERS } from '../testing/scripted-file.ts';
import { ScriptedData } from '../testing/scripted-pool.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const CONTENT = pattern(1000);

test('read: a replica that fails is passed over, and asked last for a while', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  file.onRead = (_, address) => {
    if (address === 's1:1') throw new FsError('CONNECTION_LOST', 'gone');
  };
  for (let round = 0; round < 20; round += 1) deepEqual(await file.read(0, 1000), CONTENT);
  equal(file.reads.filter(({ address }) => address === 's1:1').length, 1);
  await file.calls.seams.clock.sleep(REPLICA_SHUNNED_MS);
  for (let round = 0; round < 20; round += 1) deepEqual(await file.read(0, 1000), CONTENT);
  equal(file.reads.filter(({ address }) => address === 's1:1').length, 2);
});

test('read: replicas share the reads', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  for (let round = 0; round < 60; round += 1) await file.read(0, 1000);
  for (const server of SERVERS) ok(file.reads.filter(({ address }) => address === server).length > 5, server);
});

test('read: bytes that fail their checksum, on the disk or on the way, are never handed out', async () => {
  for (const answer of [
    () => {
      throw new FsError('CHECKSUM_MISMATCH', 'block 0 is corrupt');
    },
    () => new ScriptedData({ length: 1000, committedLength: 1000 }, pattern(1000, 9), 12345),
  ]) {
    const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
    file.onRead = (_, address) => (address === 's3:1' ? undefined : answer());
    for (let round = 0; round < 5; round += 1) deepEqual(await file.read(0, 1000), CONTENT);
  }
});

test('read: an answer that is too short, too long, or not as long as it says counts as a failed replica', async () => {
  const wrong = [
    new ScriptedData({ length: 999, committedLength: 1000 }, CONTENT.slice(0, 999)),
    new ScriptedData({ length: 1001, committedLength: 1001 }, pattern(1001)),
    new ScriptedData({ length: 1000, committedLength: 1000 }, CONTENT.slice(0, 999)),
    { length: 0, committedLength: 0 },
  ];
  for (const answer of wrong) {
    const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
    file.onRead = (_, address) => (address === 's2:1' ? undefined : answer);
    deepEqual(await file.read(0, 1000), CONTENT);
  }
});

test('read: when every copy fails it is tried until the deadline, and ends with the reason', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  file.onRead = () => {
    throw new FsError('CHECKSUM_MISMATCH', 'block 0 is corrupt');
  };
  await rejects(file.read(0, 1000, { timeoutMs: 3000 }), (error: FsError) => {
    equal(error.kind, 'DEADLINE_EXCEEDED');
    return /corrupt/.test(error.message);
  });
  ok(file.reads.length >= 6);
});

test('read: when no copy is in reach it tells so of the chunk and all its copies, not of one server', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  file.onRead = (_, address) => {
    throw new FsError('CONNECTION_REFUSED', `cannot connect to ${address}`);
  };
  await rejects(file.read(0, 1000, { timeoutMs: 3000 }), (error: FsError) => {
    const where = SERVERS.join(', ');
    equal(error.message, `gave up after 3 s: no copy of chunk ${handleOf(0)} is in reach: none of 3 (${where})`);
    equal(error.details.copiesOutOfReach, 3);
    return /^cannot connect to /.test(((error.cause as Error).cause as Error).message);
  });
});

test('read: of a copy that is corrupt it is told, and not that none is in reach', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  file.onRead = (_, address) => {
    throw new FsError(address === 's2:1' ? 'CHECKSUM_MISMATCH' : 'CONNECTION_LOST', `failed at ${address}`);
  };
  await rejects(file.read(0, 1000, { timeoutMs: 3000 }), { message: 'gave up after 3 s: failed at s2:1' });
});

test('read: it ends where the file ends', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  deepEqual(await file.read(900, 500), CONTENT.subarray(900));
  deepEqual(await file.read(1000, 10), new Uint8Array(0));
  deepEqual(await file.read(5000, 10), new Uint8Array(0));
  equal(file.reads.length, 1);
});

test('read: holes before, between and behind chunks are zeros and asked of nobody', async () => {
  const chunks = [
    { offset: 100, bytes: pattern(50, 2) },
    { offset: 200, bytes: pattern(50, 3) },
  ];
  const file = new ScriptedFile(chunks, 300);
  const expected = new Uint8Array(300);
  for (const { offset, bytes } of chunks) expected.set(bytes, offset);
  deepEqual(await file.read(0, 1000), expected);
  deepEqual(await file.read(160, 20), new Uint8Array(20));
  equal(file.reads.length, 2);
});

test('read: of an open chunk the replica tells the end, and the rest below the end of the file is zeros', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT, open: true, limit: 64 * MiB }], 1200);
  const expected = new Uint8Array(1200);
  expected.set(CONTENT);
  deepEqual(await file.read(0, 5000), expected);
  // What is open may grow: it is located again each time.
  file.chunks = [{ offset: 0, bytes: pattern(1300), open: true, limit: 64 * MiB }];
  file.size = 1300;
  deepEqual(await file.read(0, 5000), pattern(1300));
  equal(file.locateCount, 2);
});

test('read: a location is remembered until a replica says that it is old, then looked up again', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  await file.read(0, 1000);
  await file.read(500, 100);
  equal(file.locateCount, 1);
  file.chunks = [{ offset: 0, bytes: pattern(1000, 4), version: 2 }];
  deepEqual(await file.read(0, 1000), pattern(1000, 4));
  equal(file.locateCount, 2);
  // One refusal is enough: all replicas of the old version would say the same.
  deepEqual(
    file.reads.map(({ request }) => request.version),
    [1, 1, 1, 2],
  );
});

test('read: of many pieces none fails because one replica has promised another version', async () => {
  const bytes = pattern(16 * MiB);
  const file = new ScriptedFile([{ offset: 0, bytes }]);
  file.onRead = (_, address) => {
    if (address === 's2:1') throw new FsError('STALE_VERSION', 'a later one was promised here');
  };
  for (let round = 0; round < 5; round += 1) equal(Buffer.compare(await file.read(0, bytes.length), bytes), 0);
  ok(file.locateCount <= 10, `${file.locateCount} locations`);
});

test('read: a view that is too small, or a chunk that moved, is waited for', async () => {
  for (const kind of ['VIEW_TOO_SMALL', 'LEASE_EXPIRED', 'CHUNK_NOT_FOUND', 'UNAVAILABLE'] as const) {
    const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
    file.onRead = () => {
      if (file.locateCount < 4) throw new FsError(kind, 'not now');
    };
    deepEqual(await file.read(0, 1000), CONTENT, kind);
    equal(file.locateCount, 4, kind);
  }
});

test('read: what is known to be cut off is not asked for again', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  await file.read(0, 1000);
  file.chunks = [{ offset: 0, bytes: CONTENT.slice(0, 300), version: 2 }];
  file.size = 300;
  deepEqual(await file.read(0, 1000), CONTENT.subarray(0, 300));
});

test('read: once located, a path stands for its file: what replaced it is not mixed in', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  await file.read(0, 1000);
  file.onRead = () => {
    throw new FsError('CHUNK_NOT_FOUND', 'collected');
  };
  file.onLocate = () => {
    throw new FsError('NOT_FOUND', 'inode 7 is gone');
  };
  await rejects(file.read(0, 1000), { kind: 'STALE_HANDLE', code: 'ESTALE' });
});

test('read: a large range goes in frames, as many at once as the limit, each into its place', async () => {
  const bytes = pattern(20 * MiB + 77);
  const file = new ScriptedFile([{ offset: 0, bytes }]);
  let running = 0;
  let most = 0;
  file.onRead = async () => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  equal(Buffer.compare(await file.read(5, bytes.length), bytes.subarray(5)), 0);
  equal(most, READ_FRAMES_IN_FLIGHT);
  ok(file.reads.every(({ request }) => request.length <= MiB));
  // Cut where whole frames would be, so that no block is read twice.
  ok(file.reads.slice(1).every(({ request }) => request.offset % MiB === 0));
});

test('read: up to 1 MiB of one chunk is asked for at once, so all of it is of one moment', async () => {
  const chunks = [
    { offset: 0, bytes: pattern(3 * MiB, 1) },
    { offset: 3 * MiB, bytes: pattern(3 * MiB, 2) },
  ];
  const asked = async (offset: number, length: number) => {
    const file = new ScriptedFile(chunks);
    const bytes = await file.read(offset, length);
    equal(
      Buffer.compare(bytes, Buffer.concat(chunks.map((chunk) => chunk.bytes)).subarray(offset, offset + length)),
      0,
    );
    return file.reads.map(({ request }) => [request.handle, request.offset, request.length]);
  };
  deepEqual(await asked(MiB - 50, 100), [[handleOf(0), MiB - 50, 100]]);
  deepEqual(await asked(MiB + 5, MiB), [[handleOf(0), MiB + 5, MiB]]);
  // Each chunk for itself.
  deepEqual(await asked(3 * MiB - 7, 1000), [
    [handleOf(0), 3 * MiB - 7, 7],
    [handleOf(3 * MiB), 0, 993],
  ]);
  deepEqual(await asked(5, MiB + 1), [
    [handleOf(0), 5, MiB - 5],
    [handleOf(0), MiB, 6],
  ]);
});

test('read: an abort in the middle ends it with its reason and asks nobody any more', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: pattern(20 * MiB) }]);
  const abort = new AbortController();
  file.onRead = (_, _address, { options }) => {
    if (file.reads.length === 4) abort.abort(new Error('not wanted'));
    options.signal?.throwIfAborted();
  };
  await rejects(file.read(0, 20 * MiB, { signal: abort.signal }), /not wanted/);
  const count = file.reads.length;
  await new Promise((resolve) => setImmediate(resolve));
  equal(file.reads.length, count);
  ok(count <= 4 + READ_FRAMES_IN_FLIGHT, `${count} reads`);
});

test('read: the time of one attempt never exceeds what is left', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
  const allowed: number[] = [];
  file.onRead = async (_, _address, { options }) => {
    allowed.push(options.timeoutMs!);
    await file.calls.seams.clock.sleep(options.timeoutMs!);
    throw new FsError('DEADLINE_EXCEEDED', 'no answer');
  };
  await rejects(file.read(0, 1000, { timeoutMs: 7000 }), { kind: 'DEADLINE_EXCEEDED' });
  deepEqual(allowed, [5000, 2000]);
  equal(file.calls.seams.clock.nowMs(), 7000);
});

test('read: a time that is over is told once', async () => {
  for (const timeoutMs of [0, 1, 7000]) {
    const file = new ScriptedFile([{ offset: 0, bytes: CONTENT }]);
    file.onRead = async (_, _address, { options }) => {
      await file.calls.seams.clock.sleep(options.timeoutMs!);
      throw new FsError('DEADLINE_EXCEEDED', 'no answer');
    };
    await rejects(file.read(0, 1000, { timeoutMs }), ({ message }: Error) => message.split('gave up').length === 2);
  }
});

test('read: each extent is asked for by its own handle and offset', async () => {
  const file = new ScriptedFile([
    { offset: 0, bytes: pattern(100, 1) },
    { offset: 100, bytes: pattern(100, 2) },
  ]);
  await file.read(50, 100);
  deepEqual(
    file.reads.map(({ request: { handle, offset, length, knownLength } }) => [handle, offset, length, knownLength]),
    [
      [handleOf(0), 50, 50, 100],
      [handleOf(100), 0, 50, 100],
    ],
  );
});

test('read: a piece of an earlier attempt that comes late never falls into a later one', async () => {
  const file = new ScriptedFile([{ offset: 0, bytes: pattern(2 * MiB, 1) }]);
  let release = () => {};
  const late = new Promise<void>((resolve) => (release = resolve));
  file.onRead = async ({ offset, version }) => {
    if (version === 2) return;
    if (offset === 0) throw new FsError('STALE_VERSION', 'the file was cut and written anew');
    setImmediate(release);
    await late;
    return new ScriptedData({ length: MiB, committedLength: 2 * MiB }, pattern(2 * MiB, 1).slice(MiB));
  };
  const reading = file.read(0, 2 * MiB);
  file.onLocate = () => {
    if (file.locateCount === 2) file.chunks = [{ offset: 0, bytes: pattern(2 * MiB, 2), version: 2 }];
  };
  equal(Buffer.compare(await reading, pattern(2 * MiB, 2)), 0);
});
