import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, GiB } from '@cairnfs/base';
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
