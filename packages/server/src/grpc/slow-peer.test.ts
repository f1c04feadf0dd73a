/** A caller over gRPC whose windows take much at once and whose network takes it slowly keeps its connection. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type Clock, crc32c, type Log } from '@cairnfs/base';
import {
  ANSWERS_LOOKED_AT_MS,
  ANSWERS_TAKEN_BYTES_MIN,
  ANSWERS_UNTAKEN_MS_MAX,
  type CallContext,
  type ChunkStreams,
  ChunkserverDefinition,
  createRpcServer,
} from '@cairnfs/protocol';
import { createGrpcServer, methodDefinition } from './grpc-server.ts';
import { rawCall } from './testing/raw-call.ts';

const MIB = 1024 * 1024;
const LOOKS_MAX = ANSWERS_UNTAKEN_MS_MAX / ANSWERS_LOOKED_AT_MS;
const ANSWER_BYTES = 2 * MIB;
/** Far more in all than the buffers of the kernel on both sides of a connection. */
const ANSWERS = 12;
const WINDOW_BYTES = 2 * ANSWERS * ANSWER_BYTES;
/** Taken before each look: twice what the peer has to take, and what the kernel may take at once besides. */
const TAKEN_BYTES = (2 * (ANSWERS_TAKEN_BYTES_MIN + 2 * MIB)) / LOOKS_MAX;

/** Looks come when the test says so. */
let looks = new Set<() => void>();
const clock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    if (delayMs === ANSWERS_LOOKED_AT_MS) looks.add(callback);
    return { cancel: () => void looks.delete(callback) };
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

let asked = 0;
let answerAll = (): void => {};
const allAsked = new Promise<void>((resolve) => {
  answerAll = resolve;
});
const chunkStreams = {
  storeChunk: () => Promise.reject(new Error('not called')),
  async *retrieveChunk(_: unknown, context: CallContext) {
    asked += 1;
    await allAsked;
    await context.room(ANSWER_BYTES);
    const data = Buffer.alloc(ANSWER_BYTES);
    yield { offset: 0, data, checksum: crc32c(data) };
  },
  replicateChunk: () => Promise.reject(new Error('not called')),
} as unknown as ChunkStreams;
const Retrieve = methodDefinition(ChunkserverDefinition.fullName, ChunkserverDefinition.methods.retrieveChunk);

const handlers = createRpcServer({
  clock,
  log,
  limits: { answerBytesMax: 4 * ANSWERS * ANSWER_BYTES, answerShareBytesMax: 2 * ANSWERS * ANSWER_BYTES },
});
const grpc = createGrpcServer({ clock, log, handlers, chunkStreams });
let served: Socket | undefined;
let listener: Server;
/** The network between: takes of what the server sends only what the test takes. */
let network: Server;
let arriving: Socket | undefined;
let departing: Socket | undefined;

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

before(async () => {
  listener = createServer((socket) => {
    served = socket;
    grpc.accept(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  network = createServer((socket) => {
    departing = socket.on('error', () => {});
    arriving = dial(portOf(listener), '127.0.0.1').on('error', () => {});
    departing.pipe(arriving);
  });
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  arriving?.destroy();
  departing?.destroy();
  await grpc.close();
  listener.close();
  network.close();
});

/** Lets so much pass to the caller, unless all has passed before. */
async function take(bytes: number, isDone: () => boolean): Promise<void> {
  for (let left = bytes; left > 0 && !isDone() && served?.destroyed !== true; ) {
    const part = arriving?.read(Math.max(1, Math.min(left, arriving.readableLength))) as Buffer | null | undefined;
    left -= part?.length ?? 0;
    if (part) departing?.write(part);
    else await clock.sleep(1);
  }
}

test('grpc: a peer that takes a large write bit by bit keeps its connection', { timeout: 60_000 }, async () => {
  const caller = connect(`http://127.0.0.1:${portOf(network)}`, { settings: { initialWindowSize: WINDOW_BYTES } });
  caller.on('error', () => {});
  await new Promise((resolve) => caller.once('connect', resolve));
  caller.setLocalWindowSize(WINDOW_BYTES);
  let answeredBytes = 0;
  const isDone = (): boolean => answeredBytes >= ANSWERS * ANSWER_BYTES;
  for (let count = 0; count < ANSWERS; count += 1) {
    const call = rawCall(caller, Retrieve, {
      handle: 'h',
      version: 1,
      offset: 0,
      length: ANSWER_BYTES,
      knownLength: 0,
    });
    call.on('data', (data: Buffer) => {
      answeredBytes += data.length;
    });
    call.end();
  }
  while (asked < ANSWERS) await take(1, () => asked === ANSWERS);
  answerAll();
  while (!isDone()) {
    await take(TAKEN_BYTES, isDone);
    await clock.sleep(5);
    const due = looks;
    looks = new Set();
    for (const look of due) look();
    assert.equal(served?.destroyed, false, `dropped after ${answeredBytes} bytes`);
  }
  caller.destroy();
  while (handlers.answerBytes > 0) await clock.sleep(1);
});
