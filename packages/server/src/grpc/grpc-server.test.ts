import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Clock, crc32c, FsError, type Log } from '@cairnfs/base';
import {
  type CallContext,
  type ChunkStreams,
  ChunkserverDataMethods,
  ChunkserverDefinition,
  createRpcServer,
  ErrorDetail,
  MasterDefinition,
  MasterMethods,
  type MutateReply,
  type MutateRequest,
  type ReplicateChunkReply,
  type RetrieveChunkReply,
  type StatReply,
  type StoreChunkReply,
  type StoreChunkRequest,
} from '@cairnfs/protocol';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';

const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const MIB = 1024 * 1024;

type Chunk = { stored: Buffer[]; contexts: CallContext[]; returned: number };
const seen: Chunk = { stored: [], contexts: [], returned: 0 };

const streams: ChunkStreams = {
  async storeChunk(requests, context) {
    seen.contexts.push(context);
    let length = 0;
    for await (const request of requests) {
      if (request.chunk?.version === 9)
        throw new FsError('STALE_VERSION', 'version 9 is old', { details: { version: 9 } });
      seen.stored.push(Buffer.from(request.data));
      length += request.data.length;
    }
    return { length };
  },
  async *retrieveChunk(request, context) {
    seen.contexts.push(context);
    try {
      for (let offset = request.offset; offset < request.length; offset += MIB) {
        const data = Buffer.alloc(Math.min(MIB, request.length - offset), offset / MIB);
        yield { offset, data, checksum: crc32c(data) };
      }
    } finally {
      seen.returned += 1;
    }
  },
  async *replicateChunk(requests, context) {
    seen.contexts.push(context);
    for await (const request of requests) {
      const end = request.offset + request.data.length;
      yield { receivedLength: end, durableLength: request.isFinal ? end : 0 };
    }
  },
};

const handlers = createRpcServer({ clock, log });
handlers.handle(MasterMethods.stat, async (request, context) => {
  if (request.file?.path === '/slow') {
    seen.contexts.push(context);
    await new Promise((_resolve, reject) =>
      context.signal.addEventListener('abort', () => reject(context.signal.reason)),
    );
  }
  if (request.file?.path !== '/a') {
    throw new FsError('NOT_FOUND', 'no such file: /b', { details: { path: '/b' } });
  }
  return { message: { attributes: undefined } };
});
handlers.handle(ChunkserverDataMethods.mutateChunk, (request, context) => {
  assert.equal(crc32c(context.data!.bytes), context.data!.checksum);
  return {
    message: {
      offset: 0,
      committedLength: context.data!.bytes.length,
      sequence: 1,
      repeatedOperation: request.version > 1,
    },
  };
});

const grpc = createGrpcServer({ clock, log, handlers, chunkStreams: streams });
const listener = createServer((socket: Socket) => {
  // As on the shared port: the first bytes are looked at and put back.
  socket.once('readable', () => {
    const first = socket.read() as Buffer;
    assert.equal(first.subarray(0, 3).toString(), 'PRI');
    socket.unshift(first);
    grpc.accept(socket);
  });
});
let client: Client;

before(async () => {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

after(async () => {
  client.close();
  await grpc.close();
  listener.close();
});

const Stat = methodDefinition(MasterDefinition.fullName, MasterDefinition.methods.stat);
const Mutate = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.mutate);
const Store = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.storeChunk);
const Retrieve = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.retrieveChunk);
const Replicate = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.replicateChunk);

function unary<S>(method: typeof Stat, request: unknown, options: { deadline?: number } = {}) {
  let cancel = (): void => {};
  const reply = new Promise<S>((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
      options,
      (error, value) => (error ? reject(error) : resolve(value as S)),
    );
    cancel = () => call.cancel();
  });
  return { reply, cancel };
}

async function failure(
  promise: Promise<unknown>,
): Promise<{ code: status; kind: string; details: Record<string, string> }> {
  const error = await promise.then(
    () => assert.fail('expected an error'),
    (reason: ServiceError) => reason,
  );
  const trailer = error.metadata?.get('cairn-error-bin')[0];
  const detail = Buffer.isBuffer(trailer) ? ErrorDetail.decode(trailer) : undefined;
  return { code: error.code, kind: detail?.kind ?? '', details: detail?.details ?? {} };
}

function store(parts: Partial<StoreChunkRequest>[]): Promise<StoreChunkReply> {
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(
      Store.path,
      Store.requestSerialize,
      Store.responseDeserialize,
      (error, value) => (error ? reject(error) : resolve(value as StoreChunkReply)),
    );
    for (const part of parts) call.write({ chunk: undefined, data: Buffer.alloc(0), checksum: undefined, ...part });
    call.end();
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('grpc: a unary call is answered by the handler of the framed protocol', async () => {
  const reply = await unary<StatReply>(Stat, { file: { path: '/a', inode: 0 } }).reply;
  assert.deepEqual(reply, { attributes: undefined });
});

test('grpc: an error arrives as the nearest status, with the whole detail in the trailer', async () => {
  assert.deepEqual(await failure(unary(Stat, { file: { path: '/b', inode: 0 } }).reply), {
    code: status.NOT_FOUND,
    kind: 'NOT_FOUND',
    details: { path: '/b' },
  });
});

test('grpc: a method without handler is unimplemented', async () => {
  const list = methodDefinition(MasterDefinition.fullName, MasterDefinition.methods.makeDirectory);
  const request = { path: '/a', parents: false, mode: 0, owner: '', group: '', operation: undefined };
  const { code, kind } = await failure(unary(list, request).reply);
  assert.deepEqual([code, kind], [status.UNIMPLEMENTED, 'UNKNOWN_METHOD']);
});

test('grpc: deadline and cancellation reach the handler', async () => {
  const late = unary(Stat, { file: { path: '/slow', inode: 0 } }, { deadline: Date.now() + 100 });
  assert.equal((await failure(late.reply)).code, status.DEADLINE_EXCEEDED);
  const first = seen.contexts.at(-1)!;
  await until(() => first.signal.aborted);
  assert.ok(first.deadlineMs < performance.now() + 1000);
  const count = seen.contexts.length;
  const { reply, cancel } = unary(Stat, { file: { path: '/slow', inode: 0 } });
  const cancelled = failure(reply);
  await until(() => seen.contexts.length > count);
  cancel();
  assert.equal((await cancelled).code, status.CANCELLED);
  await until(() => seen.contexts.at(-1)!.signal.aborted);
  assert.equal((seen.contexts.at(-1)!.signal.reason as FsError).kind, 'CANCELLED');
});

test('grpc: a mutation finds its bytes where a frame would have put them', async () => {
  const request: MutateRequest = {
    handle: 'h',
    version: 2,
    kind: { $case: 'append', value: true },
    operation: undefined,
    data: Buffer.from('record'),
    checksum: undefined,
    capacity: 0,
  };
  const reply = await unary<MutateReply>(Mutate, request).reply;
  assert.deepEqual(reply, { offset: 0, committedLength: 6, sequence: 1, repeatedOperation: true });
});

test('grpc: a client stream is read to its end and answered once', async () => {
  seen.stored = [];
  const parts = Array.from({ length: 20 }, (_, index) => ({ data: Buffer.alloc(MIB, index) }));
  assert.deepEqual(await store(parts), { length: 20 * MIB });
  assert.deepEqual(
    seen.stored.map((data) => data[0]),
    parts.map((_, index) => index),
  );
});

test('grpc: a refusal in the middle of a client stream ends it', async () => {
  const chunk = { handle: 'h', version: 9, replicas: [], length: 0, open: false };
  const parts = [{ chunk, data: Buffer.alloc(10) }, ...Array.from({ length: 8 }, () => ({ data: Buffer.alloc(MIB) }))];
  assert.deepEqual(await failure(store(parts)), {
    code: status.ABORTED,
    kind: 'STALE_VERSION',
    details: { version: '9' },
  });
});

test('grpc: a server stream arrives whole, and cancelling it ends the handler', async () => {
  const request = { handle: 'h', version: 1, offset: 0, length: 10 * MIB + 5, knownLength: 0 };
  const open = (length: number) =>
    client.makeServerStreamRequest(Retrieve.path, Retrieve.requestSerialize, Retrieve.responseDeserialize, {
      ...request,
      length,
    });
  let received = 0;
  for await (const item of open(request.length)) {
    const { offset, data, checksum } = item as RetrieveChunkReply;
    assert.equal(offset, received);
    assert.equal(crc32c(data), checksum);
    received += data.length;
  }
  assert.equal(received, request.length);
  const { returned } = seen;
  const call = open(64 * MIB);
  call.on('error', () => {});
  await new Promise((resolve) => call.once('data', resolve));
  call.pause();
  call.cancel();
  await until(() => seen.returned > returned);
});

test('grpc: a bidirectional stream answers as it goes', async () => {
  const call = client.makeBidiStreamRequest(Replicate.path, Replicate.requestSerialize, Replicate.responseDeserialize);
  const replies = call[Symbol.asyncIterator]();
  for (let index = 0; index < 5; index += 1) {
    const data = Buffer.alloc(1000);
    call.write({ chunk: undefined, offset: index * 1000, data, checksum: crc32c(data), isFinal: index === 4 });
    const { value } = await replies.next();
    const expected: ReplicateChunkReply = { receivedLength: (index + 1) * 1000, durableLength: index === 4 ? 5000 : 0 };
    assert.deepEqual(value, expected);
  }
  call.end();
  assert.equal((await replies.next()).done, true);
});

test('grpc: a cancelled request stream throws at the handler', async () => {
  const call = client.makeBidiStreamRequest(Replicate.path, Replicate.requestSerialize, Replicate.responseDeserialize);
  call.on('error', () => {});
  const count = seen.contexts.length;
  call.write({ chunk: undefined, offset: 0, data: Buffer.alloc(1), checksum: 0, isFinal: false });
  await until(() => seen.contexts.length > count);
  call.cancel();
  await until(() => seen.contexts.at(-1)!.signal.aborted);
});

test('grpc: a message above the limit is refused', async () => {
  assert.equal((await failure(store([{ data: Buffer.alloc(5 * MIB) }]))).code, status.RESOURCE_EXHAUSTED);
});

test('grpc: closing the server ends what is under way', async () => {
  const own = createGrpcServer({ clock, log, handlers, chunkStreams: streams });
  const sockets: Socket[] = [];
  const port = createServer((socket) => {
    sockets.push(socket);
    own.accept(socket);
  });
  await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
  const other = new Client(`127.0.0.1:${(port.address() as AddressInfo).port}`, credentials.createInsecure());
  const count = seen.contexts.length;
  const { path, requestSerialize, responseDeserialize } = Stat;
  const ended = new Promise<ServiceError | null>((resolve) => {
    other.makeUnaryRequest(path, requestSerialize, responseDeserialize, { file: { path: '/slow', inode: 0 } }, resolve);
  });
  await until(() => seen.contexts.length > count);
  await own.close();
  assert.ok((await ended) !== null);
  await until(() => seen.contexts.at(-1)!.signal.aborted && sockets.every((socket) => socket.destroyed));
  other.close();
  port.close();
});
