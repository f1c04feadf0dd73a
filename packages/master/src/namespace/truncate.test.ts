import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES_MAX, MasterMethods } from '@cairnfs/protocol';
import { TestMaster } from '../testing/test-master.ts';

const SLOW_MS = 3000;

/** A file of two full chunks, each with its only copy on a server of its own; server 2 promises slowly. */
async function fileOnTwoServers() {
  const test = await TestMaster.start(2, { replication: 1 });
  const pieces = [0, CHUNK_BYTES_MAX].map((offset) => ({ offset, length: CHUNK_BYTES_MAX }));
  for (let count = 0; ; count += 1) {
    const path = `/file${count}`;
    const inode = await test.upload(path, pieces);
    const { extents } = await test.locate(inode);
    const holders = extents.map(({ chunk }) => chunk!.replicas[0]!.serverId);
    if (holders.join() !== '1,2') continue;
    test.server(2).promiseMs = SLOW_MS;
    return { test, path, inode, first: extents[0]!.chunk!.handle };
  }
}

test('truncate: of two that waited for a third one at a time is under way', async () => {
  const { test, inode, first } = await fileOnTwoServers();
  const truncate = (size: number) => test.send(MasterMethods.truncate, test.truncateRequest(inode, size));
  const before = truncate(CHUNK_BYTES_MAX + 1); // of the second chunk, which takes long
  await test.simulation.runFor(SLOW_MS / 3);
  const [longer, shorter] = [truncate(3 * CHUNK_BYTES_MAX), truncate(10)];
  await test.simulation.run(before);
  await test.simulation.run(longer);
  // The first chunk has its new version by now, the second one not yet.
  await test.simulation.runFor(SLOW_MS / 2);
  const located = test.send(MasterMethods.locate, { file: { path: '', inode }, offset: 0, length: 1, limit: 0 });
  await test.simulation.run(shorter);
  const { size, extents } = await test.simulation.run(located);
  const { version } = extents[0]!.chunk!;
  const { promisedVersion } = test.server(1).replicas.get(first)!;
  // Who was told of the bytes before they were cut off is refused now.
  ok(
    size === 10 || promisedVersion > version,
    `told of ${size} bytes at version ${version}; served is ${promisedVersion}`,
  );
  equal(await test.size(inode), 10);
});

test('truncate: what is sent again is not refused while the first attempt goes on', async () => {
  const { test, path } = await fileOnTwoServers();
  const request = { file: { path, inode: 0 }, size: CHUNK_BYTES_MAX + 1, operation: test.operation() };
  const attempt = test.send(MasterMethods.truncate, request);
  await test.simulation.runFor(SLOW_MS / 3);
  await test.call(MasterMethods.rename, { from: path, to: '/moved', noReplace: false, operation: undefined });
  const again = test.send(MasterMethods.truncate, request);
  const [answered, answeredAgain] = await test.simulation.run(Promise.all([attempt, again]));
  equal(answered.attributes!.size, CHUNK_BYTES_MAX + 1);
  deepEqual(answeredAgain, answered);
});

test('truncate: of a file that is replaced meanwhile, the one that took its place is cut', async () => {
  const { test, path } = await fileOnTwoServers();
  const request = { file: { path, inode: 0 }, size: CHUNK_BYTES_MAX + 1, operation: test.operation() };
  const cut = test.send(MasterMethods.truncate, request);
  await test.simulation.runFor(SLOW_MS / 3);
  const inode = await test.upload(path, [{ offset: 0, length: 20 }]);
  const { attributes } = await test.simulation.run(cut);
  deepEqual([attributes!.inode, attributes!.size], [inode, CHUNK_BYTES_MAX + 1]);
});

test('truncate: what nobody waits for any more cuts no file that was put since', async () => {
  const { test, path } = await fileOnTwoServers();
  const request = { file: { path, inode: 0 }, size: 10, operation: test.operation() };
  const given = [1, 2].map(() => test.send(MasterMethods.truncate, request, SLOW_MS / 3));
  await test.simulation.run(Promise.allSettled(given));
  const inode = await test.upload(path, [{ offset: 0, length: 20 }]);
  await test.simulation.runFor(3 * SLOW_MS);
  equal(await test.size(inode), 20);
});
