import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

const OPEN = ChunkState.CHUNK_STATE_OPEN;
const CLOSED = ChunkState.CHUNK_STATE_CLOSED;
const GONE = ReplicaCondition.REPLICA_CONDITION_GONE;

test('view change: the base is the least that a member has staged, and its length is known', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, baseSequence: 1 });
  cluster.server(1).replicas.get(HANDLE)!.lengthsAfter = [20, 30, 40];
  cluster.server(2).replicas.get(HANDLE)!.lengthsAfter = [20, 30];
  cluster.server(3).replicas.get(HANDLE)!.lengthsAfter = [20, 30, 40];
  cluster.server(1).failure = new FsError('DISK_FAILED', 'the disk of server 1 failed');
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: false }));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([...chunk.members].sort(), [2, 3]);
  assert.deepEqual([chunk.state, chunk.length, chunk.sequence, chunk.pendingVersion], [CLOSED, 30, 3, 0]);
});

test('view change: every attempt has a version of its own', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0 });
  for (const id of [1, 2, 3]) cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = [5];
  cluster.server(3).failure = new FsError('DISK_FAILED', 'the disk of server 3 failed');
  await cluster.run(cluster.parts.views.open(HANDLE, []));
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const versions = cluster.server(3).prepared.map(({ newVersion, removed }) => `${newVersion} ${removed}`);
  assert.equal(versions[0], '2 false');
  assert.equal(cluster.chunk(HANDLE)!.version, 3);
});

test('view change: the same members go on with the attempt that is pending, so a slow disk is in time at last', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, goal: 2, members: [1, 2] });
  cluster.server(1).promiseMs = 6000;
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.simulation.runFor(1000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { version, highestVersion, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([version, highestVersion, [...members].sort()], [2, 2, [1, 2]]);
});

test('view change: a new master goes on with what is pending for the same members', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { length: 10, sequence: 1, goal: 2, members: [1, 2] });
  cluster.server(1).promiseMs = 20_000;
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.restartMaster();
  await cluster.simulation.runFor(20_000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.equal(cluster.chunk(HANDLE)!.version, 2);
});

test('view change: who promised a version and lost the replica then is no member at that version', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, goal: 2, members: [1, 2] });
  const lost = cluster.server(1).replicas.get(HANDLE)!;
  lost.lengthsAfter = [5]; // staged nowhere else, so never acknowledged
  cluster.server(2).promiseMs = 6000;
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  assert.equal(lost.promisedVersion, 2);
  cluster.server(1).replicas.delete(HANDLE); // its disk may be in service again one day
  cluster.parts.start();
  await cluster.simulation.runFor(30_000);
  const { version, members, state } = cluster.chunk(HANDLE)!;
  assert.ok(version > lost.promisedVersion, `promised was ${lost.promisedVersion}, confirmed ${version}`);
  assert.deepEqual([state, members], [CLOSED, [2]]);
});

test('view change: a new master that finds members without a replica goes on with all of them, under a new version', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, highestVersion: 2, pendingVersion: 2, pendingMembers: [1, 2, 3] });
  for (const id of [2, 3]) cluster.server(id).replicas.delete(HANDLE); // the first mutation makes them
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { version, members, state } = cluster.chunk(HANDLE)!;
  assert.deepEqual([version, members.length, state], [3, 3, OPEN]);
});

test('view change: a member without a replica counts as empty under a new version, also when nobody has one', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, goal: 2, members: [1, 2] });
  cluster.server(1).replicas.delete(HANDLE);
  cluster.server(2).promiseFailure = new FsError('UNAVAILABLE', 'not yet');
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  cluster.server(2).promiseFailure = undefined;
  cluster.server(2).replicas.delete(HANDLE);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { version, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([version, members.length], [3, 2]);
});

test('view change: members that nobody can do without do not count as lost when one is out of reach for a moment', async () => {
  const cluster = await TestCluster.start(2);
  const pending = { highestVersion: 2, pendingVersion: 2, pendingMembers: [1, 2] };
  await cluster.putChunk(HANDLE, { state: OPEN, goal: 2, members: [1, 2], ...pending });
  for (const id of [1, 2]) cluster.server(id).replicas.delete(HANDLE); // the first mutation makes them
  const second = cluster.server(2);
  const crashed = new FsError('CONNECTION_LOST', 'it crashed when it was asked under the new version');
  const isAskedFirst = (asked: number) => second.prepared.filter(({ newVersion }) => newVersion === asked).length === 1;
  const get = () => (isAskedFirst(3) && second.prepared.at(-1)?.newVersion === 3 ? crashed : undefined);
  Object.defineProperty(second, 'promiseFailure', { get });
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { version, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([version, members.length], [4, 2]);
});

test('view change: a member that lost its replica is left out, not counted as empty', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0 });
  cluster.server(1).replicas.delete(HANDLE); // the primary's disk was replaced
  for (const id of [2, 3]) cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = [100, 200];
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: false }));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.length, chunk.sequence], [200, 2]);
  assert.deepEqual([...chunk.members].sort(), [2, 3]);
  // Should its disk come back, what lies there is old.
  const isMarked = (id: number) => cluster.context.decisions.read().server(id)?.changedWhileAway;
  assert.deepEqual([isMarked(1), isMarked(2)], [true, false]);
});

test('view change: a chunk that no mutation ever reached closes empty', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0 });
  for (const id of [1, 2, 3]) cluster.server(id).replicas.delete(HANDLE);
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: true }));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.state, chunk.length, chunk.sealed, chunk.members.length], [CLOSED, 0, true, 3]);
});

test('view change: replicas that an ended view made late are no reason to wait', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, version: 3, highestVersion: 3 });
  cluster.server(1).replicas.delete(HANDLE);
  for (const id of [2, 3]) Object.assign(cluster.server(id).replicas.get(HANDLE)!, { version: 1, promisedVersion: 1 });
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: false }));
  const { state, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members], [CLOSED, [1]]);
});

test('view change: a replica that was made late is none to wait for either when it has promised to leave since', async () => {
  const cluster = await TestCluster.start(2);
  const views = { version: 3, highestVersion: 4, pendingVersion: 4, pendingMembers: [1] };
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, members: [1, 2], ...views });
  const late = { version: 2, promisedVersion: 4, isRemoved: true, keptVersion: 2, sequence: 0, length: 0 };
  Object.assign(cluster.server(2).replicas.get(HANDLE)!, late);
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: false }));
  const { state, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members], [CLOSED, [1]]);
  // It was told, and has nothing to show before its next lease.
  assert.equal(cluster.context.decisions.read().server(2)?.changedWhileAway, false);
});

test('view change: a member that was made late stays out while a slow disk is waited for, whatever it reports', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, version: 3, highestVersion: 3 });
  cluster.server(2).promiseMs = 6000;
  const late = cluster.server(3);
  Object.assign(late.replicas.get(HANDLE)!, { version: 2, promisedVersion: 2, sequence: 0, length: 0 });
  const changing = cluster.parts.views.retire([HANDLE]).catch(() => undefined);
  cluster.parts.start();
  for (let second = 0, reported = ''; second < 60; second += 1) {
    await cluster.simulation.runFor(1000);
    const report = late.report(HANDLE);
    const change = JSON.stringify(report);
    if (change !== reported) await cluster.run(late.heartbeat({ changes: [report] }));
    reported = change;
  }
  await changing;
  const { pendingVersion, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([pendingVersion, [...members].sort()], [0, [1, 2]]);
});

test('view change: bytes of an upload behind its confirmed length are no part of the chunk', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  for (const id of [1, 2, 3]) cluster.server(id).replicas.get(HANDLE)!.length = 15;
  await cluster.run(cluster.parts.views.open(HANDLE, []));
  assert.equal((await cluster.run(cluster.parts.views.end(HANDLE)))?.length, 10);
  await cluster.run(cluster.parts.views.close(HANDLE, { seal: false }));
  assert.equal(cluster.chunk(HANDLE)!.length, 10);
});

test('view change: a server that leaves unheard has lost its lease before the view is confirmed', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  cluster.cutOff(3);
  const cutAtMs = cluster.simulation.nowMs;
  await cluster.run(cluster.parts.views.open(HANDLE, [3]));
  assert.ok(cluster.simulation.nowMs - cutAtMs > 9000, 'before its lease can have run out');
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
});

test('view change: a server that the master hears and cannot reach loses its lease', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  cluster.server(3).failure = new FsError('INTERNAL', 'out of order');
  await cluster.simulation.run(cluster.parts.views.open(HANDLE, [3]), 60_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
});

test('view change: a server that comes back after it was left out registers anew', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  cluster.cutOff(3);
  await cluster.run(cluster.parts.views.open(HANDLE, [3]));
  const before = cluster.server(3).registeredCount;
  cluster.simulation.network.heal();
  await cluster.simulation.runFor(30_000);
  assert.equal(cluster.server(3).registeredCount, before + 1);
  assert.equal(cluster.server(3).replicas.get(HANDLE)!.isRemoved, true, 'its copy could be served at the old version');
});

test('view change: fewer than the minimum in reach refuse, and the chunk stays as it was', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  for (const id of [2, 3]) cluster.server(id).failure = new FsError('UNAVAILABLE', 'stopping');
  await assert.rejects(cluster.run(cluster.parts.views.open(HANDLE, [2, 3])), { kind: 'VIEW_TOO_SMALL' });
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.version, chunk.members], [1, [1, 2, 3]]);
});

test('view change: a garbage chunk that was retired is still cleared from its servers', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: ChunkState.CHUNK_STATE_GARBAGE, length: 10 });
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  for (const id of [1, 2, 3]) {
    assert.equal(cluster.server(id).replicas.get(HANDLE)!.isRemoved, true);
    const { quarantine } = await cluster.run(cluster.server(id).heartbeat());
    assert.deepEqual(
      quarantine.map(({ handle }) => handle),
      [HANDLE],
    );
  }
});

test('view change: a member with less than was committed is left out', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, baseSequence: 4 });
  Object.assign(cluster.server(2).replicas.get(HANDLE)!, { sequence: 3, length: 30 });
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([[...chunk.members].sort(), chunk.length, chunk.baseSequence], [[1, 3], 40, 4]);
});

test('view change: a member with less than another one has committed is left out', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, baseSequence: 4 });
  // The log knows of sequence 4; what was committed since only replicas know.
  Object.assign(cluster.server(1).replicas.get(HANDLE)!, { sequence: 5, length: 50, lengthsAfter: [60] });
  Object.assign(cluster.server(2).replicas.get(HANDLE)!, { sequence: 4, length: 40, lengthsAfter: [50, 60] });
  Object.assign(cluster.server(3).replicas.get(HANDLE)!, { sequence: 4, length: 40, lengthsAfter: [] });
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([[...chunk.members].sort(), chunk.length, chunk.baseSequence], [[1, 2], 60, 6]);
});

test('view change: a member with less than was committed is not waited for, and the last one goes on alone', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, goal: 2, members: [1, 2] });
  Object.assign(cluster.server(1).replicas.get(HANDLE)!, { sequence: 5, length: 50 });
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { state, members, length, sequence } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members, length, sequence], [CLOSED, [1], 50, 5]);
});

test('view change: a member with less than was committed is in no view that comes, whatever it reports', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, goal: 2, members: [1, 2] });
  const [ahead, behind] = [cluster.server(1), cluster.server(2)];
  Object.assign(ahead.replicas.get(HANDLE)!, { sequence: 5, length: 50 });
  const isCutOff = () => ahead.prepared.at(-1)!.newVersion > 2; // it answers the first attempt
  const cutOff = new FsError('CONNECTION_LOST', 'it is cut off');
  Object.defineProperty(ahead, 'promiseFailure', { configurable: true, get: () => (isCutOff() ? cutOff : undefined) });
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  ahead.isBeating = false;
  await cluster.run(behind.heartbeat({ changes: [behind.report(HANDLE)] }));
  assert.equal(cluster.parts.cluster.replica(2, HANDLE), 'stale');
  await cluster.restartMaster();
  cluster.parts.start();
  await cluster.simulation.runFor(120_000);
  assert.equal(cluster.chunk(HANDLE)!.version, 1); // there is more at the other one, should it return
  Object.defineProperty(ahead, 'promiseFailure', { value: undefined });
  ahead.isBeating = true;
  await cluster.simulation.runFor(30_000);
  const { state, members, length, sequence, behindMembers } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members, length, sequence, behindMembers], [CLOSED, [1], 50, 5, []]);
});

test('view change: beside a member with less than was committed, a slow disk is in time at last', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, goal: 2, members: [1, 2] });
  const [ahead, behind] = [cluster.server(1), cluster.server(2)];
  Object.assign(ahead.replicas.get(HANDLE)!, { sequence: 5, length: 50 });
  ahead.promiseMs = 6000;
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  cluster.parts.start();
  for (let second = 0; second < 60; second += 1) {
    await cluster.run(behind.heartbeat({ changes: [behind.report(HANDLE)] }));
    await cluster.simulation.runFor(1000);
  }
  const { state, members, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members, length], [CLOSED, [1], 50]);
});

test('view change: a member that leaves says what was committed, too', async () => {
  const cluster = await TestCluster.start(4);
  const members = [1, 2, 3, 4];
  await cluster.putChunk(HANDLE, { state: OPEN, length: 40, sequence: 4, baseSequence: 4, members, goal: 4 });
  for (const id of [1, 3]) cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = [50];
  Object.assign(cluster.server(4).replicas.get(HANDLE)!, { sequence: 5, length: 50 });
  const corrupt = cluster.server(4).report(HANDLE, ReplicaCondition.REPLICA_CONDITION_CORRUPT);
  await cluster.run(cluster.server(4).heartbeat({ changes: [corrupt] }));
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([[...chunk.members].sort(), chunk.length, chunk.baseSequence], [[1, 3], 50, 5]);
});

test('view change: several silent members are waited for longer than one before a view is below the minimum', async () => {
  const cluster = await TestCluster.start(3);
  const other = '00000000-0000-4000-8000-000000000002';
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, goal: 2, members: [1, 2] });
  await cluster.putChunk(other, { state: OPEN, length: 10, sequence: 1 });
  for (const id of [2, 3]) cluster.cutOff(id);
  await cluster.simulation.runFor(13_000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1]);
  await assert.rejects(cluster.run(cluster.parts.views.retire([other])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.simulation.runFor(45_000);
  await cluster.run(cluster.parts.views.retire([other]));
  assert.deepEqual(cluster.chunk(other)!.members, [1]);
});

test('view change: a copy with rot does not go on alone, and the one that returns has lost nothing by that', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, goal: 2, members: [1, 2] });
  const [first, second] = [cluster.server(1), cluster.server(2)];
  // Acknowledged up to 4: the last one only the secondary has staged when the primary crashes.
  Object.assign(first.replicas.get(HANDLE)!, { sequence: 4, length: 40 });
  Object.assign(second.replicas.get(HANDLE)!, { sequence: 4, length: 40, lengthsAfter: [50], isCorrupt: true });
  await cluster.run(second.heartbeat({ changes: [second.report(HANDLE)] }));
  first.isBeating = false;
  cluster.cutOff(1);
  cluster.parts.start();
  await cluster.simulation.runFor(40_000);
  assert.deepEqual([cluster.chunk(HANDLE)!.state, cluster.chunk(HANDLE)!.version], [OPEN, 1]);
  cluster.simulation.network.heal();
  first.isBeating = true;
  await cluster.simulation.runFor(120_000);
  const { state, members, length, sequence } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, [...members].sort(), length, sequence], [CLOSED, [1, 3], 40, 4]);
});

test('view change: what a master missed while it stood still is no silence of its servers', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, goal: 2, members: [1, 2] });
  await cluster.simulation.runFor(3000);
  cluster.simulation.host('master').stall(30_000);
  cluster.cutOff(2);
  await cluster.simulation.runFor(31_500);
  assert.equal(cluster.server(1).registeredCount, 2);
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  await cluster.simulation.runFor(12_000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1]);
});

test('view change: one member without a replica does not make a chunk empty while the other is unheard', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0, members: [1, 2] });
  cluster.server(1).replicas.delete(HANDLE);
  cluster.server(2).replicas.get(HANDLE)!.lengthsAfter = [25];
  cluster.server(2).isBeating = false;
  cluster.cutOff(2);
  await cluster.simulation.runFor(13_000);
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2]);
});

test('view change: of a closed chunk the log knows that it is empty, whoever is unheard', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: CLOSED, length: 0, sequence: 0, sealed: true, members: [1, 2] });
  for (const id of [1, 2]) cluster.server(id).replicas.delete(HANDLE);
  cluster.server(2).isBeating = false;
  cluster.cutOff(2);
  await cluster.simulation.runFor(13_000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1]);
});

test('view change: what one staged behind the end of an empty chunk is no reason for another to have a replica', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: CLOSED, length: 0, sequence: 0, members: [1, 2] });
  cluster.server(1).replicas.get(HANDLE)!.lengthsAfter = [25];
  for (const id of [2, 3]) cluster.server(id).replicas.delete(HANDLE); // the first mutation makes them
  cluster.parts.start();
  await cluster.simulation.runFor(30_000);
  const { members, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([[...members].sort(), length], [[1, 2, 3], 0]);
});

test('view change: a member that answers without the replica it should have lost it, and the last one goes on alone', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0, members: [1, 2] });
  cluster.server(1).replicas.get(HANDLE)!.lengthsAfter = [25];
  cluster.server(2).replicas.delete(HANDLE);
  const change = () => cluster.run(cluster.parts.views.retire([HANDLE]));
  await change().catch(() => undefined); // it is known by then
  await change();
  const { members, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([members, length], [[1], 25]);
});

test('view change: members with a disk out of service prove nothing, however many have no replica', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0 });
  cluster.server(3).replicas.get(HANDLE)!.lengthsAfter = [25];
  cluster.server(3).isBeating = false;
  cluster.cutOff(3);
  for (const id of [1, 2]) {
    cluster.server(id).failure = new FsError('CHUNK_NOT_FOUND', 'not found', { details: { hidden: 1 } });
  }
  await cluster.simulation.runFor(13_000);
  const change = () => cluster.run(cluster.parts.views.retire([HANDLE]));
  await assert.rejects(change(), { kind: 'VIEW_TOO_SMALL' });
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2, 3]);
  for (const id of [1, 2]) cluster.server(id).failure = new FsError('CHUNK_NOT_FOUND', 'not found');
  await change();
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
});

test('view change: a member without a replica that never lost a disk proves that nothing was ever written', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0, members: [1, 2] });
  cluster.server(2).isBeating = false;
  cluster.cutOff(2);
  await cluster.simulation.runFor(13_000);
  const change = () => cluster.run(cluster.parts.views.retire([HANDLE]));
  cluster.server(1).failure = new FsError('CHUNK_NOT_FOUND', 'not found');
  await assert.rejects(change(), { kind: 'VIEW_TOO_SMALL' });
  cluster.server(1).failure = new FsError('CHUNK_NOT_FOUND', 'not found', { details: { whole: 1 } });
  await change();
  const { state, members, length, beganVersion, version } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, members, length, beganVersion], [CLOSED, [1], 0, version]);
});

test('view change: a member whose disk is out of service is not waited for where another one has it all', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 0, sequence: 0, members: [1, 2] });
  cluster.server(1).replicas.get(HANDLE)!.lengthsAfter = [25];
  cluster.server(2).failure = new FsError('CHUNK_NOT_FOUND', 'not found', { details: { hidden: 1 } });
  const change = () => cluster.run(cluster.parts.views.retire([HANDLE]));
  await change().catch(() => undefined); // it is known by then
  await change();
  const { members, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([members, length], [[1], 25]);
});

test('view change: a member whose replica is back before the view is confirmed without it promises first', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const third = cluster.server(3);
  const replica = third.replicas.get(HANDLE)!;
  third.replicas.delete(HANDLE);
  third.absence = { hidden: 1 };
  third.diskFailure = 'sync error';
  await cluster.run(third.heartbeat({ changes: [third.report(HANDLE, GONE)] }));
  cluster.server(2).promiseMs = 2000;
  const change = cluster.parts.views.open(HANDLE, []);
  await cluster.simulation.runFor(1000);
  // Started anew, with the disk in order.
  third.replicas.set(HANDLE, replica);
  third.diskFailure = '';
  await cluster.run(third.register());
  await cluster.run(change);
  const { version, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([...members].sort(), [1, 2]);
  assert.ok(
    replica.promisedVersion >= version,
    `it serves version ${replica.promisedVersion}, confirmed is ${version}`,
  );
});

test('view change: a member whose replica is back before its answer is looked at has it', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { state: OPEN, length: 10, sequence: 1, goal: 2, members: [1, 2] });
  const second = cluster.server(2);
  const replica = second.replicas.get(HANDLE)!;
  second.replicas.delete(HANDLE);
  second.absence = { hidden: 1 };
  cluster.server(1).promiseMs = 2000;
  const change = cluster.parts.views.retire([HANDLE]);
  const outcome = assert.rejects(change, { kind: 'VIEW_TOO_SMALL' });
  await cluster.simulation.runFor(1000);
  // Started anew, with the disk in order.
  second.replicas.set(HANDLE, replica);
  await cluster.run(second.register());
  await cluster.run(second.sendInventory());
  await cluster.run(outcome);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
});

test('view change: an empty replica on a disk out of service has left when that returns', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN });
  const third = cluster.server(3);
  const replica = third.replicas.get(HANDLE)!;
  third.replicas.delete(HANDLE);
  third.absence = { hidden: 1 };
  third.failure = new FsError('UNAVAILABLE', 'not just now');
  const change = cluster.parts.views.open(HANDLE, [3]);
  await cluster.simulation.runFor(500);
  third.failure = undefined;
  await cluster.run(change);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2]);
  third.replicas.set(HANDLE, replica);
  await cluster.run(third.register());
  const { leaseWithheld } = await cluster.run(third.heartbeat());
  assert.equal(leaseWithheld || replica.isRemoved, true, 'it would be read as empty');
});

/** An open chunk that is empty, and its third member with its replica on a disk that is out of service. */
async function hideEmpty() {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { state: OPEN });
  const third = cluster.server(3);
  const replica = third.replicas.get(HANDLE)!;
  third.replicas.delete(HANDLE);
  third.absence = { hidden: 1 };
  const second = cluster.server(2);
  second.failure = new FsError('UNAVAILABLE', 'not just now');
  const change = cluster.parts.views.open(HANDLE, [2]);
  await cluster.simulation.runFor(500);
  second.failure = undefined;
  return { cluster, second, third, replica, change };
}

test('view change: who stays as an empty member shows what its disk out of service holds before it serves that', async () => {
  const { cluster, third, replica, change } = await hideEmpty();
  await cluster.run(change);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 3]);
  third.replicas.set(HANDLE, replica);
  await cluster.run(third.register());
  const { leaseWithheld } = await cluster.run(third.heartbeat());
  assert.equal(leaseWithheld || replica.promisedVersion > 1, true, 'it would be read at the version before');
});

test('view change: who is to stay as an empty member, and has its replica back before that is confirmed, promises first', async () => {
  const { cluster, second, third, replica, change } = await hideEmpty();
  second.promiseMs = 2000;
  await cluster.simulation.runFor(1500);
  third.replicas.set(HANDLE, replica);
  await cluster.run(third.register());
  await cluster.run(change);
  const { version, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([...members].sort(), [1, 3]);
  assert.ok(replica.promisedVersion >= version, `it serves ${replica.promisedVersion}, confirmed is ${version}`);
});
