/** Damage on disk: found, never served, repaired or refused. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { TestCluster } from './harness/cluster.ts';
import { flipByte, sizeOf, walk, writeRandomFile } from './harness/files.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.close());

test('chunk file: a flipped byte is never served, and status reports it, and it is replaced', {
  timeout: 180_000,
}, async () => {
  const source = join(cluster.directory, 'source');
  writeRandomFile(source, 8 * 1024 * 1024);
  await cluster.run(['put', source, '/file']);
  const damaged = damageEveryChunkFile('chunkserver-1');
  ok(damaged > 0);
  await readsWhole(source);
  await untilReported(/corrupt/);
});

test('index: a flipped byte in a small chunk is never served, and status reports it, and it is replaced', {
  timeout: 180_000,
}, async () => {
  const source = join(cluster.directory, 'source');
  const marker = 'find-me-in-the-index-'.repeat(100);
  writeFileSync(source, marker);
  await cluster.run(['put', source, '/file']);
  await cluster.stopAll(); // folds the journal into the index
  const index = [...walk(join(cluster.dataDirectory('chunkserver-1'), 'state'))].find((path) =>
    readFileSync(path).includes(marker),
  );
  ok(index !== undefined, 'the small chunk is in no file of the chunkserver');
  flipByte(index, readFileSync(index).indexOf(marker) + 50);
  cluster.launchAll();
  await cluster.untilWritable(3);
  await readsWhole(source);
  await untilReported(/corrupt/);
});

test('journal: a tail cut off by a crash costs nothing that was acknowledged', { timeout: 180_000 }, async () => {
  const names = await putNumbered(50);
  await cluster.killAll();
  for (const server of cluster.serverNames) {
    const last = journalFiles(server).at(-1)!;
    const end = endOfData(last);
    // Half of a record more than was acknowledged: what a crash in the middle of a write leaves.
    const bytes = readFileSync(last);
    writeFileSync(last, Buffer.concat([bytes.subarray(0, end), bytes.subarray(Math.max(0, end - 40), end - 7)]));
    if (sizeOf(last) < bytes.length) truncateSync(last, bytes.length);
  }
  cluster.launchAll();
  await cluster.untilWritable(3);
  const listed = (await cluster.run(['ls', '/numbered'])).toString().trim().split('\n').sort();
  deepEqual(listed, names.sort());
});

test('journal: a flipped byte in the middle is refused, naming the file', { timeout: 180_000 }, async () => {
  await putNumbered(50);
  await cluster.killAll();
  const first = journalFiles('master')[0]!;
  flipByte(first, Math.floor(endOfData(first) / 2));
  cluster.launch('master');
  equal(await cluster.untilExit('master'), 1);
  match(cluster.log('master'), new RegExp(basename(first)));
  match(cluster.log('master'), /damaged/i);
});

async function putNumbered(count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `f${index}`);
  await cluster.run(['mkdir', '/numbered']);
  await cluster.run(['touch', ...names.map((name) => `/numbered/${name}`)]);
  return names;
}

function damageEveryChunkFile(server: string): number {
  const files = [...walk(join(cluster.dataDirectory(server), 'chunks'))];
  for (const path of files) flipByte(path, Math.floor(sizeOf(path) / 2));
  return files.length;
}

function journalFiles(server: string): string[] {
  const directory = join(cluster.dataDirectory(server), 'journal');
  return readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => endOfData(path) > 0);
}

/** Where the zeros that a segment is laid out with begin. */
function endOfData(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

async function readsWhole(source: string): Promise<void> {
  // Several times: different replicas are asked.
  for (let turn = 0; turn < 6; turn += 1) {
    equal(Buffer.compare(await cluster.run(['cat', '/file']), readFileSync(source)), 0);
  }
}

async function untilReported(pattern: RegExp): Promise<void> {
  await cluster.until(`reported as ${pattern}`, async () => {
    await cluster.run(['cat', '/file']); // any replica may be asked, in time the damaged one too
    const status = (await cluster.run(['status', '--json'])).toString();
    return pattern.test(status);
  });
  // fsck tells of it as long as it lasts; the cluster replaces the copy by itself, so that may be over already.
  await cluster.until('healthy again', async () => {
    const verdict = await cluster.cairn(['fsck', '/', '--json']);
    // The damaged copy goes into quarantine first: from then on it is missing, and once its server left the view, one too few.
    if (verdict.exitCode !== 0) match(verdict.stdout.toString(), /corrupt|missing|under-replicated/);
    return verdict.exitCode === 0;
  });
}
