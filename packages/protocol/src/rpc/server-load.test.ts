import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hello, MasterMethods as Master, StatRequest } from '../index.ts';
import { SERIES_NAME_BYTES_MAX } from '../limits.ts';
import { type Fixture, makeFixture, SERVER_ADDRESS } from '../testing/fixtures.ts';
import { frameBytes, helloBytes, RawPeer } from '../testing/raw-peer.ts';
import { FrameKind, PREFACE } from './frame.ts';
import type { RpcServerLimits } from './rpc-server.ts';

const STAT = StatRequest.encode({ file: { path: '/', inode: 0 } }).finish();

/** A server whose handler holds every call until `finish`. */
async function holdingServer(limits: Partial<RpcServerLimits>) {
  const open: (() => void)[] = [];
  const fixture = await makeFixture({
    limits,
    register: (server) => {
      const reply = { message: { attributes: undefined } };
      server.handle(Master.stat, () => new Promise((resolve) => open.push(() => resolve(reply))));
    },
  });
  const finish = async () => {
    for (const end of open.splice(0)) end();
    await fixture.clock.settle();
  };
  return { fixture, open, finish };
}

function connect({ network, server }: Fixture, hello: Uint8Array = helloBytes()): RawPeer {
  const { client, server: accepted } = network.pair('x');
  server.accept(accepted);
  const peer = new RawPeer(client);
  peer.send(hello);
  return peer;
}

function stat(requestId: number): Buffer {
  return frameBytes({ kind: FrameKind.request, requestId, method: Master.stat.id, value: 60_000, message: STAT });
}

test('load: calls of clients are bounded over all connections, those of servers pass', async () => {
  const { fixture, open, finish } = await holdingServer({ callsMax: 5 });
  const [first, second] = [connect(fixture), connect(fixture)];
  for (let id = 1; id <= 3; id += 1) for (const peer of [first, second]) peer.send(stat(id));
  await fixture.clock.settle();
  assert.equal(open.length, 5);
  assert.equal([...first.frames, ...second.frames].filter((frame) => frame.endsWith(':OVERLOADED')).length, 1);
  const server = connect(fixture, helloBytes(1, 1, true));
  for (let id = 1; id <= 3; id += 1) server.send(stat(id));
  await fixture.clock.settle();
  assert.deepEqual([open.length, fixture.server.callCount], [8, 8]);
  await finish();
  assert.equal(fixture.server.callCount, 0);
  first.send(stat(9));
  await fixture.clock.settle();
  await finish();
  assert.ok(first.frames.includes('2:9'));
});

test('load: clients beyond the bound of connections are told so, servers are taken, twice as many are closed', async () => {
  const { fixture, finish } = await holdingServer({ connectionsMax: 3 });
  const { clock, server, pool } = fixture;
  for (let count = 0; count < 3; count += 1) connect(fixture);
  await clock.settle();
  const call = pool.channel(SERVER_ADDRESS).call(Master.stat, { file: undefined }, { timeoutMs: 1000 });
  const refused = assert.rejects(call, { kind: 'OVERLOADED' });
  await clock.advance(100);
  await refused;
  assert.equal(server.connectionCount, 3);
  const peers = Array.from({ length: 4 }, () => connect(fixture, helloBytes(1, 1, true)));
  await clock.settle();
  assert.deepEqual([server.connectionCount, peers.map(({ isEnded }) => isEnded)], [6, [false, false, false, true]]);
  for (const peer of peers) peer.close();
  await clock.settle();
  peers[0] = connect(fixture, helloBytes(1, 1, true));
  peers[0].send(stat(1));
  await clock.settle();
  await finish();
  assert.ok(peers[0].frames.includes('2:1'));
});

test('load: a hello with a name that is kept and too long is none', async () => {
  const { fixture } = await holdingServer({});
  const hello = (length: number) => {
    const said = { version: 1, lowestVersion: 1, fromServer: false, series: new Uint8Array(length), number: 1 };
    const message = Hello.encode(said).finish();
    return Buffer.concat([Buffer.from(PREFACE), frameBytes({ kind: FrameKind.hello, message })]);
  };
  const [fits, tooLong] = [
    connect(fixture, hello(SERIES_NAME_BYTES_MAX)),
    connect(fixture, hello(SERIES_NAME_BYTES_MAX + 1)),
  ];
  await fixture.clock.settle();
  assert.deepEqual([fits.isEnded, tooLong.isEnded], [false, true]);
});
