import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, isFsError } from '@cairnfs/base';
import { CHANNEL_OPEN_CALLS_MAX } from '../limits.ts';
import { MasterMethods as Master } from '../methods.ts';
import type { FakeClock } from '../testing/fake-clock.ts';
import { makeFixture } from '../testing/fixtures.ts';
import { failure, outcome } from '../testing/outcome.ts';

const TIMEOUT = { timeoutMs: 1000 };
const STAT = { file: { path: '/a', inode: 7 } };
const STAT_REPLY = { message: { attributes: undefined } };

test('channel: a refused connection fails its calls at once, and the next try waits within the deadline', async () => {
  const { clock, pool, network, server } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  const channel = pool.channel('nobody:1');
  assert.equal((await failure(channel.call(Master.stat, STAT, TIMEOUT))).kind, 'CONNECTION_REFUSED');
  assert.equal(network.connectCount, 1);
  const tooShort = await failure(channel.call(Master.stat, STAT, { timeoutMs: 1 }));
  assert.equal(tooShort.kind, 'CONNECTION_REFUSED');
  assert.equal(network.connectCount, 1);
  const other = await makeFixture();
  other.network.connect = () => Promise.reject(new FsError('NAME_UNRESOLVED', 'the name nobody does not resolve'));
  const { kind, message } = await failure(other.pool.channel('nobody:1').call(Master.stat, STAT, TIMEOUT));
  assert.deepEqual(
    [kind, message],
    ['NAME_UNRESOLVED', 'cannot connect to nobody:1: the name nobody does not resolve'],
  );
  await network.listen('nobody:1', (connection) => server.accept(connection));
  const waits = channel.call(Master.stat, STAT, TIMEOUT);
  await clock.settle();
  assert.equal(network.connectCount, 1);
  await clock.advance(30);
  await waits;
  assert.equal(network.connectCount, 2);
});

async function callWhileClockIsSet(set: (clock: FakeClock) => void): Promise<{ kind: string; isCalled: boolean }> {
  let isCalled = false;
  const { clock, channel } = await makeFixture({
    register: (server) =>
      server.handle(Master.stat, () => {
        isCalled = true;
        return STAT_REPLY;
      }),
  });
  const call = outcome(channel.call(Master.stat, STAT, TIMEOUT));
  set(clock);
  await clock.settle();
  const result = await call;
  return { kind: result instanceof FsError ? result.kind : 'answered', isCalled };
}

test('channel: a call that waited for its connection too long is not sent, though no timer has said so', async () => {
  // The process stood still, and takes what arrived meanwhile before it looks at its timers.
  const stoodStill = await callWhileClockIsSet((clock) => {
    const nowMs = clock.nowMs() + TIMEOUT.timeoutMs;
    clock.nowMs = () => nowMs;
  });
  assert.deepEqual(stoodStill, { kind: 'CONNECTION_REFUSED', isCalled: false });
});

test('channel: a call that waited for its connection while the machine slept is not sent', async () => {
  const setWall = (byMs: number) => (clock: FakeClock) => {
    const wallMs = clock.wallMs() + byMs;
    clock.wallMs = () => wallMs;
  };
  const slept = await callWhileClockIsSet(setWall(TIMEOUT.timeoutMs));
  assert.deepEqual(slept, { kind: 'CONNECTION_REFUSED', isCalled: false });
  const setBack = await callWhileClockIsSet(setWall(-3_600_000));
  assert.deepEqual(setBack, { kind: 'answered', isCalled: true }, 'a calendar that is set back');
});

test('channel: a call that waits for the next try is given up when the machine slept', async () => {
  const { clock, pool, network, server } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  const channel = pool.channel('nobody:1');
  await failure(channel.call(Master.stat, STAT, TIMEOUT));
  await network.listen('nobody:1', (connection) => server.accept(connection));
  const waits = failure(channel.call(Master.stat, STAT, TIMEOUT));
  const wallMs = clock.wallMs() + TIMEOUT.timeoutMs;
  clock.wallMs = () => wallMs;
  await clock.advance(30);
  assert.equal((await waits).kind, 'CONNECTION_REFUSED');
  assert.equal(network.connectCount, 1);
});

test('channel: the pause between tries grows to its cap', async () => {
  const { clock, pool, network } = await makeFixture();
  const channel = pool.channel('nobody:1');
  const startedMs = clock.nowMs();
  for (let round = 0; round < 300; round += 1) {
    void outcome(channel.call(Master.stat, STAT, { timeoutMs: 5000 }));
    await clock.advance(100);
  }
  const perSecond = network.connectCount / ((clock.nowMs() - startedMs) / 1000);
  assert.ok(perSecond < 1.5, `${perSecond} tries a second`);
  assert.ok(network.connectCount > 10);
});

test('channel: silence with calls open is answered by a ping, and by closing when no pong comes', async () => {
  const { clock, channel, network } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => new Promise(() => {})),
  });
  const call = failure(channel.call(Master.stat, STAT, { timeoutMs: 600_000 }));
  await clock.advance(60_000); // pings are answered
  assert.equal(network.connections[0]!.isClosed, false);
  network.connections[0]!.other!.isMute = true;
  await clock.advance(26_000);
  const error = await call;
  assert.equal(error.kind, 'CONNECTION_LOST');
  assert.match(error.message, /pong/);
});

test('channel: a silent connection is given up though no call on it lasts as long as silence may', async () => {
  const { clock, channel, network } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  const first = channel.call(Master.stat, STAT, TIMEOUT);
  await clock.settle();
  await first;
  network.connections[0]!.other!.isMute = true;
  for (let count = 0; count < 3; count += 1) {
    const call = failure(channel.call(Master.stat, STAT, { timeoutMs: 9000 }));
    await clock.advance(10_000);
    assert.match((await call).kind, /^(DEADLINE_EXCEEDED|CONNECTION_LOST)$/);
  }
  assert.equal(network.connections[0]!.isClosed, true);
  const last = channel.call(Master.stat, STAT, TIMEOUT);
  await clock.settle();
  await last;
});

test('channel: an idle connection is closed and made again when needed', async () => {
  const { clock, channel, network, server } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => STAT_REPLY),
  });
  for (const connectCount of [1, 2]) {
    const call = channel.call(Master.stat, STAT, TIMEOUT);
    await clock.settle();
    await call;
    assert.equal(network.connectCount, connectCount);
    await clock.advance(61_000);
    assert.equal(server.connectionCount, 0);
  }
});

test('channel: more open calls than its limit are refused with OVERLOADED', async () => {
  const { clock, channel, pool } = await makeFixture({
    register: (server) => server.handle(Master.stat, () => new Promise(() => {})),
  });
  const calls = Array.from({ length: CHANNEL_OPEN_CALLS_MAX }, () => outcome(channel.call(Master.stat, STAT, TIMEOUT)));
  await clock.settle();
  assert.equal((await failure(channel.call(Master.stat, STAT, TIMEOUT))).kind, 'OVERLOADED');
  pool.close();
  for (const result of await Promise.all(calls)) assert.ok(isFsError(result, 'CANCELLED'));
  assert.equal((await failure(channel.call(Master.stat, STAT, TIMEOUT))).kind, 'CANCELLED');
});
