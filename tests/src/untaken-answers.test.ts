/** Peers that send reads and take no answers, at a real chunkserver: what they make its process hold is bounded. */
import { equal, ok } from 'node:assert/strict';
import { connect as connectTo, type Socket } from 'node:net';
import { test } from 'node:test';
import { crc32c, MiB } from '@cairnfs/base';
import { connect } from '@cairnfs/client/node';
import {
  ChunkserverDataMethods,
  FRAME_DATA_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameKind,
  Hello,
  PREFACE,
  ReadChunkRequest,
  SERVER_ANSWER_BYTES_MAX,
  SERVER_OPEN_CALLS_MAX,
} from '@cairnfs/protocol';
import { TestCluster } from './harness/cluster.ts';

const PEERS = 24;
const FILE_BYTES = 32 * MiB;
/** What reads of a healthy client take besides, and what the process allocates on its way. */
const SLACK_BYTES = 96 * MiB;
const WATCHED_MS = 4000;

/** As docs/protocol.md has it. */
function frame(kind: number, { requestId = 0, method = 0, value = 0 }, message: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32LE(message.length, 0);
  header.writeUInt32LE(requestId, 8);
  header.writeUInt16LE(method, 12);
  header.writeUInt8(kind, 14);
  header.writeUInt32LE(value, 16);
  header.writeUInt32LE(crc32c(Buffer.concat([header.subarray(0, 24), message])), 24);
  return Buffer.concat([header, message]);
}

/** Sends as many reads as a connection may have open, and reads nothing. */
async function askAndTakeNothing(address: string, chunk: { handle: string; version: number }): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connectTo(Number(port), host);
  socket.pause();
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const { id: method } = ChunkserverDataMethods.readChunk;
  const reads = Array.from({ length: SERVER_OPEN_CALLS_MAX }, (_, index) => {
    const offset = (index * FRAME_DATA_BYTES_MAX) % FILE_BYTES;
    const request = {
      ...chunk,
      offset,
      length: FRAME_DATA_BYTES_MAX,
      knownLength: FILE_BYTES,
      knownSequence: undefined,
    };
    const fields = { requestId: index + 1, method, value: 60_000 };
    return frame(FrameKind.request, fields, ReadChunkRequest.encode(request).finish());
  });
  const said = { version: 1, lowestVersion: 1, fromServer: false, series: new Uint8Array(0), number: 0 };
  const hello = frame(FrameKind.hello, {}, Hello.encode(said).finish());
  socket.write(Buffer.concat([Buffer.from(PREFACE), hello, ...reads]));
  return socket;
}

test('untaken answers: many peers that take none cost a chunkserver no more than its bound, and others read on', {
  timeout: 120_000,
}, async () => {
  const cluster = await TestCluster.start();
  const client = await connect({ masters: [cluster.masterAddress] });
  const sockets: Socket[] = [];
  try {
    await client.writeFile('/file', Buffer.alloc(FILE_BYTES, 7));
    const [chunk] = (await client.locate('/file')).chunks;
    const { handle, version, replicas } = chunk!;
    const { address } = replicas[0]!;
    const name = cluster.chunkserverNames.find((server) => cluster.log(server).includes(address))!;
    const before = cluster.memoryOf(name).ownBytes;
    for (let count = 0; count < PEERS; count += 1) sockets.push(await askAndTakeNothing(address, { handle, version }));
    let most = 0;
    for (const endMs = Date.now() + WATCHED_MS; Date.now() < endMs; ) {
      most = Math.max(most, cluster.memoryOf(name).ownBytes);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const more = most - before;
    ok(more > SERVER_ANSWER_BYTES_MAX / 4, `${more} bytes: the peers do not ask for what they should`);
    ok(more < SERVER_ANSWER_BYTES_MAX + SLACK_BYTES, `${Math.round(more / MiB)} MiB more than before`);
    equal((await client.readFile('/file')).length, FILE_BYTES);
  } finally {
    for (const socket of sockets) socket.destroy();
    await client.close();
    await cluster.close();
  }
});
