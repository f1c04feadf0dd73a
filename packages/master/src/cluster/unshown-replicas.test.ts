import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { MASTER_BOUNDS } from '../bounds.ts';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';

test('unshown replicas: rot that is reported while the server is asked stays known when an older answer comes', async () => {
  const cluster = await TestCluster.start(3);
  const server = cluster.server(3);
  await cluster.putChunk(HANDLE, { state: ChunkState.CHUNK_STATE_OPEN });
  const replica = server.replicas.get(HANDLE)!;
  server.replicas.delete(HANDLE);
  await cluster.run(server.sendInventory());
  // It comes into being after all, and the log learns that the chunk has bytes.
  server.replicas.set(HANDLE, Object.assign(replica, { length: 7, sequence: 1 }));
  for (const id of [1, 2]) Object.assign(cluster.server(id).replicas.get(HANDLE)!, { length: 7, sequence: 1 });
  server.describeMs = 3000;
  cluster.parts.start();
  await cluster.simulation.runFor(3000);
  assert.equal(cluster.chunk(HANDLE)!.length, 7);
  replica.isCorrupt = true;
  await cluster.run(server.heartbeat({ changes: [server.report(HANDLE)] }));
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'corrupt');
  await cluster.simulation.runFor(4000);
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'corrupt');
});

test('unshown replicas: of a server that lost a disk, and that the master cannot call, they are done without in the end', async () => {
  const cluster = await TestCluster.start(4);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  server.replicas.delete(HANDLE);
  server.diskIds = ['another disk'];
  server.failure = new FsError('CONNECTION_REFUSED', 'nobody listens');
  await cluster.run(server.register());
  await cluster.run(server.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(100_000);
  assert.deepEqual(cluster.chunk(HANDLE)!.members, [1, 2, 3], 'it may answer yet');
  await cluster.simulation.runFor(30_000);
  assert.deepEqual([...cluster.chunk(HANDLE)!.members].sort(), [1, 2, 4]);
});

test('unshown replicas: all of such a server are made again, also when there are more than repair has room for', async () => {
  const bounds = { ...MASTER_BOUNDS, repairQueueMax: 4, repairScanStep: 3 };
  const cluster = await TestCluster.start(4, { bounds });
  const handles = Array.from({ length: 20 }, (_, index) => handleOf(index));
  for (const handle of handles) await cluster.putChunk(handle, { length: 10, members: [1, 2, 3] });
  const server = cluster.server(1);
  server.replicas.clear();
  server.failure = new FsError('CONNECTION_REFUSED', 'nobody listens');
  await cluster.run(server.sendInventory());
  cluster.parts.start();
  await cluster.simulation.runFor(180_000);
  for (const handle of handles) assert.deepEqual([...cluster.chunk(handle)!.members].sort(), [2, 3, 4]);
  // No member with a copy was asked to leave in the place of the one that lost it.
  for (const handle of handles) assert.equal(cluster.chunk(handle)!.version, 2);
});

test('unshown replicas: one that its server has after all stays, however long that could not be asked', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  const server = cluster.server(3);
  const replica = server.replicas.get(HANDLE)!;
  server.replicas.delete(HANDLE);
  await cluster.run(server.sendInventory());
  server.replicas.set(HANDLE, replica); // made while that was on its way
  server.failure = new FsError('CONNECTION_REFUSED', 'nobody listens');
  cluster.parts.start();
  await cluster.simulation.runFor(150_000);
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'unreachable');
  server.failure = undefined;
  await cluster.simulation.runFor(2000);
  assert.equal(cluster.parts.cluster.replica(3, HANDLE), 'live');
  assert.deepEqual([cluster.chunk(HANDLE)!.version, cluster.chunk(HANDLE)!.members], [1, [1, 2, 3]]);
});
