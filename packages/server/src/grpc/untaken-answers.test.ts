/** Callers over gRPC that do not take their answers: what they make a server hold is bounded, and they lose their connection. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Clock, crc32c, type Log } from '@cairnfs/base';
import {
  ANSWERS_UNTAKEN_MS_MAX,
  type CallContext,
  type ChunkStreams,
  ChunkserverDefinition,
  createRpcServer,
  FileType,
  MasterDefinition,
  MasterMethods,
} from '@cairnfs/protocol';
import { Client, type ClientReadableStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';

const MIB = 1024 * 1024;
const ROOM_BYTES = 8 * MIB;
/** The patience of the server passes so many times faster. */
const FASTER = 60;
const STREAMS = 40;

const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs === ANSWERS_UNTAKEN_MS_MAX ? delayMs / FASTER : delayMs);
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

function newClient(): Client {
  const { port } = listener.address() as AddressInfo;
  // Each has a connection of its own.
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc-node.flow_control_window': 64 * 1024,
  });
  clients.push(client);
  return client;
}

const Retrieve = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.retrieveChunk);
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
function retrieveAndTakeNothing(session: ClientHttp2Session): void {
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const call = session.request({ ':method': 'POST', ':path': Retrieve.path, ...headers });
  call.on('error', () => {});
  const message = Retrieve.requestSerialize({ handle: 'h', version: 1, offset: 0, length: 64 * MIB, knownLength: 0 });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  call.end(Buffer.concat([prefix, message]));
}

async function drain(call: ClientReadableStream<unknown>): Promise<number> {
  let bytes = 0;
  for await (const item of call) bytes += (item as { data: Uint8Array }).data.length;
  return bytes;
}

test('grpc: streams that are not read are bounded, lose their connection, and others are served then', async () => {
  const idle = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  idle.on('error', () => {});
  for (let count = 0; count < STREAMS; count += 1) retrieveAndTakeNothing(idle);
  while (handlers.answerBytes < ROOM_BYTES) await clock.sleep(5);
  await clock.sleep(50);
  const room = ROOM_BYTES / MIB;
  assert.deepEqual([handlers.answerBytes, made], [ROOM_BYTES, room]);
  assert.equal(await drain(retrieve(newClient(), 20 * MIB)), 20 * MIB);
  assert.deepEqual([sockets[0]!.destroyed, idle.destroyed], [true, true]);
  while (handlers.answerBytes > 0) await clock.sleep(5);
});

test('grpc: answers of unary calls hold their room until they have left, and all come in their turn', async () => {
  const client = newClient();
  await Promise.all(Array.from({ length: 3 * STREAMS }, () => list(client)));
  while (handlers.answerBytes > 0) await clock.sleep(5);
});
