import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, GiB } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import type { ScriptedChunkserver } from '../testing/scripted-chunkserver.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

test('cloning: an emptier server that the master cannot call does not keep a copy from going to another one', async () => {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2] });
  const server = cluster.server(3);
  server.freeBytes = 150 * GiB;
  server.failure = new FsError('CONNECTION_REFUSED', 'nobody listens');
  await cluster.run(server.heartbeat());
  cluster.parts.start();
  await cluster.simulation.runFor(30_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 4]);
});

test('cloning: a bad copy that is to be replaced where it is stays for as long as no other one is sound', async () => {
  const cluster = await TestCluster.start(2);
  await cluster.putChunk(HANDLE, { length: 10, goal: 2, members: [1, 2] });
  const [other, server] = [cluster.server(1), cluster.server(2)];
  server.isBeating = false;
  const tellsOfRot = (of: ScriptedChunkserver) =>
    of.heartbeat({ changes: [of.report(HANDLE, ReplicaCondition.REPLICA_CONDITION_CORRUPT)] });
  await cluster.run(tellsOfRot(server));
  cluster.parts.start();
  await cluster.simulation.runFor(2000);
  // By now its order waits for its next heartbeat.
  assert.equal(cluster.parts.cluster.replica(2, HANDLE), 'corrupt');
  await cluster.run(tellsOfRot(other));
  assert.deepEqual((await cluster.run(server.heartbeat())).quarantine, []);
  await cluster.run(other.heartbeat({ changes: [other.report(HANDLE)] }));
  const { quarantine } = await cluster.run(server.heartbeat());
  assert.deepEqual(
    quarantine.map(({ reason }) => reason),
    ['corrupt'],
  );
});
