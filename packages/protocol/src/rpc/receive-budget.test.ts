import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods as Data, MasterMethods as Master, ReadChunkRequest, StatRequest } from '../index.ts';
import { type Fixture, makeFixture } from '../testing/fixtures.ts';
import { frameBytes, helloBytes, RawPeer } from '../testing/raw-peer.ts';
import { FrameKind } from './frame.ts';
import { ReceiveBudget } from './receive-budget.ts';

const MiB = 1024 * 1024;
const READ = ReadChunkRequest.encode({ handle: '', version: 1, offset: 0, length: 1, knownLength: 0 }).finish();
const STAT = StatRequest.encode({ file: { path: '/', inode: 0 } }).finish();

function request(requestId: number, dataBytes: number): Buffer {
  const { id: method } = Data.readChunk;
  const data = new Uint8Array(dataBytes).fill(requestId);
  return frameBytes({ kind: FrameKind.request, requestId, method, value: 60_000, message: READ, data });
}

/** A server whose handler holds every request until `finish`. */
async function holdingServer(receivedBytesMax: number) {
  const open: (() => void)[] = [];
  const reply = { message: { length: 0, committedLength: 0 } };
  const fixture = await makeFixture({
    limits: { receivedBytesMax },
    register: (server) => {
      server.handle(Data.readChunk, () => new Promise((resolve) => open.push(() => resolve(reply))));
      server.handle(Master.stat, () => ({ message: { attributes: undefined } }));
    },
  });
  const finish = async () => {
    for (const end of open.splice(0)) end();
    await fixture.clock.settle();
  };
  return { fixture, open, finish };
}

function connect({ network, server }: Fixture, fromServer = false): RawPeer {
  const { client, server: accepted } = network.pair('x');
  server.accept(accepted);
  const peer = new RawPeer(client);
  peer.send(helloBytes(1, 1, fromServer));
  return peer;
}

test('budget: waits are granted in order, and one alone whatever its size', () => {
  const budget = new ReceiveBudget(100);
  const granted: string[] = [];
  assert.equal(
    budget.reserve(1000, () => {}),
    undefined,
  );
  const first = budget.reserve(60, () => granted.push('first'));
  budget.reserve(70, () => granted.push('second'));
  budget.reserve(20, () => granted.push('third'));
  assert.equal(budget.waitingCount, 3);
  budget.release(1000);
  assert.deepEqual([granted, budget.heldBytes], [['first'], 60]);
  first!.cancel(); // too late: it was granted
  budget.release(60);
  assert.deepEqual([granted, budget.heldBytes], [['first', 'second', 'third'], 90]);
  const behind = budget.reserve(50, () => granted.push('behind'));
  budget.reserve(10, () => granted.push('last'));
  behind!.cancel();
  assert.deepEqual([granted.at(-1), budget.heldBytes, budget.waitingCount], ['last', 100, 0]);
});

test('server: the memory of requests is bounded over all connections, and all are served in the end', async () => {
  const { fixture, open, finish } = await holdingServer(4 * MiB);
  const peers = Array.from({ length: 40 }, () => connect(fixture));
  for (const peer of peers) for (let id = 1; id <= 3; id += 1) peer.send(request(id, 200_000));
  await fixture.clock.settle();
  let served = 0;
  while (open.length > 0) {
    assert.ok(open.length <= 4 && fixture.serverBuffers.outstandingCount <= 4, `${open.length} requests are held`);
    assert.ok(fixture.server.receivedBytes <= 4 * MiB);
    served += open.length;
    await finish();
  }
  assert.equal(served, 120);
  for (const peer of peers) assert.equal(peer.frames.filter((frame) => frame.startsWith('2:')).length, 3);
  assert.deepEqual([fixture.server.receivedBytes, fixture.serverBuffers.outstandingCount], [0, 0]);
});

test('server: small requests with data are counted too, and those without data pass', async () => {
  const { fixture, open, finish } = await holdingServer(100_000);
  const peers = Array.from({ length: 20 }, () => connect(fixture));
  for (const peer of peers) peer.send(request(1, 10_000));
  await fixture.clock.settle();
  assert.equal(open.length, 10);
  const other = connect(fixture);
  other.send(frameBytes({ kind: FrameKind.request, requestId: 7, method: Master.stat.id, value: 1000, message: STAT }));
  await fixture.clock.settle();
  assert.ok(other.frames.includes('2:7'));
  await finish();
  assert.equal(open.length, 10);
  await finish();
  assert.equal(fixture.server.receivedBytes, 0);
});

test('server: what other servers send does not wait for what clients hold', async () => {
  const { fixture, open, finish } = await holdingServer(2 * MiB);
  const clients = Array.from({ length: 5 }, () => connect(fixture));
  for (const client of clients) client.send(request(1, MiB));
  await fixture.clock.settle();
  assert.equal(open.length, 2);
  const server = connect(fixture, true);
  for (let id = 1; id <= 3; id += 1) server.send(request(id, MiB));
  await fixture.clock.settle();
  assert.equal(open.length, 5);
  while (open.length > 0) await finish();
  for (const client of clients) assert.ok(client.frames.includes('2:1'));
  assert.equal(fixture.server.receivedBytes, 0);
});

test('server: a connection that ends gives back what it took, and its place in line', async () => {
  const { fixture, open, finish } = await holdingServer(2 * MiB);
  const stalled = Array.from({ length: 2 }, () => connect(fixture));
  // Head and a part of the data: the memory is taken, the rest never comes.
  for (const peer of stalled) peer.send(request(1, MiB).subarray(0, 1000));
  await fixture.clock.settle();
  const waiting = Array.from({ length: 3 }, () => connect(fixture));
  for (const peer of waiting) peer.send(request(1, MiB));
  await fixture.clock.settle();
  assert.deepEqual([open.length, fixture.server.receivedBytes], [0, 2 * MiB]);
  waiting[0]!.close();
  stalled[0]!.close();
  await fixture.clock.settle();
  assert.equal(open.length, 1);
  stalled[1]!.close();
  await fixture.clock.settle();
  assert.equal(open.length, 2);
  await finish();
  assert.ok(waiting[1]!.frames.includes('2:1') && waiting[2]!.frames.includes('2:1'));
  assert.deepEqual([fixture.server.receivedBytes, fixture.serverBuffers.outstandingCount], [0, 0]);
});
