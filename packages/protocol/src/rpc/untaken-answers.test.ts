/** Peers that ask and do not take their answers: what they make a server hold is bounded, others are served, and they end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChunkserverDataMethods as Data,
  FetchReplicaRequest,
  MasterMethods as Master,
  ChunkserverPeerMethods as Peer,
  ReadChunkRequest,
  StatRequest,
} from '../index.ts';
import { ANSWERS_LOOKED_AT_MS, ANSWERS_UNTAKEN_LOOKS_SHORT, ANSWERS_UNTAKEN_MS_MAX } from '../limits.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type Fixture, makeFixture, RecordingLog, seededRandom } from '../testing/fixtures.ts';
import { type LoopbackConnection, LoopbackNetwork } from '../testing/loopback-network.ts';
import { frameBytes, helloBytes, RawPeer } from '../testing/raw-peer.ts';
import { dataPart } from './data-part.ts';
import { FrameKind } from './frame.ts';
import { createRpcPool } from './rpc-pool.ts';
import { createRpcServer, type RpcServerLimits } from './rpc-server.ts';

const READ = ReadChunkRequest.encode({ handle: '', version: 1, offset: 0, length: 1, knownLength: 0 }).finish();
const FETCH = FetchReplicaRequest.encode({ handle: '', version: 1, length: 0, sequence: 0 }).finish();
const STAT = StatRequest.encode({ file: { path: '/', inode: 0 } }).finish();
const BYTES = 100_000;
/** As `sendItems` takes room for an item. */
const ITEM_BYTES = 1024 * 1024;
/** Frames around the data, and what needs no room. */
const SLACK_BYTES = 20_000;

interface Reader {
  readonly connection: LoopbackConnection;
  readonly peer: RawPeer;
}

function connect({ network, server }: Fixture): Reader {
  const { client, server: accepted } = network.pair('x');
  server.accept(accepted);
  const peer = new RawPeer(client);
  peer.send(helloBytes());
  return { connection: client, peer };
}

function read(requestId: number, value = 600_000): Buffer {
  return frameBytes({ kind: FrameKind.request, requestId, method: Data.readChunk.id, value, message: READ });
}

/** Answers reads with 100,000 bytes that they take room for; counts what is in memory. */
async function readServer(limits: Partial<RpcServerLimits>) {
  const held = { now: 0, most: 0, reads: 0 };
  const hold = (count: number) => {
    held.now += count;
    held.most = Math.max(held.most, held.now);
  };
  const fixture = await makeFixture({
    limits,
    register: (server) => {
      server.handle(Data.readChunk, async (_request, context) => {
        await context.room(BYTES);
        held.reads += 1;
        hold(1);
        await fixture.clock.sleep(1);
        const data = dataPart(new Uint8Array(BYTES), () => hold(-1));
        return { message: { length: BYTES, committedLength: BYTES }, data };
      });
      server.handle(Master.stat, () => ({ message: { attributes: undefined } }));
      server.handleStream(Peer.fetchReplica, async function* () {
        for (let offset = 0; ; offset += 1) {
          hold(1);
          yield { message: { replica: undefined, offset }, data: dataPart(new Uint8Array(BYTES), () => hold(-1)) };
        }
      });
    },
  });
  return { fixture, held };
}

test('untaken answers: one peer has few reads made for it, and all of them when it takes them', async () => {
  const { fixture, held } = await readServer({ answerShareBytesMax: 5 * BYTES });
  const { connection, peer } = connect(fixture);
  await fixture.clock.settle();
  connection.pause();
  for (let id = 1; id <= 1024; id += 1) peer.send(read(id));
  await fixture.clock.advance(2000);
  assert.deepEqual([held.now, held.reads], [5, 5]);
  assert.ok(fixture.server.answerBytes <= 5 * BYTES + SLACK_BYTES, `${fixture.server.answerBytes} bytes`);
  connection.resume();
  await fixture.clock.advance(2000);
  assert.equal(peer.frames.filter((frame) => frame.startsWith('2:')).length, 1024);
  assert.deepEqual([held.now, held.most, fixture.server.answerBytes], [0, 5, 0]);
});

test('untaken answers: many peers together are bounded, and one that takes its answers is served beside them', async () => {
  const { fixture, held } = await readServer({ answerBytesMax: 20 * BYTES, answerShareBytesMax: 5 * BYTES });
  const readers = Array.from({ length: 3 }, () => connect(fixture));
  await fixture.clock.settle();
  for (const { connection, peer } of readers) {
    connection.pause();
    for (let id = 1; id <= 100; id += 1) peer.send(read(id));
  }
  await fixture.clock.advance(100);
  assert.equal(held.now, 15);
  const healthy = connect(fixture);
  for (let id = 1; id <= 100; id += 1) healthy.peer.send(read(id));
  await fixture.clock.advance(1000);
  assert.equal(healthy.peer.frames.filter((frame) => frame.startsWith('2:')).length, 100);
  assert.ok(held.most <= 20, `${held.most} answers were held`);
  for (const { connection } of readers) connection.close();
  await fixture.clock.advance(10);
  assert.deepEqual([held.now, fixture.server.answerBytes], [0, 0]);
});

test('untaken answers: a peer that takes none loses its connection, one that takes some keeps it', async () => {
  const { fixture, held } = await readServer({ answerShareBytesMax: 5 * BYTES });
  const [silent, slow] = [connect(fixture), connect(fixture)];
  await fixture.clock.settle();
  for (const { connection, peer } of [silent, slow]) {
    connection.pause();
    for (let id = 1; id <= 100; id += 1) peer.send(read(id));
  }
  for (let passedMs = 0; passedMs < ANSWERS_UNTAKEN_MS_MAX - ANSWERS_LOOKED_AT_MS; passedMs += 1000) {
    slow.connection.resume();
    await fixture.clock.settle();
    slow.connection.pause();
    await fixture.clock.advance(1000);
  }
  assert.deepEqual([silent.peer.isEnded, slow.peer.isEnded], [false, false]);
  await fixture.clock.advance(2 * ANSWERS_LOOKED_AT_MS);
  assert.deepEqual([silent.connection.isClosed, slow.connection.isClosed], [true, false]);
  slow.connection.close();
  await fixture.clock.settle();
  assert.deepEqual([held.now, fixture.server.answerBytes, fixture.clock.timerCount], [0, 0, 0]);
});

test('untaken answers: while others wait for their memory, a peer that takes none ends soon', async () => {
  const { fixture } = await readServer({ answerBytesMax: 3 * BYTES });
  const readers = Array.from({ length: 3 }, () => connect(fixture));
  await fixture.clock.settle();
  for (const { connection, peer } of readers) {
    connection.pause();
    for (let id = 1; id <= 3; id += 1) peer.send(read(id));
  }
  await fixture.clock.advance(100);
  const healthy = connect(fixture);
  healthy.peer.send(read(1, 60_000));
  await fixture.clock.advance(4 * ANSWERS_LOOKED_AT_MS);
  assert.ok(healthy.peer.frames.includes('2:1'));
});

test('untaken answers: a peer that took none for a while does not end the moment that others wait', async () => {
  const { fixture } = await readServer({ answerBytesMax: 3 * BYTES });
  const readers = Array.from({ length: 3 }, () => connect(fixture));
  await fixture.clock.settle();
  for (const { connection, peer } of readers) {
    connection.pause();
    peer.send(read(1));
  }
  await fixture.clock.advance(4.5 * ANSWERS_LOOKED_AT_MS);
  const others = connect(fixture);
  others.peer.send(read(1, 60_000));
  await fixture.clock.advance(ANSWERS_LOOKED_AT_MS * ANSWERS_UNTAKEN_LOOKS_SHORT);
  assert.ok(readers.every(({ connection }) => !connection.isClosed));
  for (const { connection } of readers) connection.resume();
  await fixture.clock.advance(ANSWERS_LOOKED_AT_MS);
  assert.deepEqual(
    [...readers, others].map(({ peer }) => peer.frames.includes('2:1')),
    [true, true, true, true],
  );
});

test('untaken answers: a call that waits for room ends with its time, its cancellation or its connection', async () => {
  const { fixture, held } = await readServer({ answerBytesMax: BYTES });
  const [busy, waiting, leaving] = [connect(fixture), connect(fixture), connect(fixture)];
  await fixture.clock.settle();
  busy.connection.pause();
  busy.peer.send(read(1));
  await fixture.clock.advance(10);
  waiting.peer.send(read(1, 1000));
  waiting.peer.send(read(2));
  waiting.peer.send(read(3));
  waiting.peer.send(frameBytes({ kind: FrameKind.cancel, requestId: 2 }));
  leaving.peer.send(read(1));
  await fixture.clock.advance(1100);
  assert.deepEqual(waiting.peer.frames, ['11:0', '3:1:DEADLINE_EXCEEDED']);
  leaving.connection.close();
  busy.connection.resume();
  await fixture.clock.advance(100);
  assert.deepEqual(waiting.peer.frames.slice(2), ['2:3']);
  assert.deepEqual([held.reads, held.now, fixture.server.answerBytes], [2, 0, 0]);
});

test('untaken answers: credit alone brings no items, however much of it', async () => {
  const { fixture, held } = await readServer({ answerShareBytesMax: 3 * ITEM_BYTES });
  const { connection, peer } = connect(fixture);
  await fixture.clock.settle();
  connection.pause();
  for (let requestId = 1; requestId <= 10; requestId += 1) {
    const { id: method } = Peer.fetchReplica;
    peer.send(frameBytes({ kind: FrameKind.request, requestId, method, value: 600_000, message: FETCH }));
    peer.send(frameBytes({ kind: FrameKind.credit, requestId, value: 1000 }));
  }
  await fixture.clock.advance(1000);
  assert.equal(held.now, 3);
  connection.close();
  await fixture.clock.settle();
  assert.equal(fixture.server.answerBytes, 0);
});

test('untaken answers: small ones count too, and past the bound of all nobody is read far beyond what it takes', async () => {
  const { fixture } = await readServer({ answerBytesMax: 100_000 });
  const readers = Array.from({ length: 20 }, () => connect(fixture));
  await fixture.clock.settle();
  for (const { connection, peer } of readers) {
    connection.pause();
    const request = { kind: FrameKind.request, method: Master.stat.id, value: 600_000, message: STAT };
    for (let requestId = 1; requestId <= 10_000; requestId += 1) peer.send(frameBytes({ ...request, requestId }));
  }
  await fixture.clock.settle();
  // Each 28 bytes: 5.6 MB when all are answered.
  assert.ok(fixture.server.answerBytes < 20 * 70_000, `${fixture.server.answerBytes} bytes`);
  for (const { connection } of readers) connection.resume();
  await fixture.clock.settle();
  for (const { peer } of readers) assert.equal(peer.frames.length, 10_001);
  assert.equal(fixture.server.answerBytes, 0);
});

test('untaken answers: two servers that send each other bulk data over room for one piece come to their end', async () => {
  const clock = new FakeClock();
  const network = new LoopbackNetwork(clock);
  const log = new RecordingLog();
  const addresses = ['a:1', 'b:1'] as const;
  const made = addresses.map((_, index) => {
    const server = createRpcServer({ clock, log, limits: { answerBytesMax: 1, answerShareBytesMax: 1 } });
    const pool = createRpcPool({ clock, network, log, random: seededRandom(index), isServer: true });
    server.handleStream(Peer.fetchReplica, async function* () {
      for (let offset = 0; offset < 5; offset += 1) {
        await clock.sleep(1);
        yield { message: { replica: undefined, offset }, data: dataPart(new Uint8Array(BYTES)) };
      }
    });
    server.handle(Data.readChunk, async (request, context) => {
      const other = pool.channel(addresses[1 - index]!);
      const wanted = { handle: request.handle, version: 1, length: 0, sequence: 0 };
      for await (const item of other.stream(Peer.fetchReplica, wanted, { timeoutMs: 60_000 }))
        item.data?.memory.release();
      await context.room(BYTES);
      return { message: { length: BYTES, committedLength: BYTES }, data: dataPart(new Uint8Array(BYTES)) };
    });
    return { server, pool };
  });
  for (const [index, { server }] of made.entries()) {
    await network.listen(addresses[index]!, (connection) => server.accept(connection));
  }
  const client = createRpcPool({ clock, network, log, random: seededRandom(9) });
  const request = { handle: 'h', version: 1, offset: 0, length: BYTES, knownLength: BYTES, knownSequence: undefined };
  const calls = Array.from({ length: 40 }, async (_, index) => {
    const channel = client.channel(addresses[index % 2]!);
    (await channel.call(Data.readChunk, request, { timeoutMs: 60_000 })).data?.memory.release();
  });
  await clock.advance(10_000);
  await Promise.all(calls);
  for (const { server, pool } of made) {
    assert.equal(server.answerBytes, 0);
    pool.close();
  }
  client.close();
});
