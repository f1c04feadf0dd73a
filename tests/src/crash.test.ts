/** What a client sees while servers die: nothing but a delay. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';
import { firstDifference, treeDifferences, walk, writeRandomFile } from './harness/files.ts';

const MIB = 1024 * 1024;
/** Four chunks. */
const FILE_BYTES = 256 * MIB;

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.close());

interface ChunkView {
  chunks: { handle: string; version: number; length: number; replicas: { state: string }[] }[];
}

test('put: goes on when a chunkserver is killed in the middle, with at least two copies', {
  timeout: 300_000,
}, async () => {
  const source = join(cluster.directory, 'source');
  writeRandomFile(source, FILE_BYTES);
  const putting = cluster.run(['put', source, '/file']);
  const chunks = join(cluster.dataDirectory('chunkserver-2'), 'chunks');
  await cluster.until('in the second chunk', async () => bytesOf(walk(chunks)) > 64 * MIB);
  await cluster.signal('chunkserver-2', 'SIGKILL');
  await putting;
  const view = JSON.parse((await cluster.run(['chunks', '/file', '--json'])).toString()) as ChunkView;
  ok(view.chunks.length > 0);
  for (const chunk of view.chunks) {
    ok(chunk.replicas.filter((replica) => replica.state === 'live').length >= 2, JSON.stringify(chunk));
  }
  await cluster.run(['get', '/file', join(cluster.directory, 'copy')]);
  equal(firstDifference(source, join(cluster.directory, 'copy')), undefined);
  cluster.launch('chunkserver-2');
  await cluster.untilWritable(3);
  await cluster.run(['get', '/file', join(cluster.directory, 'copy')]);
  equal(firstDifference(source, join(cluster.directory, 'copy')), undefined);
});

test('get: goes on when a chunkserver is killed in the middle', { timeout: 300_000 }, async () => {
  const source = join(cluster.directory, 'source');
  writeRandomFile(source, FILE_BYTES);
  await cluster.run(['put', source, '/file']);
  const getting = cluster.run(['get', '/file', join(cluster.directory, 'copy')]);
  // What is fetched has its name only at the end.
  await cluster.until('under way', async () => {
    const parts = readdirSync(cluster.directory).filter((name) => /^\.copy\..*\.part$/.test(name));
    return bytesOf(parts.map((name) => join(cluster.directory, name))) > 32 * MIB;
  });
  await cluster.signal('chunkserver-1', 'SIGKILL');
  await getting;
  equal(firstDifference(source, join(cluster.directory, 'copy')), undefined);
});

test('put -r: waits for a master that was killed, and loses nothing', { timeout: 300_000 }, async () => {
  const tree = join(cluster.directory, 'tree');
  for (let directory = 0; directory < 20; directory += 1) {
    mkdirSync(join(tree, `d${directory}`), { recursive: true });
    for (let file = 0; file < 100; file += 1) {
      writeFileSync(join(tree, `d${directory}`, `f${file}`), `${directory}/${file} `.repeat(100 + file));
    }
  }
  const putting = cluster.run(['put', '-r', tree, '/tree']);
  await cluster.until('under way', async () => (await cluster.cairn(['ls', '/tree'])).stdout.includes('d1'));
  await cluster.signal('master', 'SIGKILL');
  await pause(1000);
  cluster.launch('master');
  await putting;
  await cluster.run(['get', '-r', '/tree', join(cluster.directory, 'copy')]);
  deepEqual(treeDifferences(tree, join(cluster.directory, 'copy')), []);
});

function bytesOf(paths: Iterable<string>): number {
  // One that has got another name since it was found does not count.
  return [...paths].reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
