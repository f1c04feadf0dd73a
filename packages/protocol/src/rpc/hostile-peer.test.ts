import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import fc from 'fast-check';
import { FetchReplicaRequest, ReadChunkRequest } from '../gen/cairn/v1/chunkserver.ts';
import { StatRequest } from '../gen/cairn/v1/master.ts';
import { CHUNK_BYTES_MAX, FRAME_DATA_BYTES_MAX } from '../limits.ts';
import { ChunkserverDataMethods as Data, MasterMethods as Master, ChunkserverPeerMethods as Peer } from '../methods.ts';
import { type Fixture, makeFixture, SERVER_ADDRESS } from '../testing/fixtures.ts';
import { frameBytes, helloBytes, type RawFrame, RawPeer } from '../testing/raw-peer.ts';
import { encodeErrorDetail } from './error-detail.ts';
import { FrameKind, PREFACE } from './frame.ts';

const stat = StatRequest.encode({ file: { path: '/a', inode: 7 } }).finish();
const read = ReadChunkRequest.encode({ handle: 'h', version: 1, offset: 0, length: 5, knownLength: 9 }).finish();
const fetch = FetchReplicaRequest.encode({ handle: 'h', version: 1, length: 0, sequence: 0 }).finish();

/** A server with one handler of each sort: at once, later, never, and a stream. */
async function makeServer(cut?: (available: number) => number): Promise<Fixture> {
  return makeFixture({
    ...(cut === undefined ? {} : { cut }),
    register: (server) => {
      server.handle(Master.stat, () => ({ message: { attributes: undefined } }));
      server.handle(Data.readChunk, async () => ({ message: { length: 0, committedLength: 0 } }));
      server.handle(Master.locate, (_request, { signal }) => {
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      });
      server.handleStream(Peer.fetchReplica, async function* () {
        for (let offset = 0; offset < 10; offset += 1) yield { message: { replica: undefined, offset } };
      });
    },
  });
}

function connect({ network, server }: Fixture): RawPeer {
  const { client, server: accepted } = network.pair('x');
  server.accept(accepted);
  return new RawPeer(client);
}

async function exchange(bytes: Uint8Array[]): Promise<RawPeer> {
  const fixture = await makeServer();
  const peer = connect(fixture);
  peer.send(Buffer.concat(bytes));
  await fixture.clock.settle();
  return peer;
}

const request = (requestId: number, method: number, message: Uint8Array): Buffer =>
  frameBytes({ kind: FrameKind.request, requestId, method, value: 1000, message });

test('server: requests before the hello, other first bytes and wrong kinds close the connection', async () => {
  const cases: Buffer[][] = [
    [Buffer.from('GET / HTTP/1.1\r\n')],
    [Buffer.from(PREFACE), request(1, 1, stat)],
    [helloBytes(), frameBytes({ kind: FrameKind.response, requestId: 1 })],
    [helloBytes(), frameBytes({ kind: FrameKind.welcome })],
    [helloBytes(), Buffer.alloc(28)],
    [helloBytes(), frameBytes({ kind: FrameKind.ping }).fill(0xff, 24, 28)],
  ];
  for (const bytes of cases) assert.equal((await exchange(bytes)).isEnded, true, String(bytes.at(-1)));
});

test('server: a peer of another version is told and closed', async () => {
  const fixture = await makeServer();
  const peer = connect(fixture);
  peer.send(helloBytes(9, 2));
  await fixture.clock.advance(20);
  assert.deepEqual(peer.frames, ['3:0:PROTOCOL_MISMATCH']);
  assert.equal(peer.isEnded, true);
});

test('server: undecodable messages, numbers above 2^53, unknown methods and ids in use are typed errors', async () => {
  const beyond = Buffer.from([0x10, ...Array(9).fill(0xff), 0x01]); // field 2 (version): 2^64 - 1
  const peer = await exchange([
    helloBytes(),
    request(1, Master.stat.id, Buffer.from([0x0a, 0xff])),
    request(2, Data.readChunk.id, beyond),
    request(3, 9999, stat),
    request(4, Master.locate.id, Buffer.alloc(0)),
    request(4, Master.stat.id, stat),
    frameBytes({ kind: FrameKind.request, requestId: 5, method: Master.stat.id, value: 0, message: stat }),
    frameBytes({ kind: FrameKind.ping, requestId: 6 }),
    request(7, Master.stat.id, stat),
  ]);
  assert.deepEqual(peer.frames, [
    '11:0',
    '3:1:BAD_FRAME',
    '3:2:BAD_FRAME',
    '3:3:UNKNOWN_METHOD',
    '3:4:BAD_FRAME',
    '3:5:DEADLINE_EXCEEDED',
    '9:6',
    '2:7',
  ]);
  assert.equal(peer.isEnded, false);
});

test('server: credit beyond the bound closes, and further streams than allowed are refused', async () => {
  const streams = Array.from({ length: 65 }, (_, index) => request(index + 1, Peer.fetchReplica.id, fetch));
  const peer = await exchange([helloBytes(), ...streams]);
  assert.ok(peer.frames.includes('3:65:OVERLOADED'));
  assert.equal(peer.frames.filter((frame) => frame === '5:1').length, 4);
  const greedy = await exchange([
    helloBytes(),
    streams[0]!,
    frameBytes({ kind: FrameKind.credit, requestId: 1, value: 4_000_000_000 }),
  ]);
  assert.equal(greedy.isEnded, true);
});

test('server: lengths beyond the bounds close the connection before memory is taken for them', async () => {
  for (const [at, length] of [
    [0, CHUNK_BYTES_MAX],
    [4, FRAME_DATA_BYTES_MAX + 1],
  ] as const) {
    const fixture = await makeServer();
    const peer = connect(fixture);
    const bytes = request(1, Master.stat.id, stat);
    bytes.writeUInt32LE(length, at);
    peer.send(Buffer.concat([helloBytes(), bytes]));
    await fixture.clock.settle();
    assert.equal(peer.isEnded, true);
    assert.equal(fixture.serverBuffers.outstandingCount, 0);
  }
});

test('server: answers that a peer does not take are bounded: the server stops reading', async () => {
  const fixture = await makeFixture({ limits: { unsentBytesMax: 10_000 } });
  const { client, server: accepted } = fixture.network.pair('x');
  fixture.server.accept(accepted);
  client.pause();
  client.write([helloBytes()]);
  const requests = Array.from({ length: 2000 }, (_, index) => request(index, 9999, stat));
  const pings = Array.from({ length: 2000 }, () => frameBytes({ kind: FrameKind.ping }));
  for (const bytes of [...requests, ...pings]) client.write([bytes]);
  await fixture.clock.settle();
  assert.ok(accepted.queuedBytes < 20_000, `${accepted.queuedBytes} bytes wait`);
  assert.ok(client.queuedBytes > 100_000);
});

test('server: request data of open calls is bounded: the server stops reading', async () => {
  const limited = await makeFixture({
    limits: { openDataBytesMax: 1_000_000 },
    register: (server) => server.handle(Data.readChunk, () => new Promise(() => {})),
  });
  const peer = connect(limited);
  peer.send(helloBytes());
  const data = new Uint8Array(100_000);
  for (let requestId = 1; requestId <= 50; requestId += 1) {
    const { id: method } = Data.readChunk;
    peer.send(frameBytes({ kind: FrameKind.request, requestId, method, value: 1000, message: read, data }));
  }
  await limited.clock.settle();
  assert.ok(limited.serverBuffers.outstandingCount <= 10, `${limited.serverBuffers.outstandingCount} buffers are held`);
});

const arbitraryFrame = (kinds: number[]): fc.Arbitrary<RawFrame> =>
  fc.record({
    kind: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom(...kinds) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 11 }) },
    ),
    requestId: fc.integer({ min: 0, max: 6 }),
    method: fc.constantFrom(Master.stat.id, Data.readChunk.id, Master.locate.id, Peer.fetchReplica.id, 77),
    value: fc.constantFrom(0, 1, 5, 1000, 2 ** 32 - 1),
    message: fc.oneof(fc.constantFrom(stat, read, fetch), fc.uint8Array({ maxLength: 40 })),
    data: fc.oneof(
      fc.constant(new Uint8Array(0)),
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(new Uint8Array(70_000)),
    ),
  });

/** What goes wrong with one frame on its way. */
const arbitraryBytes = (frame: fc.Arbitrary<RawFrame>): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    { weight: 6, arbitrary: frame.map(frameBytes) },
    { weight: 1, arbitrary: frame.map(frameBytes).map((bytes) => Buffer.concat([bytes, bytes])) },
    {
      weight: 1,
      arbitrary: fc.tuple(frame, fc.nat(), fc.integer({ min: 0, max: 7 })).map(([sent, at, bit]) => {
        const bytes = frameBytes(sent);
        bytes[at % bytes.length]! ^= 1 << bit;
        return bytes;
      }),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(frame, fc.nat()).map(([sent, at]) => {
        const bytes = frameBytes(sent);
        return bytes.subarray(0, at % bytes.length);
      }),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  );

const { request: aRequest, response, item, end, error, cancel, credit, ping, pong } = FrameKind;
const fromClient = arbitraryBytes(arbitraryFrame([aRequest, aRequest, aRequest, cancel, credit, ping, pong]));
const fromServer = arbitraryBytes(arbitraryFrame([response, item, item, item, end, error, ping, pong]));

test('server: no sequence of frames, whole or broken, crashes it, hangs it or keeps memory', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(fromClient, { maxLength: 12 }),
      fc.integer({ min: 1, max: 100_000 }),
      async (saysHello, parts, bytesAtOnce) => {
        const fixture = await makeServer((available) => Math.min(available, bytesAtOnce));
        const peer = connect(fixture);
        if (saysHello) peer.send(helloBytes());
        for (const part of parts) peer.send(Uint8Array.from(part));
        await fixture.clock.settle();
        peer.close();
        await fixture.clock.settle();
        assert.equal(fixture.server.connectionCount, 0);
        assert.equal(fixture.server.answerBytes, 0);
        assert.equal(fixture.serverBuffers.outstandingCount, 0);
        assert.equal(fixture.clock.timerCount, 0);
        // It serves others as before.
        const call = fixture.channel.call(Master.stat, { file: undefined }, { timeoutMs: 1000 });
        await fixture.clock.settle();
        await call;
        fixture.pool.close();
      },
    ),
    { numRuns: 300, seed: 1 },
  );
});

test('client: a peer of another protocol is told apart by its first bytes, however few, and quoted', async () => {
  const answers: [first: Uint8Array, quoted: string][] = [
    [Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'), "'HTTP/1.1 400 Bad Request'"],
    [Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), "'SSH-2.0-OpenSSH_9.2'"],
    [Buffer.from('-ERR unknown command\r\n'), "'-ERR unknown command'"],
    [Buffer.from('hi\n'), "'hi'"],
    [Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46]), 'the bytes 15030100020246'], // an alert of TLS
    [Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), 'the bytes 0000000400000000'], // settings of HTTP/2
    [Buffer.from([0x4a, 0, 0, 0, 0x0a, 0x38]), 'the bytes 4a0000000a38'], // a greeting of MySQL
  ];
  for (const [first, quoted] of answers) {
    const { clock, network, pool } = await makeFixture();
    await network.listen(SERVER_ADDRESS, (connection) => connection.write([first]));
    const call = pool.channel(SERVER_ADDRESS).call(Master.stat, { file: undefined }, { timeoutMs: 60_000 });
    await clock.settle();
    const told = `what listens at ${SERVER_ADDRESS} is not a CairnFS server: it answers ${quoted}; check host and port`;
    await assert.rejects(call, { kind: 'FOREIGN_PROTOCOL', message: told });
  }
});

test('client: a welcome that is cut short, wrong in its checksum or an error is no other protocol', async () => {
  const welcome = frameBytes({ kind: FrameKind.welcome, message: Buffer.from([8, 1]) });
  const damaged = Buffer.from(welcome).fill(0xff, 24, 28);
  const refusal = frameBytes({ kind: FrameKind.error, message: encodeErrorDetail(new FsError('OVERLOADED', 'full')) });
  const kinds: [first: Uint8Array, kind: string][] = [
    [welcome.subarray(0, 20), 'CONNECTION_REFUSED'],
    [damaged, 'CONNECTION_REFUSED'],
    [refusal, 'OVERLOADED'],
  ];
  for (const [first, kind] of kinds) {
    const { clock, network, pool } = await makeFixture();
    await network.listen(SERVER_ADDRESS, (connection) => {
      connection.write([first], () => clock.soon(() => connection.close()));
    });
    const call = pool.channel(SERVER_ADDRESS).call(Master.stat, { file: undefined }, { timeoutMs: 60_000 });
    await clock.settle();
    await assert.rejects(call, { kind });
  }
});

test('client: a peer that says nothing is told to whoever waits for it', async () => {
  const { clock, network, pool } = await makeFixture();
  await network.listen(SERVER_ADDRESS, () => {});
  const call = pool.channel(SERVER_ADDRESS).call(Master.stat, { file: undefined }, { timeoutMs: 1500 });
  const told = assert.rejects(call, {
    kind: 'CONNECTION_REFUSED',
    message: /^server:1 accepts connections and says nothing: .* whether that server runs$/,
  });
  await clock.advance(1600);
  await told;
});

test('client: no answer of a server, whole or broken, crashes it, hangs it or keeps memory', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(fromServer, { maxLength: 12 }),
      fc.integer({ min: 1, max: 100_000 }),
      async (saysWelcome, parts, bytesAtOnce) => {
        const { clock, network, pool, clientBuffers } = await makeFixture({
          cut: (available) => Math.min(available, bytesAtOnce),
        });
        await network.listen(SERVER_ADDRESS, (connection) => {
          const peer = new RawPeer(connection, PREFACE);
          const welcome = frameBytes({ kind: FrameKind.welcome, message: Buffer.from([8, 1]) });
          if (saysWelcome) peer.send(welcome);
          clock.after(50, () => {
            for (const part of parts) peer.send(Uint8Array.from(part));
          });
        });
        const channel = pool.channel(SERVER_ADDRESS);
        const options = { timeoutMs: 1000 };
        const drain = async (): Promise<void> => {
          for await (const item of channel.stream(
            Peer.fetchReplica,
            { handle: 'h', version: 1, length: 0, sequence: 0 },
            options,
          )) {
            item.data?.memory.release();
          }
        };
        const calls = [
          channel.call(Master.stat, { file: undefined }, options).then((reply) => reply.data?.memory.release()),
          channel.call(Master.stat, { file: undefined }, options).then((reply) => reply.data?.memory.release()),
          drain(),
        ];
        const settled = Promise.allSettled(calls);
        await clock.advance(700_000);
        for (const result of await settled) {
          if (result.status === 'rejected') assert.ok(result.reason instanceof FsError, String(result.reason));
        }
        pool.close();
        await clock.settle();
        assert.equal(clientBuffers.outstandingCount, 0);
        assert.equal(clock.timerCount, 0);
      },
    ),
    { numRuns: 300, seed: 2 },
  );
});
