import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAFE_MODE_DEAD_MS_MAX } from '../limits.ts';
import { HANDLE, handleOf, TestCluster } from '../testing/test-cluster.ts';

const OTHER = handleOf(2);

test('safe mode: with a server missing it ends after its time, and says what it waits for', async () => {
  const cluster = await TestCluster.start(10);
  cluster.cutOff(10);
  await cluster.restartMaster();
  await cluster.simulation.runFor(10_000);
  assert.equal(cluster.parts.safeMode.reason, '9 of 10 known chunkservers have reported what they hold');
  await cluster.simulation.runFor(6000);
  assert.deepEqual([cluster.parts.safeMode.isActive, cluster.parts.safeMode.reason], [false, '']);
});

test('safe mode: with most of the servers missing it goes on', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  cluster.cutOff(2);
  cluster.cutOff(3);
  await cluster.restartMaster();
  await cluster.simulation.runFor(120_000);
  assert.equal(cluster.parts.safeMode.isActive, true);
});

test('safe mode: a minority that never comes back is given up after a while', async () => {
  const cluster = await TestCluster.start(3);
  await cluster.putChunk(HANDLE, { length: 10 });
  cluster.cutOff(3);
  await cluster.restartMaster();
  await cluster.simulation.runFor(50_000);
  assert.equal(cluster.parts.safeMode.isActive, true);
  await cluster.simulation.runFor(15_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('safe mode: what one machine was before its disks were lost does not count as most of the servers', async () => {
  const cluster = await TestCluster.start(7);
  await cluster.putChunk(HANDLE, { length: 10, members: [1, 2, 3] });
  await cluster.putChunk(OTHER, { length: 10, members: [4, 5, 6] });
  const { address } = cluster.server(7);
  for (const id of [3, 4, 5, 6]) {
    const server = cluster.server(id);
    Object.assign(server, { address });
    await cluster.run(server.register());
    cluster.cutOff(id);
  }
  await cluster.restartMaster();
  await cluster.simulation.runFor(40_000);
  assert.equal(cluster.parts.safeMode.reason, '3 of 7 known chunkservers have reported what they hold');
  await cluster.simulation.runFor(25_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('safe mode: what one machine was is known when it comes back at another address', async () => {
  const cluster = await TestCluster.start(5);
  await cluster.putChunk(HANDLE, { length: 10, members: [2, 3, 4] });
  const { address } = cluster.server(5);
  for (const id of [2, 3, 4]) {
    Object.assign(cluster.server(id), { address });
    await cluster.run(cluster.server(id).register());
    cluster.cutOff(id);
  }
  await cluster.run(cluster.server(5).register());
  Object.assign(cluster.server(5), { address: 'elsewhere:9100' });
  await cluster.restartMaster();
  await cluster.simulation.runFor(65_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('safe mode: that some were dealt the addresses of others is no reason to do without those', async () => {
  const cluster = await tenWithAChunkEach();
  const addresses = cluster.servers.map((server) => server.address);
  for (const id of [5, 6, 7, 8, 9, 10]) cluster.cutOff(id);
  await cluster.restartMaster();
  for (const id of [1, 2, 3, 4]) Object.assign(cluster.server(id), { address: addresses[id + 3] });
  await cluster.simulation.runFor(70_000);
  assert.equal(cluster.parts.safeMode.reason, '4 of 10 known chunkservers have reported what they hold');
});

test('safe mode: servers that join meanwhile do not count', async () => {
  const cluster = await fourOfTenAreBack();
  await cluster.simulation.runFor(70_000);
  for (let count = 0; count < 3; count += 1) await cluster.addServer();
  await cluster.simulation.runFor(1000);
  assert.equal(cluster.parts.safeMode.reason, '4 of 10 known chunkservers have reported what they hold');
});

test('safe mode: who has been silent for an hour is not waited for', async () => {
  const cluster = await fourOfTenAreBack();
  await cluster.simulation.runFor(SAFE_MODE_DEAD_MS_MAX - 60_000);
  assert.equal(cluster.parts.safeMode.isActive, true);
  await cluster.simulation.runFor(61_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('safe mode: a death that an earlier master wrote down counts from then', async () => {
  const cluster = await tenWithAChunkEach();
  cluster.parts.start();
  for (const id of [5, 6, 7, 8, 9, 10]) cluster.cutOff(id);
  await cluster.simulation.runFor(SAFE_MODE_DEAD_MS_MAX);
  await cluster.restartMaster();
  await cluster.simulation.runFor(65_000);
  assert.equal(cluster.parts.safeMode.isActive, false);
});

test('safe mode: one that was long dead is waited for once it is back', async () => {
  const cluster = await TestCluster.start(3);
  for (const id of [1, 2, 3]) await cluster.putChunk(handleOf(id), { length: 10, goal: 1, members: [id] });
  cluster.parts.start();
  for (const id of [2, 3]) cluster.server(id).isBeating = false;
  await cluster.simulation.runFor(SAFE_MODE_DEAD_MS_MAX);
  await cluster.restartMaster();
  for (const id of [2, 3]) await cluster.run(cluster.server(id).register()); // shows nothing yet
  await cluster.simulation.runFor(65_000);
  assert.equal(cluster.parts.safeMode.reason, '1 of 3 known chunkservers have reported what they hold');
});

test('safe mode: at one address the one is awaited that was not dead, whichever came later', async () => {
  const cluster = await TestCluster.start(4);
  for (const id of [1, 2, 3]) await cluster.putChunk(handleOf(id), { length: 10, goal: 1, members: [id] });
  cluster.parts.start();
  cluster.cutOff(4);
  for (const id of [1, 2, 3]) {
    Object.assign(cluster.server(id), { address: cluster.server(4).address });
    await cluster.run(cluster.server(id).register());
    Object.assign(cluster.server(id), { address: `later-${id}:9100` });
    if (id !== 3) await cluster.run(cluster.server(id).register());
  }
  await cluster.simulation.runFor(30_000);
  assert.equal(cluster.parts.cluster.isLive(3), true);
  for (const id of [2, 3]) cluster.cutOff(id);
  await cluster.restartMaster();
  await cluster.simulation.runFor(65_000);
  assert.equal(cluster.parts.safeMode.reason, '1 of 3 known chunkservers have reported what they hold');
});

for (const isNeeded of [false, true]) {
  test(`safe mode: it ends when none of those before comes back, ${isNeeded ? 'after an hour when' : 'unless'} something counts on one`, async () => {
    const cluster = await TestCluster.start(1);
    if (isNeeded) await cluster.putChunk(HANDLE, { length: 10, goal: 1, members: [1] });
    cluster.cutOff(1);
    await cluster.restartMaster();
    await cluster.addServer();
    await cluster.simulation.runFor(65_000);
    assert.equal(cluster.parts.safeMode.isActive, isNeeded);
    await cluster.simulation.runFor(SAFE_MODE_DEAD_MS_MAX);
    assert.equal(cluster.parts.safeMode.isActive, false);
  });
}

async function tenWithAChunkEach(): Promise<TestCluster> {
  const cluster = await TestCluster.start(10);
  for (let id = 1; id <= 10; id += 1) await cluster.putChunk(handleOf(id), { length: 10, goal: 1, members: [id] });
  return cluster;
}

/** After a start of the master; the other six stay away. */
async function fourOfTenAreBack(): Promise<TestCluster> {
  const cluster = await tenWithAChunkEach();
  for (const id of [5, 6, 7, 8, 9, 10]) cluster.cutOff(id);
  await cluster.restartMaster();
  return cluster;
}
