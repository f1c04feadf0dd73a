/** Callers over gRPC that do not take their answers: what they make a server hold is bounded, and they lose their connection. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Clock, crc32c, type Log } from '@cairnfs/base';
import {
  ANSWERS_LOOKED_AT_MS,
  ANSWERS_UNTAKEN_MS_MAX,
  CALL_DEADLINE_MS_MAX,
  type CallContext,
  type ChunkStreams,
  ChunkserverDataMethods,
  ChunkserverDefinition,
  createRpcServer,
  FileType,
  MasterDefinition,
  MasterMethods,
} from '@cairnfs/protocol';
import { Client, type ClientReadableStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';
import { rawCall } from './testing/raw-call.ts';

const MIB = 1024 * 1024;
const ROOM_BYTES = 8 * MIB;
/** The patience of the server passes so many times faster, while it is looked at. */
const FASTER = 20;
let faster = FASTER;
const PATIENCE_MS = ANSWERS_UNTAKEN_MS_MAX / FASTER;
/** Of calls whose caller named none, where it is looked at. */
let deadlineMs = CALL_DEADLINE_MS_MAX;
const STREAMS = 40;
const REQUEST_BYTES = 600_000;

const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    let ms = delayMs === ANSWERS_LOOKED_AT_MS ? delayMs / faster : delayMs;
    if (delayMs === CALL_DEADLINE_MS_MAX) ms = deadlineMs;
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
let made = 0;

/** Asks for as much to get one item, and no other before the call is over. */
const SILENT = 5;
const chunkStreams = {
  async storeChunk(requests: AsyncIterable<unknown>) {
    for await (const _ of requests);
    return { length: 0 };
  },
  async *retrieveChunk(request: { length: number }, context: CallContext) {
    for (let offset = 0; offset < request.length; offset += MIB) {
      await context.room(MIB);
      made += 1;
      const data = Buffer.alloc(MIB);
      yield { offset, data, checksum: crc32c(data) };
      if (request.length === SILENT) await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    }
  },
  replicateChunk: () => Promise.reject(new Error('not called')),
} as unknown as ChunkStreams;

const handlers = createRpcServer({
  clock,
  log,
  limits: { answerBytesMax: ROOM_BYTES, answerShareBytesMax: ROOM_BYTES },
});
handlers.handle(MasterMethods.list, async (_request, context) => {
  await context.room(MIB);
  made += 1;
  const entry = { name: 'n'.repeat(MIB - 100), inode: 2, type: FileType.FILE_TYPE_FILE, attributes: undefined };
  return { message: { entries: [entry], nextCursor: '' } };
});
const grpc = createGrpcServer({ clock, log, handlers, chunkStreams });
const clients: Client[] = [];
const sockets: Socket[] = [];
let listener: Server;

before(async () => {
  listener = createServer((socket: Socket) => {
    sockets.push(socket);
    grpc.accept(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  for (const client of clients) client.close();
  await grpc.close();
  listener.close();
});

function newClient(at: Server = listener): Client {
  const { port } = at.address() as AddressInfo;
  // Each has a connection of its own.
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc-node.flow_control_window': 64 * 1024,
  });
  clients.push(client);
  return client;
}

const Retrieve = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.retrieveChunk);
const Mutate = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.mutate);
const Store = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.storeChunk);
const List = methodDefinition(MasterDefinition.fullName, MasterDefinition.methods.list);

function retrieve(client: Client, length: number): ClientReadableStream<unknown> {
  const request = { handle: 'h', version: 1, offset: 0, length, knownLength: 0 };
  return client.makeServerStreamRequest(
    Retrieve.path,
    Retrieve.requestSerialize,
    Retrieve.responseDeserialize,
    request,
  );
}

function list(client: Client): Promise<unknown> {
  const request = { directory: undefined, cursor: '', limit: 0, withAttributes: false };
  const { path, requestSerialize, responseDeserialize } = List;
  return new Promise((resolve, reject) => {
    const answered = (error: ServiceError | null, reply: unknown) => (error === null ? resolve(reply) : reject(error));
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, answered);
  });
}

/** Asks as a client of gRPC does, and never reads the answer: HTTP/2 lets 64 KiB of it come. */
function retrieveAndTakeNothing(session: ClientHttp2Session): ClientHttp2Stream {
  const call = rawCall(session, Retrieve, { handle: 'h', version: 1, offset: 0, length: 64 * MIB, knownLength: 0 });
  call.end();
  return call;
}

function mutate(client: Client): Promise<unknown> {
  const data = Buffer.alloc(REQUEST_BYTES);
  const kind = { $case: 'append' as const, value: true };
  const request = { handle: 'h', version: 1, kind, operation: undefined, data, checksum: undefined, capacity: 0 };
  const { path, requestSerialize, responseDeserialize } = Mutate;
  return new Promise((resolve, reject) => {
    const answered = (error: ServiceError | null, reply: unknown) => (error === null ? resolve(reply) : reject(error));
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, answered);
  });
}

function storeNothing(client: Client): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = Store;
  return new Promise((resolve, reject) => {
    client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, reply) =>
      error === null ? resolve(reply) : reject(error),
    );
  });
}

async function drain(call: ClientReadableStream<unknown>): Promise<number> {
  let bytes = 0;
  for await (const item of call) bytes += (item as { data: Uint8Array }).data.length;
  return bytes;
}

test('grpc: streams that are not read are bounded, others are served beside them, and they lose their connection', async () => {
  const idle = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  idle.on('error', () => {});
  for (let count = 0; count < STREAMS; count += 1) retrieveAndTakeNothing(idle);
  // No more than is free besides.
  while (handlers.answerBytes < ROOM_BYTES / 2) await clock.sleep(5);
  await clock.sleep(50);
  assert.deepEqual([handlers.answerBytes, made], [ROOM_BYTES / 2, ROOM_BYTES / 2 / MIB]);
  assert.equal(await drain(retrieve(newClient(), 20 * MIB)), 20 * MIB);
  while (handlers.answerBytes > 0) await clock.sleep(5);
  assert.equal(sockets[0]!.destroyed, true);
});

test('grpc: a connection that takes enough keeps it, though one of its answers is not taken', async () => {
  const slow = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  retrieveAndTakeNothing(slow);
  const call = retrieveAndTakeNothing(slow);
  while (handlers.answerBytes < 2 * MIB) await clock.sleep(5);
  // 64 KiB at a time, far more than 2 MiB while the server is patient.
  for (const sinceMs = clock.nowMs(); clock.nowMs() < sinceMs + 3 * PATIENCE_MS; ) {
    while (call.read() !== null);
    await clock.sleep(5);
  }
  assert.equal(slow.destroyed, false);
  slow.destroy();
  while (handlers.answerBytes > 0) await clock.sleep(5);
});

test('grpc: a connection that takes a little of an answer now and then loses it', { timeout: 20_000 }, async () => {
  const miser = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  miser.on('error', () => {});
  const call = retrieveAndTakeNothing(miser);
  while (handlers.answerBytes === 0) await clock.sleep(5);
  const socket = sockets.at(-1)!;
  let takenBytes = 0;
  const startedMs = clock.nowMs();
  while (!socket.destroyed && clock.nowMs() < startedMs + 4 * PATIENCE_MS) {
    takenBytes += (call.read() as Buffer | null)?.length ?? 0;
    await clock.sleep(PATIENCE_MS / 4);
  }
  assert.equal(socket.destroyed, true);
  assert.ok(takenBytes > 64 * 1024, `${takenBytes} bytes were taken`);
  while (handlers.answerBytes > 0) await clock.sleep(5);
});

test('grpc: a call ends with its time, whether it is taken, waited for or worked on', { timeout: 20_000 }, async () => {
  deadlineMs = 300;
  try {
    const session = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
    const call = retrieveAndTakeNothing(session);
    await new Promise((resolve) => call.once('close', resolve));
    assert.equal(call.rstCode, constants.NGHTTP2_CANCEL);
    while (handlers.answerBytes > 0) await clock.sleep(5);
    assert.equal(session.destroyed, false);
    session.destroy();
    // Its answers were all taken, and the next one is long in coming; no request came.
    const silent = retrieve(newClient(), SILENT);
    await assert.rejects(drain(silent), { code: status.DEADLINE_EXCEEDED });
    await assert.rejects(storeNothing(newClient()), { code: status.DEADLINE_EXCEEDED });
    while (handlers.callCount > 0) await clock.sleep(5);
  } finally {
    deadlineMs = CALL_DEADLINE_MS_MAX;
  }
});

test('grpc: answers of unary calls hold their room until they have left, and all come in their turn', async () => {
  faster = 1;
  const client = newClient();
  await Promise.all(Array.from({ length: 3 * STREAMS }, () => list(client)));
  while (handlers.answerBytes > 0) await clock.sleep(5);
});

test('grpc: connections beyond the bound are closed, and requests beyond what a server holds are refused', async () => {
  const own = createRpcServer({ clock, log, limits: { receivedBytesMax: MIB } });
  const held: (() => void)[] = [];
  own.handle(ChunkserverDataMethods.mutateChunk, () => {
    const message = { offset: 0, committedLength: 0, sequence: 1, repeatedOperation: false };
    return new Promise((resolve) => held.push(() => resolve({ message })));
  });
  const server = createGrpcServer({ clock, log, handlers: own, connectionsMax: 1 });
  const port = createServer((socket) => server.accept(socket));
  await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
  const [first, second] = [newClient(port), newClient(port)];
  const answered = mutate(first);
  while (held.length === 0) await clock.sleep(5);
  await assert.rejects(mutate(first), { code: status.RESOURCE_EXHAUSTED });
  assert.deepEqual([own.receivedBytes, own.callCount], [REQUEST_BYTES, 1]);
  await assert.rejects(mutate(second), { code: status.UNAVAILABLE });
  held[0]!();
  await answered;
  assert.deepEqual([own.receivedBytes, own.callCount], [0, 0]);
  await server.close();
  port.close();
});
