import { deepEqual, equal, ok } from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';
import { firstDifference, RandomBytes, treeDifferences } from './harness/files.ts';

const BIG_FILE_BYTES = 2 * 1024 ** 3;
const TREE = fileURLToPath(new URL('../../node_modules', import.meta.url));

const bigBytes = new RandomBytes();
let cluster: TestCluster;

before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster.close());

test('put -r: a real tree and a 2 GiB file go in', { timeout: 600_000 }, async () => {
  const big = join(cluster.directory, 'big');
  const copy = join(cluster.directory, 'copy');
  bigBytes.write(big, BIG_FILE_BYTES);
  await cluster.run(['put', '-r', TREE, '/tree'], { timeoutMs: 400_000 });
  await cluster.run(['put', big, '/big'], { timeoutMs: 200_000 });
  await cluster.run(['get', '/big', copy], { timeoutMs: 200_000 });
  equal(firstDifference(big, copy), undefined);
  rmSync(big);
  rmSync(copy);
  await treeComesOutWhole();
});

test('restart: everything comes out whole after all was stopped and started again', { timeout: 600_000 }, async () => {
  await cluster.stopAll();
  cluster.launchAll();
  await cluster.untilWritable(3);
  await bigComesOutWhole();
  await treeComesOutWhole();
});

test('kill -9 of everything at once: everything comes out whole', { timeout: 600_000 }, async () => {
  await cluster.killAll();
  cluster.launchAll();
  await cluster.untilWritable(3);
  await bigComesOutWhole();
  await treeComesOutWhole();
});

async function treeComesOutWhole(): Promise<void> {
  const out = join(cluster.directory, 'tree');
  await cluster.run(['get', '-r', '/tree', out], { timeoutMs: 400_000 });
  deepEqual(treeDifferences(TREE, out), []);
  rmSync(out, { recursive: true });
}

/** Compared as it comes, without a copy on the disk. */
async function bigComesOutWhole(): Promise<void> {
  const client = await connect({ masters: [cluster.masterAddress] });
  try {
    ok(await bigBytes.areWhole(client.createReadStream('/big'), BIG_FILE_BYTES));
  } finally {
    await client.close();
  }
}
