import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

const MiB = 1024 * 1024;
/** Room for pieces of 1 MiB. */
const JOURNAL = { segmentBytes: 8 * MiB, roomAheadBytes: 4 * MiB };

function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff;
  return bytes;
}

test('handle: a write of many pieces is whole when its primary loses power under it', async () => {
  for (const seed of [1, 2, 3]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 4, journal: JOURNAL });
    const client = cluster.client();
    const bytes = pattern(12 * MiB + 7, seed);
    const handle = await cluster.run(() => client.open('/file', 'w+'));
    await cluster.run(() => handle.write(pattern(14 * MiB, seed + 9), 0, undefined, 0));
    const { chunks } = await cluster.run(() => client.locate('/file'));
    const primary = chunks[0]!.replicas[0]!.address.split(':')[0]!;
    const writing = cluster.run(() => handle.write(bytes, 0, undefined, MiB / 2));
    cluster.simulation.clock.after(5 + seed, () => cluster.crash(primary, { unsynced: 'lose' }));
    await writing;
    const expected = pattern(14 * MiB, seed + 9);
    expected.set(bytes, MiB / 2);
    await cluster.run(async () => {
      equal(Buffer.compare(await handle.readFile(), expected), 0, `seed ${seed}`);
      await handle.close();
      await client.close();
    });
  }
});

test('handle: overlapping writes that nobody awaits end as they were called', async () => {
  const cluster = await SimulatedCluster.start({ seed: 4, chunkservers: 3, journal: JOURNAL });
  const client = cluster.client();
  await cluster.run(async () => {
    const handle = await client.open('/file', 'w+');
    const all = [1, 2, 3, 4].map((seed) => handle.write(pattern(3 * MiB, seed), 0, undefined, seed * 100));
    all.push(handle.write(Buffer.from('last'), 0, 4, 250));
    await handle.sync();
    const expected = new Uint8Array(3 * MiB + 400);
    for (const seed of [1, 2, 3, 4]) expected.set(pattern(3 * MiB, seed), seed * 100);
    expected.set(Buffer.from('last'), 250);
    equal(Buffer.compare(await handle.readFile(), expected), 0);
    await Promise.all(all);
    await client.close();
  });
});

test('handle: cutting the file comes after the writes before it and before those behind it', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3, journal: JOURNAL });
  const client = cluster.client();
  await cluster.run(async () => {
    const handle = await client.open('/file', 'w+');
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([
        handle.write(pattern(2 * MiB, round), 0, undefined, 0),
        handle.truncate(1000),
        handle.write(Buffer.from('behind'), 0, 6, 2000),
        handle.truncate(2003),
      ]);
      const content = Buffer.from(await handle.readFile());
      deepEqual(content.subarray(0, 1000), Buffer.from(pattern(1000, round)));
      ok(content.subarray(1000, 2000).every((byte) => byte === 0));
      equal(content.subarray(2000).toString(), 'beh');
    }
    await client.close();
  });
});

test('handle: writes without a position that nobody awaits follow one another', async () => {
  const cluster = await SimulatedCluster.start({ seed: 6, chunkservers: 3, journal: JOURNAL });
  const client = cluster.client();
  await cluster.run(async () => {
    const handle = await client.open('/file', 'w');
    await Promise.all(['one ', 'two ', 'three'].map((word) => handle.write(Buffer.from(word))));
    await handle.close();
    equal(Buffer.from(await client.readFile('/file')).toString(), 'one two three');
    await client.close();
  });
});

test('handle: a chunk that was cut and read takes writes again at once', async () => {
  // The read alone brings the version of the cut to one replica; when that one leads, the others have only promised it.
  for (const seed of [5, 6, 7, 8]) {
    const cluster = await SimulatedCluster.start({ seed, chunkservers: 3, journal: JOURNAL });
    const client = cluster.client();
    await cluster.run(async () => {
      const handle = await client.open('/file', 'w+');
      await handle.write(pattern(5000, seed), 0, 5000, 0);
      await handle.truncate(1000);
      equal((await handle.readFile()).length, 1000);
      await handle.write(Buffer.from('again'), 0, 5, 0, { timeoutMs: 2000 });
      equal(
        Buffer.from(await handle.readFile())
          .subarray(0, 5)
          .toString(),
        'again',
      );
      await client.close();
    });
  }
});
