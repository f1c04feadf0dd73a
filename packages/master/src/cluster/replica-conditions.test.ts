import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplicaCondition } from '@cairnfs/protocol';
import { MASTER_BOUNDS } from '../bounds.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';
import { ReplicaConditions } from './replica-conditions.ts';

const SERVER = 1;
const OTHER = 2;

for (const what of ['missing', 'not shown']) {
  test(`replica conditions: past the limit nobody can tell, until an inventory comes to it when there is room (${what})`, () => {
    const conditions = new ReplicaConditions(4);
    const note = (handle: string) => {
      if (what === 'missing') conditions.set(SERVER, handle, 'missing');
      else conditions.notShown(SERVER, handle);
    };
    const told = () => [...'abcdefg'].filter((handle) => conditions.isTold(SERVER, handle)).join('');
    for (const handle of 'abcdef') note(handle);
    assert.equal(told(), 'abcd');
    assert.ok(conditions.isTold(OTHER, 'f'));
    assert.equal(conditions.isEmpty(SERVER), false);
    conditions.clear(SERVER, 'a');
    assert.equal(conditions.wantsInventory(SERVER), false);
    conditions.clear(SERVER, 'b');
    assert.equal(conditions.wantsInventory(SERVER), true);
    conditions.reviewed(SERVER, '', 'd');
    assert.equal(told(), 'abcd');
    conditions.reviewed(SERVER, 'd', 'e');
    note('e');
    assert.equal(told(), 'abcde');
    conditions.reviewed(SERVER, 'e', undefined);
    assert.equal(told(), 'abcdefg');
    assert.equal(conditions.wantsInventory(SERVER), false);
  });
}

test('replica conditions: what found no room below where an inventory has got to waits for the next one', () => {
  const conditions = new ReplicaConditions(1);
  conditions.reviewed(SERVER, '', 'd');
  conditions.set(SERVER, 'a', 'missing');
  conditions.set(SERVER, 'b', 'missing');
  conditions.reviewed(SERVER, 'd', undefined);
  assert.deepEqual([conditions.isTold(SERVER, 'a'), conditions.isTold(SERVER, 'b')], [true, false]);
  conditions.reviewed(SERVER, '', undefined);
  assert.equal(conditions.isTold(SERVER, 'b'), true);
});

test('replica conditions: no inventory is wanted while the server is still asked for what an earlier one did not show', () => {
  const conditions = new ReplicaConditions(4);
  for (const handle of 'abcde') conditions.notShown(SERVER, handle);
  for (const handle of 'ab') conditions.set(SERVER, handle, 'missing');
  assert.equal(conditions.wantsInventory(SERVER), false);
  for (const handle of 'cd') conditions.set(SERVER, handle, 'missing');
  for (const handle of 'ab') conditions.clear(SERVER, handle);
  assert.equal(conditions.wantsInventory(SERVER), true);
});

test('replica conditions: a server that lost more copies than are kept is asked for its inventory until all are replaced', async () => {
  const cluster = await TestCluster.start(4, { bounds: { ...MASTER_BOUNDS, exceptionsMax: 2 } });
  const handles = [1, 2, 3, 4, 5].map(handleOf);
  for (const handle of handles) await cluster.putChunk(handle, { length: 10 });
  const server = cluster.server(3);
  server.replicas.clear();
  await cluster.run(server.sendInventory());
  const replicas = () => handles.map((handle) => cluster.parts.cluster.replica(3, handle));
  assert.deepEqual(new Set(replicas()), new Set(['unreachable']));
  cluster.parts.start();
  for (let second = 0; second < 60; second += 1) {
    await cluster.simulation.runFor(1000);
    const { inventoryWanted } = await cluster.run(server.heartbeat());
    if (inventoryWanted) await cluster.run(server.sendInventory());
  }
  for (const handle of handles) assert.deepEqual([...cluster.chunk(handle)!.members].sort(), [1, 2, 4], handle);
});

test('replica conditions: the inventory is asked for as soon as there is room for what it would tell', async () => {
  const cluster = await TestCluster.start(3, { bounds: { ...MASTER_BOUNDS, exceptionsMax: 2 } });
  const handles = [1, 2, 3].map(handleOf);
  for (const handle of handles) await cluster.putChunk(handle, { length: 10 });
  const server = cluster.server(3);
  const kept = new Map(server.replicas);
  server.replicas.clear();
  await cluster.run(server.sendInventory());
  assert.equal((await cluster.run(server.heartbeat())).inventoryWanted, false);
  for (const handle of handles.slice(0, 2)) server.replicas.set(handle, kept.get(handle)!);
  const changes = handles.slice(0, 2).map((handle) => server.report(handle));
  assert.equal((await cluster.run(server.heartbeat({ changes }))).inventoryWanted, true);
  await cluster.run(server.sendInventory());
  assert.equal((await cluster.run(server.heartbeat())).inventoryWanted, false);
});

test('replica conditions: a copy of which nobody can tell is no reason to put a surplus one away', async () => {
  const cluster = await TestCluster.start(4, { bounds: { ...MASTER_BOUNDS, exceptionsMax: 1 } });
  for (const index of [1, 2]) await cluster.putChunk(handleOf(index), { length: 10, version: 2, highestVersion: 2 });
  const beside = cluster.server(4);
  for (const index of [1, 2]) {
    const replica = cluster.server(3).replicas.get(handleOf(index))!;
    beside.replicas.set(handleOf(index), { ...replica, version: 1, promisedVersion: 1 });
  }
  cluster.server(3).replicas.clear();
  await cluster.run(cluster.server(3).sendInventory());
  await cluster.run(beside.sendInventory());
  assert.deepEqual((await cluster.run(beside.heartbeat())).quarantine, []);
});

test('replica conditions: a corrupt copy of an empty chunk that has gone is not corrupt any more', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 0 });
  const server = cluster.server(3);
  server.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'corrupt');
  server.replicas.delete(HANDLE);
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_GONE)] }));
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'live');
});

test('replica conditions: a corrupt copy of an empty chunk that an inventory does not show is not corrupt any more', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 0 });
  const server = cluster.server(3);
  server.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  server.replicas.delete(HANDLE);
  await cluster.run(server.sendInventory());
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'live');
});

test('replica conditions: a corrupt copy of an empty chunk that its server does not have any more needs no other one', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 0 });
  const server = cluster.server(3);
  server.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  cluster.parts.start();
  await cluster.simulation.runFor(2000);
  assert.equal((await cluster.run(server.heartbeat())).quarantine.length, 1);
  server.replicas.delete(HANDLE); // and tells nobody
  await cluster.simulation.runFor(15_000);
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'live');
  assert.equal(cluster.chunk(HANDLE)!.version, 1);
});

/** Server 3 tells once of rot in its replica of an upload. */
async function withRotInUpload(): Promise<TestCluster> {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, { length: 10, state: ChunkState.CHUNK_STATE_UPLOADING });
  const server = cluster.server(3);
  server.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  cluster.parts.start();
  await cluster.simulation.runFor(5000);
  return cluster;
}

test('replica conditions: rot that is told while the file is uploaded is repaired when it is there', async () => {
  const cluster = await withRotInUpload();
  const { decisions } = cluster.context;
  const confirmed = { ...cluster.chunk(HANDLE)!, state: ChunkState.CHUNK_STATE_CLOSED };
  await cluster.run(decisions.perform('test', (transaction) => transaction.putChunk(HANDLE, confirmed)));
  await cluster.simulation.runFor(10_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 4]);
});

test('replica conditions: rot in a replica of an upload that is given up goes with the replica', async () => {
  const cluster = await withRotInUpload();
  await cluster.run(cluster.discard(HANDLE));
  const server = cluster.server(3);
  server.isBeating = false;
  while ((await cluster.run(server.heartbeat())).quarantine.length === 0) await cluster.simulation.runFor(1000);
  server.replicas.delete(HANDLE);
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_GONE)] }));
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'live');
});
