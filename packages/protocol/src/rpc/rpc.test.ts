import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c, FsError, isFsError } from '@cairnfs/base';
import { FRAME_DATA_BYTES_MAX } from '../limits.ts';
import { ChunkserverDataMethods as Data, MasterMethods as Master, ChunkserverPeerMethods as Peer } from '../methods.ts';
import { makeFixture, SERVER_ADDRESS, seededRandom } from '../testing/fixtures.ts';
import { failure } from '../testing/outcome.ts';
import { dataPart, verifyData } from './data-part.ts';
import { DURATION_BUCKETS_MS } from './method-table.ts';
import type { RpcServer } from './rpc-server.ts';
import type { CallContext, Reply } from './types.ts';

const TIMEOUT = { timeoutMs: 1000 };
const STAT = { file: { path: '/a', inode: 7 } };
const STAT_REPLY = { message: { attributes: undefined } };
const READ = { handle: 'h', version: 1, offset: 0, length: 10, knownLength: 10 };
const READ_REPLY = { length: 3, committedLength: 9 };
const FETCH = { handle: 'h', version: 1, sequence: 0, length: 0 };

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
}

test('call: request and reply make the round trip, however the bytes are cut', async () => {
  for (const bytesAtOnce of [1, 2, 27, 29, 1000, Number.POSITIVE_INFINITY]) {
    const { clock, channel } = await makeFixture({
      cut: (available) => Math.min(available, bytesAtOnce),
      register: (server) =>
        server.handle(Data.readChunk, (request) => ({
          message: { length: request.length, committedLength: request.offset },
        })),
    });
    const calls = Array.from({ length: 20 }, (_, index) =>
      channel.call(Data.readChunk, { ...READ, offset: index }, TIMEOUT),
    );
    await clock.settle();
    const replies = await Promise.all(calls);
    assert.deepEqual(
      replies.map((reply) => reply.message.committedLength),
      calls.map((_, index) => index),
    );
  }
});

test('call: raw data arrives whole both ways and its memory returns to the pools', async () => {
  const random = seededRandom(3);
  const cuts = [() => 1 + (random.uint32() % 70_000), (available: number) => available];
  for (const cut of cuts) {
    const { clock, channel, serverBuffers, clientBuffers } = await makeFixture({
      cut,
      register: (server) =>
        server.handle(Data.uploadFrame, (request, context) => {
          const received = context.data!;
          verifyData(received);
          const copy = Uint8Array.from(received.bytes);
          return { message: { receivedLength: request.offset + copy.length, durableLength: 0 }, data: dataPart(copy) };
        }),
    });
    const request = {
      handle: 'h',
      version: 1,
      offset: 5,
      route: [],
      fanOut: false,
      sync: false,
      members: [],
      uploadId: 'u',
    };
    for (const length of [0, 1, 511, 4096, 65_536, 65_537, 300_000, FRAME_DATA_BYTES_MAX]) {
      const bytes = pattern(length);
      let sentCount = 0;
      const calls = [1, 2].map(() =>
        channel.call(Data.uploadFrame, request, { ...TIMEOUT, data: dataPart(bytes, () => (sentCount += 1)) }),
      );
      await clock.settle();
      for (const reply of await Promise.all(calls)) {
        assert.equal(reply.message.receivedLength, 5 + length);
        assert.deepEqual(Buffer.compare(reply.data!.bytes, bytes), 0);
        verifyData(reply.data!);
        reply.data!.memory.release();
      }
      assert.equal(sentCount, 2);
    }
    assert.equal(serverBuffers.outstandingCount, 0);
    assert.equal(clientBuffers.outstandingCount, 0);
    assert.ok(serverBuffers.freeCount > 0);
  }
});

test('call: decoded bytes stay as they were while later frames arrive', async () => {
  const seen: Uint8Array[] = [];
  const { clock, channel } = await makeFixture({
    register: (server) =>
      server.handle(Master.makeDirectory, (request) => {
        seen.push(request.operation!.client);
        return { message: { attributes: undefined, created: true } };
      }),
  });
  const calls: Promise<unknown>[] = [];
  for (let index = 0; index < 3000; index += 1) {
    const operation = { client: new Uint8Array(16).fill(index & 0xff), number: 1, settledBelow: 0 };
    calls.push(
      channel.call(
        Master.makeDirectory,
        { path: '/x', parents: false, mode: 0, owner: '', group: '', operation },
        TIMEOUT,
      ),
    );
    if (index % 100 === 0) await clock.settle();
  }
  await clock.settle();
  await Promise.all(calls);
  for (const [index, client] of seen.entries()) assert.deepEqual([...client], Array(16).fill(index & 0xff));
});

test('call: the frames of one tick leave in one write', async () => {
  const { clock, channel, network } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  const first = channel.call(Master.stat, STAT, TIMEOUT);
  await clock.settle();
  await first;
  const connection = network.connections[0]!;
  const before = connection.writeCount;
  const calls = Array.from({ length: 500 }, () => channel.call(Master.stat, STAT, TIMEOUT));
  await clock.settle();
  await Promise.all(calls);
  assert.equal(connection.writeCount - before, 1);
});

test('call: a refusal reaches the caller with code, message and details', async () => {
  const { clock, channel, server, log } = await makeFixture({
    register: (server) =>
      server.handle(Master.stat, async () => {
        throw new FsError('NOT_FOUND', 'no such file: /a', { details: { path: '/a', inode: 7 } });
      }),
  });
  const error = failure(channel.call(Master.stat, STAT, TIMEOUT));
  await clock.settle();
  const { kind, message, details, code } = await error;
  assert.deepEqual(
    { kind, message, details, code },
    {
      kind: 'NOT_FOUND',
      message: 'no such file: /a',
      details: { path: '/a', inode: '7' },
      code: 'ENOENT',
    },
  );
  assert.deepEqual(
    server.statistics().methods.map(({ totalMicroseconds, ...counts }) => counts),
    [
      {
        ...{ method: 'Master.Stat', count: 1, errorCount: 1, errors: [{ kind: 'NOT_FOUND', count: 1 }] },
        durationCounts: [1, ...DURATION_BUCKETS_MS.map(() => 0)],
      },
    ],
  );
  const { receivedBytes, sentBytes, connectionCount } = server.statistics();
  assert.ok(receivedBytes > 0 && sentBytes > 0);
  assert.equal(connectionCount, 1);
  assert.equal(log.records.length, 0);
});

test('call: what a handler throws that is no refusal is logged and answered as INTERNAL', async () => {
  const { clock, channel, log } = await makeFixture({
    register: (server) =>
      server.handle(Master.stat, () => {
        throw new TypeError('oops');
      }),
  });
  const error = failure(channel.call(Master.stat, STAT, TIMEOUT));
  await clock.settle();
  assert.equal((await error).kind, 'INTERNAL');
  assert.equal(log.records.length, 1);
});

test('call: an unknown method, an answer too large and a request too large are typed errors', async () => {
  const { clock, channel } = await makeFixture({
    register: (server) =>
      server.handle(Data.readChunk, () => ({
        message: READ_REPLY,
        data: dataPart(new Uint8Array(FRAME_DATA_BYTES_MAX + 1)),
      })),
  });
  const unknown = failure(channel.call(Master.stat, STAT, TIMEOUT));
  const answer = failure(channel.call(Data.readChunk, READ, TIMEOUT));
  let sentCount = 0;
  const data = { buffers: [new Uint8Array(FRAME_DATA_BYTES_MAX + 1)], checksum: 0, sent: () => (sentCount += 1) };
  const request = failure(channel.call(Data.readChunk, READ, { ...TIMEOUT, data }));
  await clock.settle();
  assert.equal((await unknown).kind, 'UNKNOWN_METHOD');
  assert.equal((await answer).kind, 'TOO_LARGE');
  assert.equal((await request).kind, 'TOO_LARGE');
  assert.equal(sentCount, 1);
});

test('call: the deadline fails it, the server learns it, and a late answer is dropped', async () => {
  let context: CallContext | undefined;
  let answer: (() => void) | undefined;
  const { clock, channel, clientBuffers } = await makeFixture({
    register: (server) =>
      server.handle(Data.readChunk, (_request, callContext) => {
        context = callContext;
        return new Promise((resolve) => {
          answer = () => resolve({ message: READ_REPLY, data: dataPart(pattern(100_000)) });
        });
      }),
  });
  const call = failure(channel.call(Data.readChunk, READ, { timeoutMs: 250 }));
  await clock.settle();
  assert.equal(context!.deadlineMs, clock.nowMs() + 250);
  assert.equal(context!.signal.aborted, false);
  await clock.advance(249);
  assert.equal(context!.signal.aborted, false);
  await clock.advance(11);
  assert.equal((await call).kind, 'DEADLINE_EXCEEDED');
  assert.equal(context!.signal.aborted, true);
  answer!();
  await clock.advance(10);
  assert.equal(clientBuffers.outstandingCount, 0);
});

test('call: many calls share one timer, and none stays behind', async () => {
  const { clock, channel, pool, server } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  for (let round = 0; round < 5; round += 1) {
    const calls = Array.from({ length: 100 }, () => channel.call(Master.stat, STAT, { timeoutMs: 5000 }));
    await clock.settle();
    await Promise.all(calls);
    assert.ok(clock.timerCount <= 2, `${clock.timerCount} timers: one for each side`);
  }
  pool.close();
  server.close();
  await clock.settle();
  assert.equal(clock.timerCount, 0);
});

test('call: a cancelled one fails at once and aborts the signal at the server', async () => {
  let context: CallContext | undefined;
  const { clock, channel } = await makeFixture({
    register: (server) =>
      server.handle(Master.stat, (_request, callContext) => {
        context = callContext;
        return new Promise((_resolve, reject) => {
          callContext.signal.addEventListener('abort', () => reject(callContext.signal.reason));
        });
      }),
  });
  const controller = new AbortController();
  const call = failure(channel.call(Master.stat, STAT, { ...TIMEOUT, signal: controller.signal }));
  await clock.settle();
  controller.abort();
  assert.equal((await call).kind, 'CANCELLED');
  assert.equal(context!.signal.aborted, false);
  await clock.settle();
  assert.ok(isFsError(context!.signal.reason, 'CANCELLED'));
  const already = await failure(channel.call(Master.stat, STAT, { ...TIMEOUT, signal: controller.signal }));
  assert.equal(already.kind, 'CANCELLED');
});

test('call: many under one signal are all cancelled by it, with one listener on it', async () => {
  const { clock, channel } = await makeFixture({
    register: (server) => server.handle(Master.stat, (request) => (request.file ? new Promise(() => {}) : STAT_REPLY)),
  });
  const controller = new AbortController();
  const { signal } = controller;
  let listenerCount = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...parameters: Parameters<typeof add>) => {
    listenerCount += 1;
    add(...parameters);
  };
  const options = { ...TIMEOUT, signal };
  const calls = Array.from({ length: 100 }, () => failure(channel.call(Master.stat, STAT, options)));
  const done = channel.call(Master.stat, { file: undefined }, options);
  await clock.settle();
  await done;
  assert.equal(listenerCount, 1);
  controller.abort();
  for (const error of await Promise.all(calls)) assert.equal(error.kind, 'CANCELLED');
});

test('call: a lost connection fails what is under way, aborts it at the server, and the next call connects again', async () => {
  const contexts: CallContext[] = [];
  const { clock, channel, network, serverBuffers } = await makeFixture({
    register: (server) => {
      server.handle(Data.readChunk, (_request, context) => {
        contexts.push(context);
        assert.equal(context.signal.aborted, false);
        return new Promise((_resolve, reject) => {
          context.signal.addEventListener('abort', () => reject(context.signal.reason));
        });
      });
      server.handle(Master.stat, () => STAT_REPLY);
    },
  });
  let sentCount = 0;
  const data = dataPart(pattern(200_000), () => (sentCount += 1));
  const lost = failure(channel.call(Data.readChunk, READ, { ...TIMEOUT, data }));
  await clock.settle();
  assert.equal(serverBuffers.outstandingCount, 1);
  network.connections[0]!.close();
  await clock.settle();
  assert.equal((await lost).kind, 'CONNECTION_LOST');
  assert.ok(isFsError(contexts[0]!.signal.reason, 'CONNECTION_LOST'));
  assert.equal(serverBuffers.outstandingCount, 0);
  assert.equal(sentCount, 1);
  const again = channel.call(Master.stat, STAT, TIMEOUT);
  await clock.settle();
  await again;
  assert.equal(network.connections.length, 2);
});

test('server: past its limit of open calls it stops reading, and goes on when calls end', async () => {
  const answers: (() => void)[] = [];
  const { clock, channel } = await makeFixture({
    limits: { openCallsMax: 8 },
    register: (server) =>
      server.handle(Master.stat, () => new Promise((resolve) => answers.push(() => resolve(STAT_REPLY)))),
  });
  const calls = Array.from({ length: 50 }, () => channel.call(Master.stat, STAT, TIMEOUT));
  await clock.settle();
  assert.equal(answers.length, 8);
  for (let index = 0; index < 50; index += 1) {
    answers[index]!();
    await clock.settle();
    assert.ok(answers.length - index <= 9);
  }
  await Promise.all(calls);
});

test('server: past its limit of unsent bytes it stops reading until they left', async () => {
  let handled = 0;
  const { clock, channel, network } = await makeFixture({
    limits: { unsentBytesMax: 1_000_000 },
    register: (server) =>
      server.handle(Data.readChunk, () => {
        handled += 1;
        return { message: READ_REPLY, data: dataPart(pattern(400_000)) };
      }),
  });
  const first = channel.call(Data.readChunk, READ, TIMEOUT);
  await clock.settle();
  (await first).data!.memory.release();
  network.connections[0]!.pause(); // the client stops taking
  const calls = Array.from({ length: 20 }, () => channel.call(Data.readChunk, READ, TIMEOUT));
  await clock.settle();
  assert.equal(handled, 1 + 3);
  network.connections[0]!.resume();
  await clock.settle();
  for (const reply of await Promise.all(calls)) reply.data!.memory.release();
  assert.equal(handled, 21);
});

test('server: a peer that sends no hello is closed after 10 s', async () => {
  const { clock, network, server } = await makeFixture();
  const { client, server: accepted } = network.pair('x');
  server.accept(accepted);
  let isClosed = false;
  client.receive({ buffer: () => new Uint8Array(64), received() {}, drained() {}, closed: () => (isClosed = true) });
  await clock.advance(9_000);
  assert.equal(isClosed, false);
  await clock.advance(1_100);
  assert.equal(isClosed, true);
  assert.equal(clock.timerCount, 0);
});

function countingStream(count: number, seen: { pulled: number; returned: boolean }) {
  return async function* (_request: unknown, context: CallContext) {
    try {
      for (let index = 0; index < count; index += 1) {
        seen.pulled += 1;
        assert.ok(context.deadlineMs > 0);
        yield { message: { replica: undefined, offset: index }, data: dataPart(pattern(70_000)) };
      }
    } finally {
      seen.returned = true;
    }
  };
}

test('stream: items come in order, never beyond the credit, and end', async () => {
  const seen = { pulled: 0, returned: false };
  const { clock, channel, clientBuffers } = await makeFixture({
    register: (server) => server.handleStream(Peer.fetchReplica, countingStream(20, seen)),
  });
  const items = channel.stream(Peer.fetchReplica, FETCH, TIMEOUT)[Symbol.asyncIterator]();
  await clock.settle();
  assert.equal(seen.pulled, 4);
  for (let index = 0; index < 20; index += 1) {
    await clock.settle();
    const { value } = (await items.next()) as IteratorYieldResult<Reply<{ offset: number }>>;
    assert.equal(value.message.offset, index);
    assert.equal(crc32c(value.data!.bytes), value.data!.checksum);
    value.data!.memory.release();
    await clock.settle();
    assert.ok(seen.pulled <= index + 1 + 4);
  }
  assert.equal((await items.next()).done, true);
  assert.equal(clientBuffers.outstandingCount, 0);
});

test('stream: ending the iteration early cancels it at the server and frees what had arrived', async () => {
  const seen = { pulled: 0, returned: false };
  const { clock, channel, clientBuffers } = await makeFixture({
    register: (server) => server.handleStream(Peer.fetchReplica, countingStream(1000, seen)),
  });
  const items = channel.stream(Peer.fetchReplica, FETCH, TIMEOUT)[Symbol.asyncIterator]();
  await clock.settle();
  const first = (await items.next()) as IteratorYieldResult<Reply<unknown>>;
  first.value.data!.memory.release();
  await items.return!();
  await clock.settle();
  assert.equal(seen.returned, true);
  assert.ok(seen.pulled <= 6);
  assert.equal(clientBuffers.outstandingCount, 0);
  assert.equal((await items.next()).done, true);
});

test('stream: an error arrives after the items before it, and waiting too long for an item fails', async () => {
  const { clock, channel } = await makeFixture({
    register: (server: RpcServer) =>
      server.handleStream(Peer.fetchReplica, async function* (request) {
        yield { message: { replica: undefined, offset: 0 } };
        if (request.version === 2) await new Promise(() => {});
        throw new FsError('STALE_VERSION', 'version 1 is old');
      }),
  });
  const items = channel.stream(Peer.fetchReplica, FETCH, TIMEOUT)[Symbol.asyncIterator]();
  await clock.settle();
  assert.equal((await items.next()).done, false);
  assert.equal((await failure(items.next())).kind, 'STALE_VERSION');
  assert.equal((await items.next()).done, true);
  const slow = channel.stream(Peer.fetchReplica, { ...FETCH, version: 2 }, TIMEOUT)[Symbol.asyncIterator]();
  await clock.settle();
  await slow.next();
  await clock.advance(5000); // nobody waits: no deadline
  const error = failure(slow.next());
  await clock.advance(1010);
  assert.equal((await error).kind, 'DEADLINE_EXCEEDED');
});

test('stream: a lost connection ends it on both sides', async () => {
  const seen = { pulled: 0, returned: false };
  const { clock, channel, network } = await makeFixture({
    register: (server) => server.handleStream(Peer.fetchReplica, countingStream(1000, seen)),
  });
  const items = channel.stream(Peer.fetchReplica, FETCH, TIMEOUT)[Symbol.asyncIterator]();
  await clock.settle();
  network.connections[0]!.close();
  await clock.settle();
  assert.equal(seen.returned, true);
  for (let index = 0; index < 4; index += 1) assert.equal((await items.next()).done, false);
  assert.equal((await failure(items.next())).kind, 'CONNECTION_LOST');
});

test('pool: one channel for each address', async () => {
  const { pool, channel } = await makeFixture();
  assert.equal(pool.channel(SERVER_ADDRESS), channel);
  channel.close();
  assert.notEqual(pool.channel(SERVER_ADDRESS), channel);
});
