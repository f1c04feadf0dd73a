/** Writes to chunks whose members have run out of room since the master placed them, or are about to. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const MIB = 1024 * 1024;
/** Well below a call's patience of 60 s; the master learns of space with heartbeats, every second. */
const SOON_MS = 5000;
/** Less than until the next heartbeat. */
const BEFORE_LEARNED_MS = 400;

/** So much is left on the disks of the first so many chunkservers, as of now. */
function fill(cluster: SimulatedCluster, count: number, freeBytes: number): void {
  for (const name of cluster.chunkserverNames.slice(0, count)) {
    const { disk } = cluster.server(name).host;
    const { totalBytes, freeBytes: nowFree } = disk.space('');
    disk.setCapacity('', totalBytes - nowFree + freeBytes);
  }
}

/** Runs `write` every 50 ms from before a heartbeat until after the master has heard of it; answers how long each took. */
async function whileSpaceIsLearned(
  cluster: SimulatedCluster,
  write: (index: number) => Promise<void>,
): Promise<number[]> {
  const { clock } = cluster.simulation;
  return cluster.run(async () => {
    const running: Promise<number>[] = [];
    for (let index = 0; index < 50; index += 1) {
      const beganMs = clock.nowMs();
      running.push(write(index).then(() => clock.nowMs() - beganMs));
      await clock.sleep(50);
    }
    return Promise.all(running);
  });
}

test('full members: a new file is appended to elsewhere when those placed have run out of room since', async () => {
  for (const seed of [1, 2]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 5 });
    const client = cluster.client();
    fill(cluster, 2, 20 * MIB);
    const took = await whileSpaceIsLearned(cluster, (index) => client.appendFile(`/new-${index}`, `record ${index}`));
    ok(Math.max(...took) < SOON_MS, `seed ${seed}: an append took ${Math.max(...took)} ms`);
    for (let index = 0; index < took.length; index += 1) {
      const bytes = await cluster.run(() => client.readFile(`/new-${index}`));
      equal(Buffer.from(bytes).toString(), `record ${index}`);
    }
  }
});

test('full members: a server whose disk has run out of room, of those it has, takes the next chunk on another', async () => {
  const cluster = await SimulatedCluster.start({ seed: 9, chunkservers: 2, disksPerChunkserver: 2 });
  const client = cluster.client();
  const disks = cluster.chunkserverNames.map((name) => cluster.server(name).host.disk);
  for (const disk of disks) {
    disk.setCapacity('disk', 4096 * MIB);
    disk.setCapacity('disk2', 2048 * MIB);
  }
  await cluster.simulation.runFor(SOON_MS);
  const fillFirst = () => {
    for (const disk of disks) {
      const { totalBytes, freeBytes } = disk.space('disk');
      disk.setCapacity('disk', totalBytes - freeBytes + 20 * MIB);
    }
  };
  cluster.simulation.clock.after(500, fillFirst);
  const took = await whileSpaceIsLearned(cluster, (index) => client.appendFile(`/new-${index}`, `record ${index}`));
  ok(Math.max(...took) < BEFORE_LEARNED_MS, `an append took ${Math.max(...took)} ms`);
  for (let index = 0; index < took.length; index += 1) {
    const bytes = await cluster.run(() => client.readFile(`/new-${index}`));
    equal(Buffer.from(bytes).toString(), `record ${index}`);
  }
});

test('full members: a write behind the end of a new file goes elsewhere as well', async () => {
  const cluster = await SimulatedCluster.start({ seed: 4, chunkservers: 5 });
  const client = cluster.client();
  fill(cluster, 2, 20 * MIB);
  const offsetOf = (index: number) => (index % 2 === 0 ? 1000 : 70 * MIB); // in the first chunk, in the second
  const took = await whileSpaceIsLearned(cluster, async (index) => {
    const handle = await client.open(`/new-${index}`, 'w');
    await handle.write(Buffer.from('written'), 0, 7, offsetOf(index));
    await handle.close();
  });
  ok(Math.max(...took) < SOON_MS, `a write took ${Math.max(...took)} ms`);
  for (let index = 0; index < took.length; index += 1) {
    await cluster.run(async () => {
      const handle = await client.open(`/new-${index}`, 'r');
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, offsetOf(index));
      deepEqual([bytesRead, buffer.subarray(0, 7).toString()], [7, 'written']);
      equal((await handle.stat()).size, offsetOf(index) + 7);
      await handle.close();
    });
  }
});

test('full members: a file whose chunk has no room any more goes on in another chunk', async () => {
  for (const seed of [5, 6]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 5 });
    const client = cluster.client();
    await cluster.run(() => client.writeFile('/log', ''));
    const record = Buffer.alloc(MIB / 4, 'r');
    await cluster.run(() => client.appendFile('/log', record));
    fill(cluster, 3, 2 * MIB); // of any three members of five at least one
    const { clock } = cluster.simulation;
    for (let index = 1; index < 20; index += 1) {
      const beganMs = clock.nowMs();
      await cluster.run(() => client.appendFile('/log', record, { timeoutMs: 60_000 }));
      ok(clock.nowMs() - beganMs < SOON_MS, `seed ${seed}: append ${index} took ${clock.nowMs() - beganMs} ms`);
    }
    const bytes = Buffer.from(await cluster.run(() => client.readFile('/log')));
    equal(bytes.length, 20 * record.length);
    ok(bytes.every((byte) => byte === record[0]));
  }
});

test('full members: where too few servers have room, an append ends with ENOSPC soon and was not applied', async () => {
  for (const seed of [8]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 5 });
    const client = cluster.client();
    fill(cluster, 4, 20 * MIB);
    const refused: number[] = [];
    const took = await whileSpaceIsLearned(cluster, (index) =>
      client.appendFile(`/new-${index}`, 'record').catch((error: unknown) => {
        equal((error as { code?: string }).code, 'ENOSPC', String(error));
        refused.push(index);
      }),
    );
    ok(Math.max(...took) < SOON_MS, `seed ${seed}: an append took ${Math.max(...took)} ms`);
    ok(refused.length > 0);
    fill(cluster, 4, 500 * MIB);
    await cluster.run(() => cluster.simulation.clock.sleep(10_000));
    for (const index of refused) {
      equal((await cluster.run(() => client.readFile(`/new-${index}`))).length, 0);
      await cluster.run(() => client.appendFile(`/new-${index}`, 'later'));
      equal(Buffer.from(await cluster.run(() => client.readFile(`/new-${index}`))).toString(), 'later');
    }
  }
});
