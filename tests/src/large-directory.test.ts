/**
 * One directory with very many names. `CAIRN_TEST_FILES=1000000 node --test tests/dist/large-directory.test.js` is the
 * size that the design speaks of; it takes some minutes.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CairnClient, connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';

const FILES = Number(process.env.CAIRN_TEST_FILES ?? 20_000);
const PAGE = 1000;
const IN_FLIGHT = 64;
/** The master's own memory, however many names there are. */
const OWN_BYTES_MAX = 300_000_000;
/** Resident pages of files: the program's own, and at most all of the state. */
const PROGRAM_BYTES_MAX = 100_000_000;
/** Two milliseconds for each name, on top of what any test may take. */
const timeout = 180_000 + FILES * 2;

let cluster: TestCluster;
let client: CairnClient;

before(async () => {
  cluster = await TestCluster.start();
  client = await connect({ masters: [cluster.masterAddress] });
});

after(async () => {
  await client.close();
  await cluster.close();
});

test('directory: many names are made, and their number does not show in memory', { timeout }, async (t) => {
  await client.mkdir('/many');
  const startedMs = performance.now();
  await inFlight(FILES, (index) => client.writeFile(`/many/${nameOf(index)}`, new Uint8Array(0)));
  const perSecond = FILES / ((performance.now() - startedMs) / 1000);
  t.diagnostic(`${FILES} files made, ${Math.round(perSecond)}/s; ${checkMemory()}`);
  equal((await client.stat('/many')).entryCount, FILES);
});

test('directory: pages hold every name once and in order', { timeout }, async (t) => {
  const startedMs = performance.now();
  const first = await client.list('/many', { limit: PAGE });
  t.diagnostic(`first page of ${PAGE}: ${(performance.now() - startedMs).toFixed(1)} ms`);
  deepEqual(
    first.entries.map(({ name }) => name),
    Array.from({ length: Math.min(PAGE, FILES) }, (_, index) => nameOf(index)),
  );
  let next = 0;
  for await (const name of names()) {
    equal(name, nameOf(next));
    next += 1;
  }
  equal(next, FILES);
  t.diagnostic(`all pages: ${Math.round((performance.now() - startedMs) / 10) / 100} s; ${checkMemory()}`);
});

test('directory: names made and removed while it is listed change nothing for the others', { timeout }, async () => {
  // Every 50th name goes, and a new one comes behind it, all over the directory and in front of and behind the cursor.
  const churned = Array.from({ length: Math.floor(FILES / 50) }, (_, index) => (index * 7919) % Math.floor(FILES / 50));
  let at = 0;
  const change = async () => {
    const index = churned[at]! * 50 + 7;
    at += 1;
    await client.writeFile(`/many/${nameOf(index)}.new`, new Uint8Array(0));
    await client.rm(`/many/${nameOf(index)}`, { skipTrash: true });
  };
  const changesPerPage = Math.ceil((churned.length * PAGE) / FILES);
  const changing: Promise<void>[] = [];
  let last = '';
  let stable = 0;
  let seen = 0;
  for await (const name of names()) {
    if (seen % PAGE === 0) {
      await Promise.all(changing.splice(0));
      while (changing.length < changesPerPage && at < churned.length) changing.push(change());
    }
    seen += 1;
    ok(name > last, `${name} after ${last}`);
    last = name;
    if (isStable(name)) stable += 1;
  }
  await Promise.all(changing);
  while (at < churned.length) await change();
  equal(stable, FILES - churned.length);
});

test('directory: a master that was killed has all of it back', { timeout }, async (t) => {
  await cluster.signal('master', 'SIGKILL');
  const startedMs = performance.now();
  cluster.launch('master');
  await client.stat('/many');
  t.diagnostic(`serves again after ${Math.round(performance.now() - startedMs)} ms`);
  const listedMs = performance.now();
  await client.list('/many', { limit: PAGE });
  t.diagnostic(`first page of ${PAGE}: ${(performance.now() - listedMs).toFixed(1)} ms`);
  let next = 0;
  for await (const name of names()) {
    equal(name, nameOf(next) + (next % 50 === 7 ? '.new' : ''));
    next += 1;
  }
  equal(next, FILES);
  t.diagnostic(checkMemory());
});

test('commands: ls, find and du of a large directory stream; Ctrl-C and a lost reader end them', {
  timeout,
}, async () => {
  const found = (await cluster.run(['find', '/many', '--type', 'f'], { timeoutMs: timeout })).toString();
  equal(found.trimEnd().split('\n').length, FILES);
  const sum = JSON.parse((await cluster.run(['du', '/many', '--json'], { timeoutMs: timeout })).toString());
  deepEqual([sum.files, sum.directories, sum.sizeBytes], [FILES, 1, 0]);

  const lost = cluster.spawnCairn(['ls', '/many']);
  const lostErrors = textOf(lost.stderr);
  await once(lost.stdout, 'data');
  lost.stdout.destroy();
  deepEqual([...(await once(lost, 'close')), await lostErrors], [0, null, '']);

  // Nobody reads on: the pipe is full when the signal comes.
  const interrupted = cluster.spawnCairn(['ls', '-R', '/']);
  const interruptedErrors = textOf(interrupted.stderr);
  await once(interrupted.stdout, 'readable');
  interrupted.kill('SIGINT');
  const [exitCode] = await once(interrupted, 'exit');
  interrupted.stdout.destroy();
  deepEqual([exitCode, await interruptedErrors], [130, 'cairn: interrupted\n']);
});

test('rm -r: others go on while a large directory is deleted, and its names go bit by bit', { timeout }, async (t) => {
  await client.writeFile('/other', new Uint8Array(0));
  let isDone = false;
  let slowestMs = 0;
  const asking = (async () => {
    while (!isDone) {
      const startedMs = performance.now();
      await client.stat('/other');
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
  })();
  await cluster.run(['rm', '-r', '/many']);
  const [trashed] = await client.readdir('/.trash');
  await cluster.run(['mv', `/.trash/${trashed}`, '/many']);
  equal((await client.stat('/many')).entryCount, FILES);
  await cluster.run(['rm', '-r', '--skip-trash', '/many']);
  equal(await client.exists('/many'), false);
  await cluster.until('destroyed', async () => (await client.clusterStatus()).fileCount === 1, timeout);
  isDone = true;
  await asking;
  t.diagnostic(`slowest stat meanwhile ${slowestMs.toFixed(1)} ms; ${checkMemory()}`);
});

function nameOf(index: number): string {
  return `f${String(index).padStart(7, '0')}`;
}

/** There before, during and after the listing. */
function isStable(name: string): boolean {
  return !name.endsWith('.new') && Number(name.slice(1)) % 50 !== 7;
}

async function* names(): AsyncGenerator<string> {
  let cursor = '';
  do {
    const page = await client.list('/many', { cursor, limit: PAGE });
    ok(page.entries.length <= PAGE);
    for (const { name } of page.entries) yield name;
    cursor = page.nextCursor;
  } while (cursor !== '');
}

async function inFlight(count: number, operation: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await operation(index);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

/** Fails when the master holds more than it may; answers what it holds. */
function checkMemory(): string {
  const { residentBytes, ownBytes } = cluster.memoryOf('master');
  const stateBytes = statSync(join(cluster.dataDirectory('master'), 'state', 'data.mdb')).size;
  const mb = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;
  const told = `master: ${mb(ownBytes)} of its own, ${mb(residentBytes)} resident, state ${mb(stateBytes)}`;
  ok(ownBytes < OWN_BYTES_MAX, told);
  ok(residentBytes - ownBytes < PROGRAM_BYTES_MAX + stateBytes, told);
  return told;
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
