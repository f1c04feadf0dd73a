import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CreateMode } from '@cairnfs/protocol';
import type { MasterCalls } from '../call/master-calls.ts';
import { FileCalls } from '../file-calls.ts';
import {
  BYTES_TO_SERVER_MAX,
  OUTCOME_OPEN_MS_MAX,
  SPARE_UPLOADS_MAX,
  UPLOAD_AVOIDED_MS,
  UPLOAD_REPLACEMENTS_MAX,
  UPLOAD_RESTARTS_MAX,
} from '../limits.ts';
import { FileReader } from '../read/file-reader.ts';
import { ReplicaReader } from '../read/replica-reader.ts';
import { type ScriptedCall, scriptedCalls } from '../testing/scripted-pool.ts';
import { Mutations } from './mutations.ts';
import { returnSpareUploads, uploadFile } from './upload.ts';
import { bufferSource, iterableSource } from './upload-source.ts';

const MiB = 1024 * 1024;

interface Frame {
  readonly handle: string;
  readonly offset: number;
  readonly sync: boolean;
  readonly fanOut: boolean;
  readonly bytes: Uint8Array;
}

/** A master that plans chunks c1, c2, ..., and chunkservers that keep the frames unless `refuse` throws. */
function scriptedCluster(
  refuse: (frame: Frame, count: number) => void | Promise<void> = () => {},
  chunkBytes = CHUNK_BYTES_MAX,
) {
  const chunks = new Map<string, { received: number; durable: number; data: Uint8Array }>();
  const calls: ScriptedCall[] = [];
  let planned = 0;
  let frames = 0;
  let losses = 0;
  let spares = 0;
  let confirmed: { handle: string; length: number; offset: number }[] = [];
  const plan = (count: number) =>
    Array.from({ length: count }, () => {
      planned += 1;
      const replicas = [1, 2, 3].map((serverId) => ({ serverId, address: `s${serverId}:1`, state: 1 }));
      return { handle: `c${planned}`, version: 1, replicas, length: 0, open: false };
    });
  const master = scriptedCalls(async (call) => {
    calls.push(call);
    const { method, request, options } = call;
    if (method === 'Master.BeginUpload')
      return { uploadId: 'u', chunks: plan(Number(request.chunkCount)), leaseMs: 60_000, chunkBytes };
    if (method === 'Master.ExtendUpload') return { chunks: plan(Number(request.chunkCount)) };
    if (method === 'Master.ConfirmUpload') {
      losses -= 1;
      if (losses >= 0) throw new FsError('UPLOAD_NOT_FOUND', 'the master knows no such upload');
      confirmed = request.chunks as typeof confirmed;
      const attributes = { inode: 20, type: 1, size: 0, mode: 0, xattrs: {} };
      if (request.wantsSpare !== true) return { attributes };
      spares += 1;
      return { attributes, spare: { uploadId: `spare${spares}`, chunks: plan(1), leaseMs: 60_000, chunkBytes: 0 } };
    }
    if (method === 'Master.Create')
      return { attributes: { inode: 21, type: 1, size: 0, mode: 0, xattrs: {} }, created: true };
    if (method !== 'ChunkserverData.UploadFrame') return {};
    const bytes = options.data!.buffers[0]!;
    const frame = { ...(request as unknown as Frame), bytes };
    frames += 1;
    await refuse(frame, frames);
    const chunk = chunks.get(frame.handle) ?? { received: 0, durable: 0, data: new Uint8Array(chunkBytes) };
    chunks.set(frame.handle, chunk);
    chunk.data.set(bytes, frame.offset);
    chunk.received = Math.max(chunk.received, frame.offset + bytes.length);
    if (frame.sync) chunk.durable = frame.offset + bytes.length;
    return { receivedLength: chunk.received, durableLength: chunk.durable };
  });
  return {
    master,
    calls,
    /** The file as confirmed. */
    content(size: number): Uint8Array {
      const whole = new Uint8Array(size);
      for (const { handle, length, offset } of confirmed) {
        equal(chunks.get(handle)!.durable >= length, true, `${handle} was confirmed beyond what is durable`);
        whole.set(chunks.get(handle)!.data.subarray(0, length), offset);
      }
      return whole;
    },
    /** The master has crashed by the next confirmations, and knows nothing of their uploads. */
    forget(count: number): void {
      losses = count;
    },
    get confirmed() {
      return confirmed;
    },
  };
}

function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = index * 7 + (index >> 12);
  return bytes;
}

test('upload: nothing is a file made by one call', async () => {
  const { master, calls } = scriptedCluster();
  await uploadFile(master, '/f', bufferSource(new Uint8Array(0)), {});
  deepEqual(
    calls.map(({ method }) => method),
    ['Master.Create'],
  );
});

test('upload: a small file is one frame to all members at once, made durable with it', async () => {
  const cluster = scriptedCluster((frame) => deepEqual([frame.sync, frame.fanOut], [true, true]));
  const bytes = pattern(3000);
  await uploadFile(cluster.master, '/f', bufferSource(bytes), {});
  equal(cluster.calls.length, 3);
  deepEqual(cluster.content(3000), bytes);
});

test('upload: one that the master lost is begun again while its bytes are at hand, and not for ever', async () => {
  const once = (bytes: Uint8Array) => {
    async function* pieces() {
      yield bytes;
    }
    return iterableSource(pieces());
  };
  const bytes = pattern(3000);
  const long = pattern(2 * MiB);
  for (const [source, stored] of [
    [bufferSource(bytes), bytes],
    [once(bytes), bytes],
    [bufferSource(long), long],
  ] as const) {
    const cluster = scriptedCluster();
    cluster.forget(2);
    await uploadFile(cluster.master, '/f', source, {});
    equal(cluster.calls.filter(({ method }) => method === 'Master.BeginUpload').length, 3);
    deepEqual(cluster.content(stored.length), stored);
  }
  const cluster = scriptedCluster();
  cluster.forget(UPLOAD_RESTARTS_MAX + 1);
  await rejects(uploadFile(cluster.master, '/f', bufferSource(bytes), {}), { kind: 'UPLOAD_NOT_FOUND' });
  cluster.forget(1);
  await rejects(uploadFile(cluster.master, '/f', once(long), {}), { kind: 'UPLOAD_NOT_FOUND' });
});

test('upload: one that is begun again after its file has grown takes all of it from the beginning', async () => {
  const bytes = pattern(3010);
  let at = 0;
  const growing = {
    sizeBytes: 3000,
    async next() {
      const piece = at === 0 ? bytes.subarray(0, 3000) : bytes.subarray(at);
      at += piece.length;
      return piece.length === 0 ? undefined : piece;
    },
    async restart() {
      at = 0;
    },
  };
  const cluster = scriptedCluster();
  cluster.forget(1);
  await uploadFile(cluster.master, '/f', growing, {});
  deepEqual(cluster.content(3010), bytes);
});

test('upload: a source with more or less than its size says is stored as it comes, each frame at the start of a block', async () => {
  for (const [sizeBytes, length] of [
    [3000, 2 * MiB + 10],
    [MiB + 1, 3 * MiB + 10],
    [3 * MiB, 10],
    [70 * MiB, MiB],
  ] as const) {
    const cluster = scriptedCluster(({ offset, fanOut }) => {
      equal(offset % (64 * 1024), 0);
      equal(fanOut, length <= 64 * 1024);
    });
    const bytes = pattern(length);
    await uploadFile(cluster.master, '/f', { ...bufferSource(bytes), sizeBytes }, {});
    deepEqual(cluster.content(length), bytes);
  }
});

/** What the master was asked, and of which upload. */
function askedOf(calls: readonly ScriptedCall[]): string[] {
  const asked = calls.filter(({ method }) => method.startsWith('Master.'));
  return asked.map(({ method, request }) => {
    const { path } = (request.target ?? request) as { path?: string };
    return [method.slice('Master.'.length), request.uploadId, path].filter((part) => part !== undefined).join(' ');
  });
}

test('upload: small files in a row need no plan of their own from the third on', async () => {
  const cluster = scriptedCluster();
  const put = (path: string, options = {}) => uploadFile(cluster.master, path, bufferSource(pattern(3000)), options);
  for (const path of ['/1', '/2', '/3', '/4']) await put(path);
  deepEqual(askedOf(cluster.calls), [
    ...['BeginUpload /1', 'ConfirmUpload u', 'BeginUpload /2', 'ConfirmUpload u'],
    ...['ConfirmUpload spare1 /3', 'ConfirmUpload spare2 /4'],
  ]);
  deepEqual(cluster.content(3000), pattern(3000));
  const { target } = cluster.calls.at(-1)!.request as { target: object };
  deepEqual(target, {
    path: '/4',
    create: CreateMode.CREATE_MODE_REPLACE,
    mode: 0,
    owner: '',
    group: '',
    makeParents: false,
  });

  cluster.calls.length = 0;
  await put('/copies', { replication: 2 }); // the spare at hand has another number of copies
  await uploadFile(cluster.master, '/large', bufferSource(pattern(65 * 1024)), {}); // more than a small one
  await cluster.master.seams.clock.sleep(30_000); // half of the lease
  await put('/late');
  deepEqual(
    askedOf(cluster.calls).filter((asked) => asked.startsWith('Begin')),
    ['BeginUpload /copies', 'BeginUpload /large', 'BeginUpload /late'],
  );
});

test('upload: no more spare ones are asked for than are kept, and those that are left go back', async () => {
  const cluster = scriptedCluster();
  const paths = Array.from({ length: 3 * SPARE_UPLOADS_MAX }, (_, index) => `/${index}`);
  await Promise.all(paths.map((path) => uploadFile(cluster.master, path, bufferSource(pattern(10)), {})));
  equal(cluster.calls.filter(({ request }) => request.wantsSpare === true).length, SPARE_UPLOADS_MAX);
  await uploadFile(cluster.master, '/last', bufferSource(pattern(10)), {}); // one out, one in
  cluster.calls.length = 0;
  await returnSpareUploads(cluster.master);
  await returnSpareUploads(cluster.master);
  const returned = cluster.calls.map(({ method, request }) => `${method} ${request.uploadId}`);
  deepEqual([returned.length, new Set(returned).size], [SPARE_UPLOADS_MAX, SPARE_UPLOADS_MAX]);
  ok(returned.includes(`Master.AbortUpload spare${SPARE_UPLOADS_MAX + 1}`));
});

test('upload: spare ones that the master has forgotten are not used again', async () => {
  const cluster = scriptedCluster();
  const put = (path: string) => uploadFile(cluster.master, path, bufferSource(pattern(3000)), {});
  await Promise.all(['/1', '/2', '/3'].map(put));
  cluster.calls.length = 0;
  cluster.forget(1);
  await put('/4');
  const begun = askedOf(cluster.calls).filter((asked) => !asked.startsWith('Abort'));
  deepEqual(begun, ['ConfirmUpload spare1 /4', 'BeginUpload /4', 'ConfirmUpload u']);
  await put('/5');
  deepEqual(askedOf(cluster.calls).at(-1), 'ConfirmUpload spare4 /5');
});

test('upload: a large file goes in frames, chunk by chunk, each durable to its end', async () => {
  const cluster = scriptedCluster();
  const bytes = pattern(65 * MiB + 123);
  await uploadFile(cluster.master, '/f', bufferSource(bytes), {});
  deepEqual(
    cluster.confirmed.map(({ offset, length }) => [offset, length]),
    [
      [0, 64 * MiB],
      [64 * MiB, MiB + 123],
    ],
  );
  equal(Buffer.compare(cluster.content(bytes.length), bytes), 0);
});

test('upload: a member that fails ends the chunk where all agree, and another takes the rest', async () => {
  let failedHandle = '';
  const cluster = scriptedCluster((frame, count) => {
    if (count === 25) failedHandle = frame.handle;
    if (frame.handle === failedHandle) throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  });
  const bytes = pattern(40 * MiB + 5);
  await uploadFile(cluster.master, '/f', bufferSource(bytes), {});
  equal(cluster.confirmed[0]!.length, 16 * MiB);
  equal(Buffer.compare(cluster.content(bytes.length), bytes), 0);
  const extend = cluster.calls.find(({ method }) => method === 'Master.ExtendUpload');
  deepEqual(extend?.request.avoidServers, [2]);
});

test('upload: a refusal for good is told, and the upload given up', async () => {
  const cluster = scriptedCluster(() => {
    throw new FsError('INVALID_ARGUMENT', 'no');
  });
  await rejects(uploadFile(cluster.master, '/f', bufferSource(pattern(10)), {}), { kind: 'INVALID_ARGUMENT' });
  equal(cluster.calls.at(-1)!.method, 'Master.AbortUpload');
});

test('upload: beginning is no change, and tried again however long nobody answers', async () => {
  const answersAtMs = 2 * OUTCOME_OPEN_MS_MAX;
  let count = 0;
  const master = scriptedCalls(({ method }) => {
    if (method !== 'Master.BeginUpload') return {};
    count += 1;
    if (count === 1) throw new FsError('CONNECTION_LOST', 'gone');
    if (master.seams.clock.nowMs() < answersAtMs) throw new FsError('CONNECTION_REFUSED', 'not there');
    throw new FsError('IS_A_DIRECTORY', 'it is a directory');
  });
  const put = uploadFile(master, '/f', bufferSource(pattern(10)), { timeoutMs: 2 * answersAtMs });
  await rejects(put, { kind: 'IS_A_DIRECTORY' });
});

test('upload: where nothing is stored, all tries together have the patience of one piece', async () => {
  const timeoutMs = 5000;
  const cluster = scriptedCluster(() => {
    throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  });
  await rejects(uploadFile(cluster.master, '/f', bufferSource(pattern(10)), { timeoutMs }), {
    kind: 'DEADLINE_EXCEEDED',
    message: 'gave up after 5 s: gone',
  });
  const tookMs = cluster.master.seams.clock.nowMs();
  ok(tookMs <= timeoutMs, `${tookMs} ms`);
});

test('upload: a long one gets over any number of failures, and in the end uses again what had failed', async () => {
  const chunkBytes = CHUNK_BYTES_MIN;
  const chunkCount = 4 * UPLOAD_REPLACEMENTS_MAX;
  let isFailing = true;
  // Each other chunk fails, in the first half.
  const cluster = scriptedCluster(async (frame) => {
    const number = Number(frame.handle.slice(1));
    if (number > chunkCount) isFailing = false;
    if (!isFailing) await cluster.master.seams.clock.sleep((4 * UPLOAD_AVOIDED_MS) / chunkCount);
    if (isFailing && number % 2 === 1) throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  }, chunkBytes);
  const bytes = pattern(chunkCount * chunkBytes);
  await uploadFile(cluster.master, '/f', bufferSource(bytes), {});
  equal(cluster.confirmed.length, chunkCount);
  equal(Buffer.compare(cluster.content(bytes.length), bytes), 0);
  const extensions = cluster.calls.filter(({ method }) => method === 'Master.ExtendUpload');
  deepEqual(extensions.at(-1)?.request.avoidServers, []);
});

test('upload: a server that failed is avoided for a while, however many chunks are stored meanwhile', async () => {
  const cluster = scriptedCluster((_frame, count) => {
    if (count === 1) throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  }, CHUNK_BYTES_MIN);
  await uploadFile(cluster.master, '/f', bufferSource(pattern(100 * CHUNK_BYTES_MIN)), {});
  const extensions = cluster.calls.filter(({ method }) => method === 'Master.ExtendUpload');
  ok(extensions.length > 2);
  for (const { request } of extensions) deepEqual(request.avoidServers, [2]);
});

test('upload: one that fails more often than it gets on is given up, though it does get on', async () => {
  const cluster = scriptedCluster((frame) => {
    const isStored = Number(frame.handle.slice(1)) % 3 === 0;
    if (!isStored) throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  }, CHUNK_BYTES_MIN);
  const bytes = pattern(2 * UPLOAD_REPLACEMENTS_MAX * CHUNK_BYTES_MIN);
  await rejects(uploadFile(cluster.master, '/f', bufferSource(bytes), {}), { kind: 'CONNECTION_LOST' });
});

test('upload: each byte is told once as stored, also what a failed chunk or a lost upload sends again', async () => {
  let failedHandle = '';
  const cluster = scriptedCluster((frame, count) => {
    if (count === 25) failedHandle = frame.handle;
    if (frame.handle === failedHandle) throw new FsError('CONNECTION_LOST', 'gone', { details: { server: 's2:1' } });
  });
  cluster.forget(1);
  const bytes = pattern(40 * MiB + 5);
  let told = 0;
  const onProgress = (more: number) => {
    ok(more > 0);
    told += more;
    ok(told <= bytes.length, `${told} bytes told of ${bytes.length}`);
  };
  await uploadFile(cluster.master, '/f', bufferSource(bytes), { onProgress });
  equal(told, bytes.length);
});

function filesOf(calls: MasterCalls): FileCalls {
  const reader = new FileReader(new ReplicaReader(calls.seams, calls.pool));
  return new FileCalls({ calls, reader, mutations: new Mutations(calls) });
}

test('upload: an abort ends it while its source has nothing to give, and the source is let go when it has', async () => {
  for (const given of [0, 1, 3]) {
    const files = filesOf(scriptedCluster().master);
    const abort = new AbortController();
    let comes = () => {};
    let isLetGo = false;
    async function* pieces() {
      try {
        for (let count = 0; count < given; count += 1) yield pattern(MiB);
        setImmediate(() => abort.abort('not wanted'));
        await new Promise<void>((resolve) => (comes = resolve));
        yield pattern(1);
      } finally {
        isLetGo = true;
      }
    }
    const stored = files.writeFile('/f', pieces(), { signal: abort.signal });
    equal(await stored.catch((error: unknown) => error), 'not wanted');
    comes();
    await new Promise(setImmediate);
    equal(isLetGo, true);
  }
});

test('upload: a source is let go when its bytes cannot be stored, and its own error is passed on', async () => {
  const refusing = scriptedCluster(() => {
    throw new FsError('NO_ATTRIBUTE', 'no');
  });
  const files = filesOf(refusing.master);
  let isLetGo = false;
  async function* pieces(failure?: Error) {
    try {
      yield 'one';
      if (failure !== undefined) throw failure;
      for (;;) yield pattern(MiB);
    } finally {
      isLetGo = true;
    }
  }
  await rejects(files.writeFile('/f', pieces()), { code: 'ENODATA' });
  equal(isLetGo, true);
  const failure = new Error('of the source');
  equal(await files.writeFile('/f', pieces(failure)).catch((error: unknown) => error), failure);
});

test('upload: times are rounded down, and a file as old as 1970 is not stored as new', async () => {
  const { master, calls } = scriptedCluster();
  for (const modifiedMs of [0, -5, 0.4]) {
    await uploadFile(master, '/f', bufferSource(pattern(10)), { modifiedMs });
    equal(calls.at(-1)!.request.modifiedMs, 1);
  }
  await uploadFile(master, '/f', bufferSource(pattern(10)), { modifiedMs: 5.9 });
  equal(calls.at(-1)!.request.modifiedMs, 5);
});

test('upload: an empty file that was replaced at once was there', async () => {
  const attributes = { inode: 21, type: 1, size: 0, mode: 0, xattrs: {} };
  const master = scriptedCalls(({ method }) => {
    if (method === 'Master.SetAttributes') throw new FsError('NOT_FOUND', 'no such inode');
    return { attributes, created: true };
  });
  deepEqual(await uploadFile(master, '/f', bufferSource(new Uint8Array(0)), { modifiedMs: 5 }), attributes);
});

test('upload: many at once do not send more to a server than a connection takes', async () => {
  let underWay = 0;
  let most = 0;
  const cluster = scriptedCluster(async ({ bytes }) => {
    underWay += bytes.length;
    most = Math.max(most, underWay);
    await new Promise(setImmediate);
    underWay -= bytes.length;
  });
  const bytes = pattern(4 * MiB);
  await Promise.all(Array.from({ length: 30 }, () => uploadFile(cluster.master, '/f', bufferSource(bytes), {})));
  equal(most, BYTES_TO_SERVER_MAX);
});
