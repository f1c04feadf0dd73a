import { deepEqual, equal } from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestCluster } from './harness/cluster.ts';
import { sha256, sha256Tree, writeRandomFile } from './harness/files.ts';

const BIG_FILE_BYTES = 2 * 1024 ** 3;
const TREE = fileURLToPath(new URL('../../node_modules', import.meta.url));

let cluster: TestCluster;
let treeHashes: Map<string, string>;
let bigHash: string;

before(async () => {
  cluster = await TestCluster.start();
  treeHashes = await sha256Tree(TREE);
});
after(() => cluster.close());

test('put -r: a real tree and a 2 GiB file go in', { timeout: 600_000 }, async () => {
  const big = join(cluster.directory, 'big');
  writeRandomFile(big, BIG_FILE_BYTES);
  bigHash = await sha256(big);
  await cluster.run(['put', '-r', TREE, '/tree'], { timeoutMs: 400_000 });
  await cluster.run(['put', big, '/big'], { timeoutMs: 200_000 });
  rmSync(big);
  await comesOutWhole();
});

test('restart: everything comes out whole after all was stopped and started again', { timeout: 600_000 }, async () => {
  await cluster.stopAll();
  cluster.launchAll();
  await cluster.untilWritable(3);
  await comesOutWhole();
});

test('kill -9 of everything at once: everything comes out whole', { timeout: 600_000 }, async () => {
  await cluster.killAll();
  cluster.launchAll();
  await cluster.untilWritable(3);
  await comesOutWhole();
});

async function comesOutWhole(): Promise<void> {
  const out = join(cluster.directory, 'out');
  mkdirSync(out, { recursive: true });
  await cluster.run(['get', '-r', '/tree', join(out, 'tree')], { timeoutMs: 400_000 });
  await cluster.run(['get', '/big', join(out, 'big')], { timeoutMs: 200_000 });
  equal(existsSync(join(out, 'tree')), true);
  deepEqual(await sha256Tree(join(out, 'tree')), treeHashes);
  equal(await sha256(join(out, 'big')), bigHash);
  rmSync(out, { recursive: true });
}
