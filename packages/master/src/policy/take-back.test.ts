import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { MasterMethods, ReplicaCondition } from '@cairnfs/protocol';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { newReplica, type ScriptedReplica } from '../testing/scripted-chunkserver.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';

const OPEN = ChunkState.CHUNK_STATE_OPEN;
const CLOSED = ChunkState.CHUNK_STATE_CLOSED;
const CORRUPT = ReplicaCondition.REPLICA_CONDITION_CORRUPT;

/** At version 4 server 1 alone is left of the members, and its copy is rotten. Server 2 has left at version 3 and has one. */
async function withRottenMember({
  chunk = {},
  beside = {},
  failure,
}: {
  chunk?: Partial<Chunk>;
  beside?: Partial<ScriptedReplica>;
  failure?: FsError;
}) {
  const cluster = await TestCluster.start(4);
  const versions = { version: 4, highestVersion: 4, settledVersion: 2, beganVersion: 1 };
  await cluster.putChunk(HANDLE, { length: 30, sequence: 3, goal: 2, members: [1], ...versions, ...chunk });
  const [rotten, back] = [cluster.server(1), cluster.server(2)];
  const left = { version: 2, promisedVersion: 4, isRemoved: true, keptVersion: 3, length: 30, sequence: 3, ...beside };
  back.replicas.set(HANDLE, newReplica(left));
  rotten.replicas.get(HANDLE)!.isCorrupt = true;
  back.promiseFailure = failure;
  await cluster.run(rotten.heartbeat({ changes: [rotten.report(HANDLE)] }));
  await cluster.run(back.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(20_000);
  return { cluster, ordered: await reasons(cluster, 2), members: [...cluster.chunk(HANDLE)!.members].sort() };
}

/** Of three copies two are members', and server 3 has left with the third, which is as good. */
async function withSpare(serverCount: number, chunk: Partial<Chunk> = {}) {
  const cluster = await TestCluster.start(serverCount);
  const versions = { version: 2, highestVersion: 2, settledVersion: 1 };
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2], ...versions, ...chunk });
  const spare = cluster.server(3);
  spare.replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
  await cluster.run(spare.sendInventory());
  return { cluster, spare };
}

async function reasons(cluster: TestCluster, server: number): Promise<string[]> {
  const { quarantine } = await cluster.run(cluster.server(server).heartbeat());
  return quarantine.map(({ reason }) => reason);
}

test('take back: a copy in sync since the last mutation becomes a member when no member has a sound one', async () => {
  const { cluster, members, ordered } = await withRottenMember({});
  assert.ok(members.includes(2) && !members.includes(1), `members ${members}`);
  assert.deepEqual(ordered, []);
  const { version, isRemoved, promisedVersion } = cluster.server(2).replicas.get(HANDLE)!;
  assert.deepEqual([isRemoved, promisedVersion > 4], [false, true], `at version ${version}`);
  assert.equal(members.length, 2, 'copied from there');
});

test('take back: so does one that knows the last mutation as committed, though it left before that was logged', async () => {
  const { members } = await withRottenMember({ chunk: { settledVersion: 4 } });
  assert.ok(members.includes(2), `members ${members}`);
});

test('take back: not one whose last mutation may have been dropped, nor does it go while it may be the last', async () => {
  const beside = { sequence: 2, length: 20, lengthsAfter: [30] };
  const { members, ordered } = await withRottenMember({ chunk: { settledVersion: 4 }, beside });
  assert.deepEqual([members, ordered], [[1], []]);
  // In sync when that mutation came, it would have been told to drop it.
  const other = await withRottenMember({ beside });
  assert.ok(other.members.includes(2), `members ${other.members}`);
});

test('take back: not one that ends elsewhere than the log knows', async () => {
  for (const beside of [
    { sequence: 2, length: 20 },
    { sequence: 4, length: 30 },
    { sequence: 3, length: 29 },
  ]) {
    const { members } = await withRottenMember({ beside });
    assert.deepEqual(members, [1], JSON.stringify(beside));
  }
});

test('take back: not one of before the chunk was taken for empty', async () => {
  const { members } = await withRottenMember({ chunk: { settledVersion: 4, beganVersion: 4 } });
  assert.deepEqual(members, [1]);
});

test('take back: a clone that never joined, unless the chunk has got more since, and then it is not even asked', async () => {
  const clone = { version: 4, promisedVersion: 4, isRemoved: false, isLearner: true };
  const { members } = await withRottenMember({ chunk: { settledVersion: 4 }, beside: clone });
  assert.ok(members.includes(2), `members ${members}`);
  const beside = { ...clone, sequence: 2, length: 20 };
  const { cluster, members: without } = await withRottenMember({ chunk: { settledVersion: 4 }, beside });
  assert.deepEqual([without, cluster.chunk(HANDLE)!.highestVersion], [[1], 4]);
  assert.equal(cluster.server(2).replicas.get(HANDLE)!.promisedVersion, 4);
});

test('take back: of records of before, only a copy in sync at the version of the chunk', async () => {
  const old = { settledVersion: 0, beganVersion: 0 };
  assert.deepEqual((await withRottenMember({ chunk: old })).members, [1]);
  const { members } = await withRottenMember({ chunk: old, beside: { keptVersion: 4, promisedVersion: 5 } });
  assert.ok(members.includes(2), `members ${members}`);
});

test('take back: a member that missed nothing returns to a chunk below its goal, and nothing is copied', async () => {
  const { cluster } = await withSpare(3);
  assert.deepEqual(await reasons(cluster, 3), [], 'the chunk is below its goal');
  cluster.parts.start();
  await cluster.simulation.runFor(10_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 3]);
  assert.equal(cluster.server(3).replicas.get(HANDLE)!.version, 1, 'not a clone');
  assert.deepEqual(await reasons(cluster, 3), []);
});

for (const [when, slow] of Object.entries({
  'it is asked what it holds': { describeMs: 3000 },
  'it promises': { promiseMs: 3000 },
})) {
  test(`take back: rot that its server reports while ${when} counts for the member that it becomes`, async () => {
    const { cluster, spare: back } = await withSpare(4);
    Object.assign(back, slow);
    cluster.parts.start();
    await cluster.simulation.runFor(2500);
    back.replicas.get(HANDLE)!.isCorrupt = true;
    await cluster.run(back.heartbeat({ changes: [back.report(HANDLE)] }));
    Object.assign(back, { describeMs: 0, promiseMs: 0 });
    await cluster.simulation.runFor(30_000);
    assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 4]);
  });
}

test('take back: not while the chunk is written to, nor into one that was', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, {
    state: OPEN,
    length: 10,
    sequence: 1,
    members: [1, 2],
    version: 2,
    highestVersion: 2,
  });
  for (const id of [1, 2]) Object.assign(cluster.server(id).replicas.get(HANDLE)!, { length: 20, sequence: 2 });
  const beside = cluster.server(3);
  beside.replicas.set(HANDLE, newReplica({ version: 1, length: 10, sequence: 1 }));
  await cluster.run(beside.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(3000);
  assert.deepEqual(await reasons(cluster, 3), ['surplus'], 'a copy that is of use is to take its place');
  beside.replicas.delete(HANDLE);
  await cluster.run(beside.heartbeat({ changes: [beside.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_GONE)] }));
  await cluster.simulation.runFor(20_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 3]);
});

/** Writers that open the chunk whenever it is closed; for as long as its simulation runs. */
async function openAgain({ context, parts }: TestCluster): Promise<void> {
  for (;;) {
    await parts.views.open(HANDLE, []).catch(() => {});
    await context.seams.clock.sleep(1);
  }
}

for (const [what, beside, members] of [
  ['is taken back', { length: 30, sequence: 3 }, [1, 2, 3]],
  ['lacks its end keeps no clone from it', { length: 20, sequence: 2 }, [1, 2, 4]],
] as const) {
  test(`take back: of a chunk that is opened again at once, a copy that ${what}`, async () => {
    const cluster = await TestCluster.start(4);
    const versions = { version: 4, highestVersion: 4, settledVersion: 4, beganVersion: 1 };
    await cluster.putChunk(HANDLE, { length: 30, sequence: 3, members: [1, 2], ...versions });
    const left = { version: 3, promisedVersion: 4, isRemoved: true, keptVersion: 3, ...beside };
    cluster.server(3).replicas.set(HANDLE, newReplica(left));
    await cluster.run(cluster.server(3).sendInventory());
    cluster.parts.start();
    void openAgain(cluster);
    await cluster.simulation.runFor(30_000);
    assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), members);
  });
}

for (const [who, slow, members] of [
  ['a member is slow to close has the chunk kept closed for longer', { member: 3000, beside: 0 }, [1, 2, 3]],
  ['its server is slow to tell of it makes way for a clone', { member: 0, beside: 3000 }, [1, 2, 4]],
] as const) {
  test(`take back: a copy that is overtaken as ${who}`, async () => {
    const { cluster, spare: beside } = await withSpare(4);
    cluster.server(1).revokeMs = slow.member;
    beside.describeMs = slow.beside;
    cluster.parts.start();
    void openAgain(cluster);
    await cluster.simulation.runFor(50_000);
    assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), members);
  });
}

test('take back: a copy that is lost before its server tells of it as a member is made again on that server', async () => {
  const { cluster, spare: back } = await withSpare(3);
  // It joins after the orders that wait were last looked at, and is asked for its copy before they are again.
  Object.assign(back, { isBeating: false, describeMs: 650 });
  cluster.parts.start();
  for (let waitedMs = 0; waitedMs < 5000 && !cluster.chunk(HANDLE)!.members.includes(3); waitedMs += 10) {
    await cluster.simulation.runFor(10);
  }
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 3]);
  const { version } = cluster.chunk(HANDLE)!;
  back.replicas.clear();
  back.describeMs = 0;
  await cluster.run(back.register());
  await cluster.run(back.sendInventory());
  await cluster.simulation.runFor(2000);
  back.isBeating = true;
  await cluster.simulation.runFor(30_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 3]);
  assert.ok(cluster.chunk(HANDLE)!.version > version && back.replicas.has(HANDLE), 'there is no third copy');
});

test('surplus: a copy beside the members goes when enough of theirs are sound', async () => {
  const { cluster } = await withSpare(3, { goal: 2 });
  const member = cluster.server(1);
  assert.deepEqual(await reasons(cluster, 3), ['surplus']);
  await cluster.run(member.heartbeat({ changes: [member.report(HANDLE, CORRUPT)] }));
  assert.deepEqual(await reasons(cluster, 3), []);
  await cluster.run(member.heartbeat({ changes: [member.report(HANDLE)] }));
  assert.deepEqual(await reasons(cluster, 3), ['surplus']);
});

for (const isRotten of [true, false]) {
  const what = isRotten ? 'one of which is rotten' : 'all of them sound';

  test(`surplus: a copy stays after a start of the master until all members have told of theirs (${what})`, async () => {
    const cluster = await TestCluster.start(4);
    await cluster.putChunk(HANDLE, { length: 10, version: 2, highestVersion: 2 });
    cluster.server(4).replicas.set(HANDLE, newReplica({ version: 1, length: 10 }));
    const late = cluster.server(3);
    late.replicas.get(HANDLE)!.isCorrupt = isRotten;
    late.isBeating = false;
    await cluster.restartMaster();
    await cluster.run(late.register());
    while (cluster.parts.safeMode.isActive) {
      await cluster.simulation.runFor(1000);
      await cluster.run(late.heartbeat());
    }
    assert.deepEqual(await reasons(cluster, 4), []);
    await cluster.run(late.sendInventory());
    assert.deepEqual(await reasons(cluster, 4), isRotten ? [] : ['surplus']);
    // Another inventory that is under way, and has not come to it, makes nothing uncertain.
    late.replicas.clear();
    late.replicas.set(handleOf(0), newReplica({ version: 1, length: 10 }));
    await cluster.run(late.sendInventory({ last: false }));
    assert.deepEqual(await reasons(cluster, 4), isRotten ? [] : ['surplus']);
  });
}

test('view: one below the minimum ends the chunk where it begins, so that copies that return can be compared', async () => {
  const cluster = await TestCluster.start(2);
  const end = { length: 10, sequence: 1, baseSequence: 1, settledVersion: 1 };
  await cluster.putChunk(HANDLE, { state: OPEN, goal: 2, members: [1, 2], ...end });
  for (const id of [1, 2]) cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = [25];
  cluster.cutOff(2);
  await cluster.simulation.runFor(13_000);
  await cluster.run(cluster.parts.views.retire([HANDLE]));
  const { state, length, sequence, members, settledVersion, version } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, length, sequence, members], [CLOSED, 25, 2, [1]]);
  assert.equal(settledVersion, version);
});

test('view: a copy is as rotten while a view is pending as it was before', async () => {
  const cluster = await TestCluster.start(3);
  const pending = { pendingVersion: 2, pendingMembers: [1, 2], highestVersion: 2 };
  await cluster.putChunk(HANDLE, { length: 10, ...pending });
  const member = cluster.server(3);
  member.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(member.heartbeat({ changes: [member.report(HANDLE)] }));
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'corrupt');
  cluster.cutOff(2);
  await assert.rejects(cluster.run(cluster.parts.views.retire([HANDLE])), { kind: 'VIEW_TOO_SMALL' });
});

test('take back: a copy that was refused is not asked again because it reports what it promised, and makes way', async () => {
  const cluster = await TestCluster.start(3);
  const versions = { version: 4, highestVersion: 4, settledVersion: 2, beganVersion: 1 };
  await cluster.putChunk(HANDLE, { length: 30, sequence: 3, members: [1, 2], ...versions });
  const beside = cluster.server(3);
  beside.replicas.set(HANDLE, newReplica({ version: 3, length: 20, sequence: 2 }));
  await cluster.run(beside.sendInventory());
  cluster.parts.start();
  for (let second = 0; second < 20; second += 1) {
    await cluster.run(beside.heartbeat({ changes: [beside.report(HANDLE)] }));
    await cluster.simulation.runFor(1000);
  }
  assert.equal(beside.prepared.filter(({ removed }) => !removed).length, 1);
  assert.deepEqual(await reasons(cluster, 3), ['surplus']);
});

/** Server 3 fails with all that has to become durable there. */
async function withFailingSpare(serverCount: number, chunk: Partial<Chunk> = {}) {
  const { cluster, spare } = await withSpare(serverCount, chunk);
  spare.promiseFailure = new FsError('DISK_FAILED', 'the disk does not answer');
  return { cluster, spare };
}

test('take back: the only copy went with its disk while it was asked to join, and is asked again when it is told of', async () => {
  const failure = new FsError('CHUNK_NOT_FOUND', 'its disk is out of service', { details: { hidden: 1 } });
  const { cluster, members } = await withRottenMember({ failure });
  assert.deepEqual(members, [1]);
  const back = cluster.server(2);
  back.promiseFailure = undefined;
  await cluster.run(back.sendInventory());
  await cluster.simulation.runFor(20_000);
  const { members: then } = cluster.chunk(HANDLE)!;
  assert.ok(then.includes(2) && !then.includes(1), `members ${then}`);
});

test('take back: where a server fails to join, another one is given a copy', async () => {
  for (const isDeaf of [false, true]) {
    const { cluster, spare } = await withFailingSpare(4);
    if (isDeaf) spare.failure = new FsError('DEADLINE_EXCEEDED', 'no answer');
    cluster.parts.start();
    await cluster.simulation.runFor(15_000);
    const { members, version } = cluster.chunk(HANDLE)!;
    assert.deepEqual([...members].sort(), [1, 2, 4], `deaf: ${isDeaf}`);
    assert.ok(version <= 5, `version ${version}`);
  }
});

test('take back: who lost its copies and does not answer leaves, not a member with a sound one', async () => {
  const cluster = await TestCluster.start(4);
  const handles = [1, 2, 3, 4].map(handleOf);
  const versions = { version: 2, highestVersion: 2, settledVersion: 1 };
  const [lost, beside] = [cluster.server(1), cluster.server(4)];
  for (const handle of handles) {
    await cluster.putChunk(handle, { length: 10, members: [1, 2, 3], ...versions });
    beside.replicas.set(handle, newReplica({ version: 1, length: 10 }));
  }
  lost.replicas.clear();
  lost.failure = new FsError('CONNECTION_REFUSED', 'nobody listens');
  await cluster.run(lost.sendInventory());
  await cluster.run(beside.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(180_000);
  for (const handle of handles) {
    const { members, version } = cluster.chunk(handle)!;
    assert.deepEqual([[...members].sort(), version], [[2, 3, 4], 3]);
    assert.equal(beside.replicas.get(handle)!.version, 1, 'not a clone');
  }
});

test('take back: with no other server a copy waits, and is none that is too many, until its server can join', async () => {
  const { cluster, spare } = await withFailingSpare(3);
  cluster.parts.start();
  for (let second = 0; second < 30; second += 1) {
    await cluster.simulation.runFor(1000);
    assert.deepEqual(await reasons(cluster, 3), []);
  }
  assert.ok(cluster.chunk(HANDLE)!.highestVersion <= 5, 'it is left alone meanwhile');
  spare.promiseFailure = undefined;
  await cluster.simulation.runFor(60_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 3]);
  assert.equal(spare.replicas.get(HANDLE)!.version, 1, 'not a clone');
});

test('take back: a copy that may be the last is asked for again soon', async () => {
  const { cluster, spare } = await withFailingSpare(3, { members: [1], goal: 2 });
  const rotten = cluster.server(1);
  rotten.replicas.get(HANDLE)!.isCorrupt = true;
  await cluster.run(rotten.heartbeat({ changes: [rotten.report(HANDLE)] }));
  cluster.parts.start();
  await cluster.simulation.runFor(10_000);
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1]);
  spare.promiseFailure = undefined;
  await cluster.simulation.runFor(15_000);
  assert.ok(cluster.chunk(HANDLE)!.members.includes(3), `members ${cluster.chunk(HANDLE)!.members}`);
});

test('repair: a clone that does not join is no copy that came about', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2] });
  cluster.server(3).promiseFailure = new FsError('DISK_FAILED', 'the disk does not answer');
  cluster.parts.start();
  await cluster.simulation.runFor(4000);
  assert.equal(cluster.server(3).prepared.length, 1);
  const master = cluster.context.pool.channel('master:9000');
  const { message } = await cluster.run(master.call(MasterMethods.getClusterStatus, {}, { timeoutMs: 1000 }));
  assert.equal(message.repair!.copiedCount, 0);
});

test('take back: a copy that cannot be had does not keep another from being made, also of a chunk that is written to a lot', async () => {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, { length: 30, sequence: 3, members: [1, 2] });
  const [back, other] = [cluster.server(3), cluster.server(4)];
  for (const target of [back, other]) target.cloneMs = 20_000;
  cluster.parts.start();
  // Until copies were overtaken so often that the next is tried after the last server that failed is asked first again.
  for (let count = 0; count < 100; count += 1) {
    await cluster.run(cluster.parts.views.open(HANDLE, []).catch(() => {}));
    await cluster.simulation.runFor(1000);
  }
  const { version, highestVersion } = cluster.chunk(HANDLE)!;
  assert.ok(version === highestVersion && cluster.chunk(HANDLE)!.members.length === 2);
  back.replicas.set(HANDLE, newReplica({ version, isRemoved: true, keptVersion: version, length: 30, sequence: 3 }));
  back.promiseMs = 10_000; // its disk is slow
  await cluster.run(back.sendInventory());
  other.cloneMs = 0;
  await cluster.simulation.runFor(120_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 4]);
});
