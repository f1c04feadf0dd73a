import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { type ChunkView, createRpcPool, MasterControlMethods } from '@cairnfs/protocol';
import { ReplicaConditions } from '../cluster/replica-conditions.ts';
import { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext } from '../context.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { FULL_SERVER_PAUSE_MS } from '../limits.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';
import { ClusterViews } from './cluster-views.ts';
import { LeaseTable } from './lease-table.ts';
import type { ViewChanges } from './view-change.ts';

const OPEN = { state: ChunkState.CHUNK_STATE_OPEN, length: 10, sequence: 2, baseSequence: 2 };

/** Calls of server `id`, made from a host of their own. */
function callsOf(cluster: TestCluster, id: number) {
  const host = cluster.simulation.host(`caller for ${id}`);
  const channel = createRpcPool(host.start()).channel('master:9000');
  const server = cluster.server(id);
  const options = { timeoutMs: 30_000 };
  const caller = () => ({ serverId: id, session: server.session });
  return {
    acquire: async (version = 1) => {
      const request = { ...caller(), wanted: [{ handle: HANDLE, version }] };
      return (await cluster.run(channel.call(MasterControlMethods.acquireLeases, request, options))).message.granted;
    },
    release: async (released: { lease: number; committedLength: number; sequence: number; version?: number }) => {
      const request = { ...caller(), released: [{ handle: HANDLE, version: 1, ...released }] };
      await cluster.run(channel.call(MasterControlMethods.releaseLeases, request, options));
    },
    reportFailed: async (failedMembers: number[], fullMembers: number[] = [], unmadeMembers: number[] = []) => {
      const failed = { failedMembers, fullMembers, unmadeMembers };
      const request = { ...caller(), handle: HANDLE, version: 1, ...failed, reason: 'test' };
      return (await cluster.run(channel.call(MasterControlMethods.reportFailedMembers, request, options))).message.view;
    },
  };
}

test('lease: only the primary of an open chunk at its version gets it, with the view', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const [{ lease, ...view }] = (await callsOf(cluster, 1).acquire()) as [ChunkView];
  assert.ok(lease > 0);
  assert.deepEqual(view, {
    ...{ handle: HANDLE, version: 1, members: [1, 2, 3], minimum: 2, sealed: false },
    ...{ addresses: ['server1:9100', 'server2:9100', 'server3:9100'], baseSequence: 2, baseLength: 10 },
    disks: [],
  });
  assert.deepEqual(await callsOf(cluster, 2).acquire(), []);
  assert.deepEqual(await callsOf(cluster, 3).acquire(2), []);
});

test('lease: a closed chunk, or one with a view pending, is led by nobody', async () => {
  const cluster = await TestCluster.start(3);
  const calls = callsOf(cluster, 1);
  await cluster.putChunk(HANDLE, { length: 10 });
  assert.deepEqual(await calls.acquire(), []);
  await cluster.putChunk(HANDLE, { ...OPEN, pendingVersion: 2, highestVersion: 2, pendingMembers: [1, 2] });
  assert.deepEqual(await calls.acquire(), []);
});

test('lease: given back, it closes the chunk at its length; said twice it changes nothing', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const calls = callsOf(cluster, 1);
  const { lease } = (await calls.acquire())[0]!;
  await calls.release({ lease, committedLength: 30, sequence: 4 });
  await calls.release({ lease, committedLength: 99, sequence: 9 });
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.state, chunk.length, chunk.sequence], [ChunkState.CHUNK_STATE_CLOSED, 30, 4]);
});

test('lease: a release that was late does not end the lease that was taken since', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const calls = callsOf(cluster, 1);
  const first = (await calls.acquire())[0]!;
  const second = (await calls.acquire())[0]!;
  await calls.release({ lease: first.lease, committedLength: 30, sequence: 4 });
  assert.equal(cluster.chunk(HANDLE)!.state, ChunkState.CHUNK_STATE_OPEN);
  await calls.release({ lease: second.lease, committedLength: 60, sequence: 8 });
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.state, chunk.length, chunk.sequence], [ChunkState.CHUNK_STATE_CLOSED, 60, 8]);
});

test('lease: a release that was late does not close a chunk opened again at the same version', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const calls = callsOf(cluster, 1);
  const { lease } = (await calls.acquire())[0]!;
  await calls.release({ lease, committedLength: 30, sequence: 4 });
  await cluster.run(cluster.parts.views.open(HANDLE, []));
  await calls.release({ lease, committedLength: 30, sequence: 4 });
  const chunk = cluster.chunk(HANDLE)!;
  assert.deepEqual([chunk.state, chunk.version], [ChunkState.CHUNK_STATE_OPEN, 1]);
});

test('lease: given back with less than was committed, it leaves the chunk to a view change', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const calls = callsOf(cluster, 1);
  const { lease } = (await calls.acquire())[0]!;
  await calls.release({ lease, committedLength: 5, sequence: 1 });
  assert.equal(cluster.chunk(HANDLE)!.state, ChunkState.CHUNK_STATE_OPEN);
  assert.equal(cluster.simulation.host('master').isRunning, true);
});

test('lease: a primary that reports a failed member leads the view without it', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  for (const id of [1, 2, 3]) cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = id === 3 ? [] : [25];
  const view = await callsOf(cluster, 1).reportFailed([3]);
  assert.deepEqual([view?.version, view?.members, view?.baseSequence, view?.baseLength], [2, [1, 2], 3, 25]);
  assert.equal(cluster.server(3).replicas.get(HANDLE)!.isRemoved, true);
});

test('lease: a primary that reports itself is left out, and leads no longer', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  cluster.server(1).replicas.delete(HANDLE);
  await assert.rejects(callsOf(cluster, 1).reportFailed([1]), { kind: 'NOT_PRIMARY' });
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [2, 3]);
});

test('lease: where members have no room the chunk ends at what all have staged, and keeps every copy', async () => {
  for (const full of [[3], [2, 3], [1, 2, 3]]) {
    const cluster = await TestCluster.start(3);
    await cluster.putChunk(HANDLE, OPEN);
    for (const id of [1, 2, 3])
      cluster.server(id).replicas.get(HANDLE)!.lengthsAfter = full.includes(id) ? [25] : [25, 30];
    await assert.rejects(callsOf(cluster, 1).reportFailed(full, full), { kind: 'NOT_PRIMARY' });
    const { state, sealed, members, length, sequence } = cluster.chunk(HANDLE)!;
    assert.deepEqual([state, sealed], [ChunkState.CHUNK_STATE_CLOSED, true]);
    assert.deepEqual([[...members].sort(), length, sequence], [[1, 2, 3], 25, 3]);
  }
});

test('lease: a chunk that was never written to ends empty when its members have no room to make it', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { ...OPEN, length: 0, sequence: 0, baseSequence: 0 });
  for (const id of [2, 3]) cluster.server(id).replicas.delete(HANDLE);
  await assert.rejects(callsOf(cluster, 1).reportFailed([2, 3], [2, 3]), { kind: 'NOT_PRIMARY' });
  const { state, sealed, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, sealed, length], [ChunkState.CHUNK_STATE_CLOSED, true, 0]);
});

test('lease: a member that is silent is left out also where another one has no room', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  cluster.cutOff(3);
  await assert.rejects(callsOf(cluster, 1).reportFailed([2, 3], [2]), { kind: 'NOT_PRIMARY' });
  const { state, sealed, members } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, sealed, members], [ChunkState.CHUNK_STATE_CLOSED, true, [1, 2]]);
});

test('lease: what overwrites a chunk that has ended goes on without members that have no room, or is told so', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { ...OPEN, sealed: true });
  const calls = callsOf(cluster, 1);
  await assert.rejects(calls.reportFailed([2, 3], [2, 3]), { kind: 'NO_SPACE' });
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2, 3]);
  const view = await calls.reportFailed([3], [3]);
  assert.deepEqual([view?.version, view?.members, view?.sealed], [2, [1, 2], true]);
});

test('lease: nothing is placed on a member that has no room, until its heartbeats have told what it has', async () => {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, OPEN);
  await assert.rejects(callsOf(cluster, 1).reportFailed([2, 3], [2, 3]), { kind: 'NOT_PRIMARY' });
  const place = () =>
    cluster.parts.placement.place({ count: 1, replicas: 3, minimum: 2, avoid: new Set() }).map((one) => one.sort());
  assert.deepEqual(place(), [[1, 4]]);
  await cluster.simulation.runFor(FULL_SERVER_PAUSE_MS);
  assert.equal(place()[0]!.length, 3);
});

test('lease: an empty chunk ends for a member that makes no replica of it, and the next one may be placed there', async () => {
  const cluster = await TestCluster.start(3);
  const calls = callsOf(cluster, 1);
  await cluster.putChunk(HANDLE, { ...OPEN, length: 0, sequence: 0, baseSequence: 0 });
  cluster.server(3).replicas.delete(HANDLE);
  await assert.rejects(calls.reportFailed([3], [], [3]), { kind: 'NOT_PRIMARY' });
  const { state, sealed, length } = cluster.chunk(HANDLE)!;
  assert.deepEqual([state, sealed, length], [ChunkState.CHUNK_STATE_CLOSED, true, 0]);
  const [placed] = cluster.parts.placement.place({ count: 1, replicas: 3, minimum: 3, avoid: new Set() });
  assert.equal(placed!.length, 3);
});

test('lease: a restarted master adopts what primaries hold on to, and knows no old sessions', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const server = cluster.server(1);
  const { lease } = (await callsOf(cluster, 1).acquire())[0]!;
  const held = { renewLeases: [HANDLE], renewGrants: [lease] };
  await cluster.restartMaster();
  const early = server.heartbeat(held);
  await assert.rejects(cluster.run(early), { kind: 'STALE_SESSION' });
  await cluster.run(server.register());
  const { renewedLeases } = await cluster.run(server.heartbeat(held));
  assert.deepEqual(renewedLeases, [HANDLE]);
  const other = cluster.server(2);
  await cluster.run(other.register());
  assert.deepEqual((await cluster.run(other.heartbeat(held))).renewedLeases, []);
});

test('lease: of a chunk that several want closed it is taken back once', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const server = cluster.server(1);
  const closed = Array.from({ length: 3 }, () => cluster.parts.views.close(HANDLE, { seal: false }));
  await cluster.run(Promise.all(closed));
  assert.equal(server.revokedCount, 1);
  assert.equal(cluster.chunk(HANDLE)?.state, ChunkState.CHUNK_STATE_CLOSED);
});

test('lease: of a chunk that is deleted while its lease is taken back nothing is kept', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  cluster.server(1).revokeMs = 1000;
  const { context } = cluster;
  const leases = new LeaseTable(context.seams.clock, { durationMs: 60_000, incarnation: 1 });
  const servers = new ServerTable(context);
  const changes = { isRunning: () => false } as unknown as ViewChanges;
  const views = new ClusterViews(context, { servers, leases, changes, conditions: new ReplicaConditions(1) });
  const closed = views.close(HANDLE, { seal: false });
  await cluster.simulation.runFor(100);
  await cluster.run(cluster.discard(HANDLE));
  await cluster.run(closed);
  assert.equal(leases.state(HANDLE).kind, 'free');
});

test('lease: what its primary gave back is free again when the log has no room to say that the chunk is closed', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, OPEN);
  const { context } = cluster;
  const leases = new LeaseTable(context.seams.clock, { durationMs: 60_000, incarnation: 1 });
  const servers = new ServerTable(context);
  const changes = { isRunning: () => false } as unknown as ViewChanges;
  const perform = () => Promise.reject(new FsError('OVERLOADED', 'the journal is behind'));
  const decisions = { read: () => context.decisions.read(), perform } as unknown as MasterContext['decisions'];
  const parts = { servers, leases, changes, conditions: new ReplicaConditions(1) };
  const views = new ClusterViews({ ...context, decisions }, parts);
  await assert.rejects(cluster.run(views.close(HANDLE, { seal: false })), { kind: 'OVERLOADED' });
  assert.equal(leases.state(HANDLE).kind, 'free');
});
