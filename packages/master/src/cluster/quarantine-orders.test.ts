import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { QUARANTINE_LOOKED_AT_MAX, QUARANTINE_ORDERS_MAX, QUARANTINE_QUEUE_MAX } from '../limits.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { handleOf, TestCluster } from '../testing/test-cluster.ts';
import { QuarantineOrders } from './quarantine-orders.ts';

const SERVER = 1;

function ordersOf(count: number, reason: string): QuarantineOrders {
  const orders = new QuarantineOrders(QUARANTINE_QUEUE_MAX);
  for (let index = 0; index < count; index += 1) {
    orders.add(SERVER, { handle: handleOf(index), versionAtMost: 1, reason });
  }
  return orders;
}

const next = (orders: QuarantineOrders, count: number) => orders.next(SERVER, count).map(({ order }) => order.handle);

test('quarantine orders: what is put off goes behind the rest', () => {
  const orders = ordersOf(5, 'surplus');
  for (const turn of [
    [0, 1],
    [2, 3],
    [4, 0],
  ]) {
    assert.deepEqual(next(orders, 2), turn.map(handleOf));
    for (const index of turn) orders.putOff(SERVER, handleOf(index));
  }
});

test('quarantine orders: what is ordered again for the same reason keeps its turn', () => {
  const orders = ordersOf(3, 'deleted');
  const orderAll = () => {
    for (const index of [0, 1, 2]) orders.add(SERVER, { handle: handleOf(index), versionAtMost: 2, reason: 'deleted' });
  };
  for (const index of [0, 1]) orders.putOff(SERVER, handleOf(index));
  orderAll();
  assert.deepEqual(next(orders, 3), [2, 0, 1].map(handleOf));
  assert.equal(orders.get(SERVER, handleOf(0))?.order.versionAtMost, 2);
});

test('quarantine orders: a surplus copy that is ordered away for another reason is none any more', () => {
  const orders = ordersOf(1, 'surplus');
  orders.makeWay(SERVER, handleOf(0));
  orders.add(SERVER, { handle: handleOf(0), versionAtMost: 2, reason: 'deleted' });
  assert.deepEqual(orders.holdersOf(handleOf(0)), []);
  assert.deepEqual(next(orders, 1), [handleOf(0)]);
});

test('quarantine orders: surplus copies neither hold up others nor take their room, until they are in the way', () => {
  const orders = ordersOf(QUARANTINE_QUEUE_MAX, 'surplus');
  const orphan = handleOf(QUARANTINE_QUEUE_MAX);
  orders.add(SERVER, { handle: orphan, versionAtMost: 1, reason: 'orphan' });
  assert.deepEqual(next(orders, 1), [orphan, handleOf(0)]);
  const inTheWay = handleOf(QUARANTINE_QUEUE_MAX - 1);
  orders.makeWay(SERVER, inTheWay);
  orders.add(SERVER, { handle: inTheWay, versionAtMost: 2, reason: 'surplus' });
  assert.deepEqual(next(orders, 2).slice(0, 2), [orphan, inTheWay]);
  assert.deepEqual(orders.holdersOf(inTheWay), [SERVER]);
  orders.forget(SERVER);
  assert.ok(orders.isEmpty(SERVER));
  for (const handle of [inTheWay, handleOf(0)]) assert.deepEqual(orders.holdersOf(handle), []);
});

test('quarantine orders: when there was no room for one, the inventory is wanted as soon as half of the queue is', () => {
  const orders = ordersOf(QUARANTINE_QUEUE_MAX, 'orphan');
  const remove = (count: number) => {
    for (const handle of next(orders, count)) orders.delete(SERVER, handle);
  };
  assert.equal(orders.wantsInventory(SERVER), false);
  orders.add(SERVER, { handle: handleOf(QUARANTINE_QUEUE_MAX), versionAtMost: 1, reason: 'orphan' });
  remove(QUARANTINE_QUEUE_MAX / 2 - 1);
  assert.equal(orders.wantsInventory(SERVER), false);
  remove(1);
  assert.equal(orders.wantsInventory(SERVER), true);
  orders.reviewed(SERVER);
  assert.equal(orders.wantsInventory(SERVER), false);
});

test('quarantine orders: what a server does not do holds up nothing that was ordered after it', async () => {
  const cluster = await TestCluster.start(1);
  const server = cluster.server(1);
  const count = 2 * QUARANTINE_ORDERS_MAX + 1;
  for (let index = 0; index < count; index += 1) {
    server.replicas.set(handleOf(index), newReplica({ version: 1, length: 10 }));
  }
  await cluster.run(server.sendInventory());
  server.isBeating = false;
  const given: string[] = [];
  for (let beat = 0; beat < 3; beat += 1) {
    const { quarantine } = await cluster.run(server.heartbeat());
    given.push(...quarantine.map(({ handle }) => handle));
  }
  const all = Array.from({ length: count }, (_, index) => handleOf(index));
  // Then the first ones have their turn again.
  assert.deepEqual(given, [...all, ...all.slice(0, QUARANTINE_ORDERS_MAX - 1)]);
});

test('quarantine orders: of many surplus copies that are kept, a heartbeat looks at some, and the one that may go has its turn', async () => {
  const cluster = await TestCluster.start(4);
  const keptCount = 2 * QUARANTINE_LOOKED_AT_MAX;
  const versions = { version: 2, highestVersion: 2 };
  const chunk = { state: ChunkState.CHUNK_STATE_CLOSED, length: 10, members: [1, 2], goal: 3, ...versions };
  const beside = cluster.server(4);
  for (let index = 0; index <= keptCount; index += 1) {
    await cluster.putChunk(handleOf(index), { ...chunk, goal: index === keptCount ? 2 : 3 });
    beside.replicas.set(handleOf(index), newReplica({ version: 1, length: 10 }));
  }
  await cluster.run(beside.sendInventory());
  beside.isBeating = false;
  const turns: string[][] = [];
  for (let beat = 0; beat < 3; beat += 1) {
    const { quarantine } = await cluster.run(beside.heartbeat());
    turns.push(quarantine.map(({ handle }) => handle));
  }
  assert.deepEqual(turns, [[], [], [handleOf(keptCount)]]);
});
