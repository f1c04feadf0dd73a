/** Files over many chunk boundaries, in a cluster with the smallest chunks there are. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import type { CairnClient } from '@cairnfs/client';
import { SimulatedCluster } from './simulated-cluster.ts';

const KiB = 1024;
const CHUNK = 128 * KiB;

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 0xff);
}

/** What the file should hold, changed alongside the file. */
class Expected {
  bytes = new Uint8Array(0);

  write(offset: number, piece: Uint8Array): void {
    const grown = new Uint8Array(Math.max(this.bytes.length, offset + piece.length));
    grown.set(this.bytes);
    grown.set(piece, offset);
    this.bytes = grown;
  }

  truncate(length: number): void {
    const cut = new Uint8Array(length);
    cut.set(this.bytes.subarray(0, length));
    this.bytes = cut;
  }
}

/** Runs a story on a cluster of small chunks, and again with the master and all chunkservers started anew. */
async function onSmallChunks(
  story: (client: CairnClient) => Promise<void>,
  after: (client: CairnClient) => Promise<void>,
): Promise<void> {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3, master: { chunkBytes: CHUNK } });
  await cluster.run(() => story(cluster.client()));
  const names = ['master', ...cluster.chunkserverNames];
  for (const name of names) cluster.crash(name, { unsynced: 'lose' });
  for (const name of names) await cluster.launch(name);
  await cluster.untilLive(3);
  await cluster.run(() => after(cluster.client()));
  deepEqual(cluster.failures, []);
}

async function sameAs(client: CairnClient, path: string, bytes: Uint8Array): Promise<void> {
  const { size } = await client.stat(path);
  equal(size, bytes.length);
  ok(Buffer.from(await client.readFile(path)).equals(bytes), `${path} differs`);
}

test('small chunks: an upload is laid out in them, whether or not its length is known before', async () => {
  const large = pattern(9 * CHUNK + 1000, 1);
  async function* pieces() {
    for (let at = 0; at < large.length; at += 50_000) yield large.subarray(at, at + 50_000);
  }
  const check = async (client: CairnClient) => {
    for (const path of ['/known', '/unknown', '/known again']) await sameAs(client, path, large);
    await sameAs(client, '/whole', large.subarray(0, 2 * CHUNK));
  };
  await onSmallChunks(async (client) => {
    equal((await client.clusterStatus()).chunkBytes, CHUNK);
    await client.writeFile('/known', large);
    await client.writeFile('/unknown', pieces());
    await client.writeFile('/known again', large);
    await client.writeFile('/whole', large.subarray(0, 2 * CHUNK));
    for (const path of ['/known', '/unknown', '/known again']) {
      const { chunks } = await client.locate(path);
      deepEqual(
        chunks.map(({ offset, length }) => [offset, length]),
        Array.from({ length: 10 }, (_, index) => [index * CHUNK, index < 9 ? CHUNK : 1000]),
      );
    }
    equal((await client.locate('/whole')).chunks.length, 2);
    await check(client);
  }, check);
});

test('small chunks: writes and overwrites across boundaries, holes included, are read back', async () => {
  const expected = new Expected();
  await onSmallChunks(
    async (client) => {
      const file = await client.open('/file', 'w+');
      const writes = [
        [0, 3 * CHUNK + 500],
        [CHUNK - 7, 14],
        [2 * CHUNK - 1, 2],
        [CHUNK - 10_000, 2 * CHUNK],
        [6 * CHUNK - 3, 10],
        [4 * CHUNK + 5, CHUNK],
        [3 * CHUNK, CHUNK],
      ] as const;
      for (const [index, [offset, length]] of writes.entries()) {
        const piece = pattern(length, index);
        await file.write(piece, 0, length, offset);
        expected.write(offset, piece);
      }
      await file.close();
      await sameAs(client, '/file', expected.bytes);
      for (const { length } of (await client.locate('/file')).chunks) ok(length <= CHUNK);
    },
    (client) => sameAs(client, '/file', expected.bytes),
  );
});

test('small chunks: records never straddle them, and appends of any length are cut into records', async () => {
  const expected = new Expected();
  await onSmallChunks(
    async (client) => {
      // The first append of this client: it does not know the chunk size yet.
      const long = pattern(2 * CHUNK + 300, 1);
      await client.appendFile('/log', long);
      expected.write(0, long);
      for (let index = 0; index < 12; index += 1) {
        const record = pattern(50_000, index);
        const { offset } = await client.appendRecord('/log', record);
        equal(offset, expected.bytes.length);
        expected.write(offset, record);
      }
      const whole = pattern(CHUNK, 9);
      expected.write((await client.appendRecord('/log', whole)).offset, whole);
      await rejects(client.appendRecord('/log', pattern(CHUNK + 1, 1)), { code: 'EINVAL' });
      await sameAs(client, '/log', expected.bytes);
    },
    (client) => sameAs(client, '/log', expected.bytes),
  );
});

test('small chunks: a file cut in the middle of a chunk and grown again', async () => {
  const expected = new Expected();
  await onSmallChunks(
    async (client) => {
      const start = pattern(4 * CHUNK, 1);
      const file = await client.open('/file', 'w+');
      await file.write(start, 0, start.length, 0);
      expected.write(0, start);
      for (const size of [3 * CHUNK + 70_000, 2 * CHUNK, CHUNK + 1, CHUNK - 1, 5 * CHUNK + 9]) {
        await file.truncate(size);
        expected.truncate(size);
        await sameAs(client, '/file', expected.bytes);
      }
      const more = pattern(3 * CHUNK, 2);
      await file.write(more, 0, more.length, CHUNK - 100);
      expected.write(CHUNK - 100, more);
      await file.close();
      await client.appendFile('/file', more);
      expected.write(expected.bytes.length, more);
      await sameAs(client, '/file', expected.bytes);
    },
    (client) => sameAs(client, '/file', expected.bytes),
  );
});

test('small chunks: a writer learns that another has cut the file below its extent, and goes on', async () => {
  const expected = new Expected();
  await onSmallChunks(
    async (client) => {
      const file = await client.open('/file', 'w+');
      const start = pattern(CHUNK, 1);
      await file.write(start, 0, start.length, 0);
      expected.write(0, start);
      await client.truncate('/file', 100_000);
      expected.truncate(100_000);
      const across = pattern(20_000, 2);
      await file.write(across, 0, across.length, 90_000);
      expected.write(90_000, across);
      await file.close();
      await sameAs(client, '/file', expected.bytes);
    },
    (client) => sameAs(client, '/file', expected.bytes),
  );
});
