/** Callers over gRPC that do not take their answers: what they make a server hold is bounded, and they lose their connection. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Clock, crc32c, type Log } from '@cairnfs/base';
import {
  ANSWERS_UNTAKEN_MS_MAX,
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

const MIB = 1024 * 1024;
const ROOM_BYTES = 8 * MIB;
/** The patience of the server passes so many times faster, while it is looked at. */
const FASTER = 20;
let patienceMs = ANSWERS_UNTAKEN_MS_MAX / FASTER;
const STREAMS = 40;
const REQUEST_BYTES = 600_000;

const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs === ANSWERS_UNTAKEN_MS_MAX ? patienceMs : delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
let made = 0;

const unused = () => Promise.reject(new Error('not called'));
const chunkStreams = {
  storeChunk: unused,
  async *retrieveChunk(request: { length: number }, context: CallContext) {
    for (let offset = 0; offset < request.length; offset += MIB) {
      await context.room(MIB);
      made += 1;
      const data = Buffer.alloc(MIB);
      yield { offset, data, checksum: crc32c(data) };
    }
  },
  replicateChunk: unused,
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
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const call = session.request({ ':method': 'POST', ':path': Retrieve.path, ...headers });
  call.on('error', () => {});
  const message = Retrieve.requestSerialize({ handle: 'h', version: 1, offset: 0, length: 64 * MIB, knownLength: 0 });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  call.end(Buffer.concat([prefix, message]));
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

test('grpc: a connection that takes something keeps it, however long one answer takes', async () => {
  const slow = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  retrieveAndTakeNothing(slow);
  const call = retrieveAndTakeNothing(slow);
  while (handlers.answerBytes < 2 * MIB) await clock.sleep(5);
  // Of one answer a little now and then, of the other nothing.
  for (let passedMs = 0; passedMs < 3 * patienceMs; passedMs += 50) {
    call.read(32 * 1024);
    await clock.sleep(50);
  }
  assert.equal(slow.destroyed, false);
  slow.destroy();
  while (handlers.answerBytes > 0) await clock.sleep(5);
});

test('grpc: answers of unary calls hold their room until they have left, and all come in their turn', async () => {
  patienceMs = ANSWERS_UNTAKEN_MS_MAX;
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
