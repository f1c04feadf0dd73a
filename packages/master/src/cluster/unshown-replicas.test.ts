import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkState } from '../gen/cairn/master/v1/state.ts';
import { HANDLE, TestCluster } from '../testing/test-cluster.ts';

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
