/** What a client sees while servers die: nothing but a delay. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';
import { firstDifference, treeDifferences, writeRandomFile } from './harness/files.ts';

const FILE_BYTES = 512 * 1024 * 1024;

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
  await pause(700);
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
  await pause(500);
  await cluster.signal('chunkserver-1', 'SIGKILL');
  await getting;
  equal(firstDifference(source, join(cluster.directory, 'copy')), undefined);
});

test('put -r: waits for a master that was killed, and loses nothing', { timeout: 300_000 }, async () => {
  const tree = join(cluster.directory, 'tree');
  for (let directory = 0; directory < 20; directory += 1) {
    mkdirSync(join(tree, `d${directory}`), { recursive: true });
    for (let file = 0; file < 200; file += 1) {
      writeFileSync(join(tree, `d${directory}`, `f${file}`), `${directory}/${file} `.repeat(100 + file));
    }
  }
  const putting = cluster.run(['put', '-r', tree, '/tree']);
  await pause(1000);
  await cluster.signal('master', 'SIGKILL');
  await pause(1000);
  cluster.launch('master');
  await putting;
  await cluster.run(['get', '-r', '/tree', join(cluster.directory, 'copy')]);
  deepEqual(treeDifferences(tree, join(cluster.directory, 'copy')), []);
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
