import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CHUNK_BYTES_MAX, type Extent, MasterMethods, type OpenExtentRequest } from '@cairnfs/protocol';
import { FILE_BYTES_MAX } from '../limits.ts';
import { TestMaster } from '../testing/test-master.ts';

const kind = (name: string) => (error: { kind?: string }) => error.kind === name;
const APPEND = { $case: 'append', value: true } as const;
const at = (offset: number) => ({ $case: 'offset', value: offset }) as const;
const by = (handle: string) => ({ $case: 'handle', value: handle }) as const;
const shape = (extents: readonly Extent[]) =>
  extents.map(({ offset, length, limit }) => ({ offset, length, room: limit - offset }));

test('append: goes to the last chunk until that is full, then to the next, which starts where it ended', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/log');
  const first = await master.append(inode, 1000);
  deepEqual([first.offset, first.limit, first.chunk!.open], [0, CHUNK_BYTES_MAX, true]);
  const again = await master.append(inode, 500);
  equal(again.chunk!.handle, first.chunk!.handle);
  equal(await master.size(inode), 1500);
  const next = await master.openExtent(inode, APPEND, first.chunk!.handle);
  equal(next.offset, 1500);
  ok(next.chunk!.handle !== first.chunk!.handle);
  // Told twice that the first is full, it gives the same one again.
  equal((await master.openExtent(inode, APPEND, first.chunk!.handle)).chunk!.handle, next.chunk!.handle);
  master.grow(next, 7);
  const { extents, size } = await master.locate(inode);
  equal(size, 1507);
  deepEqual(shape(extents), [
    { offset: 0, length: 1500, room: 1500 },
    { offset: 1500, length: 7, room: CHUNK_BYTES_MAX },
  ]);
});

test('append: a chunk sealed before its first byte gives its place to the next, and is collected', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/log');
  const empty = await master.openExtent(inode, APPEND);
  const next = await master.openExtent(inode, APPEND, empty.chunk!.handle);
  deepEqual([next.offset, next.chunk!.handle === empty.chunk!.handle], [0, false]);
  const { repair } = await master.call(MasterMethods.getClusterStatus, {});
  equal(repair!.garbageCount, 1);
  // Who does not know what became of an append to it is told that nothing was applied.
  await rejects(master.openExtent(inode, by(empty.chunk!.handle)), kind('CHUNK_SEALED'));
});

test('write: sequential small writes stay in one chunk; one behind the end leaves a hole and seals the chunk before', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  const first = await master.openExtent(inode, at(0));
  master.grow(first, 100);
  equal((await master.openExtent(inode, at(100))).chunk!.handle, first.chunk!.handle);
  const far = await master.openExtent(inode, at(3 * CHUNK_BYTES_MAX + 5));
  equal(far.offset, 3 * CHUNK_BYTES_MAX);
  master.grow(far, 10);
  // The hole between them takes a chunk that ends where the next one begins, and right behind the first.
  const between = await master.openExtent(inode, at(100));
  deepEqual([between.offset, between.limit], [100, 100 + CHUNK_BYTES_MAX]);
  const { extents } = await master.locate(inode);
  deepEqual(
    extents.map(({ offset }) => offset),
    [0, 100, 3 * CHUNK_BYTES_MAX],
  );
  await rejects(master.openExtent(inode, at(FILE_BYTES_MAX + 1)), kind('TOO_LARGE'));
});

test('write: one whose chunk is sealed empty while it is opened gets the chunk that came in its place', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  const empty = await master.openExtent(inode, at(0));
  const open = (offset: number) =>
    master.send(MasterMethods.openExtent, {
      ...{ inode, at: at(offset), fullHandle: '', suspectedServers: [], operation: undefined },
    });
  const [behind, inside] = await master.simulation.run(Promise.all([open(2 * CHUNK_BYTES_MAX), open(985)]));
  equal(behind.extent!.offset, 2 * CHUNK_BYTES_MAX);
  const { offset, limit, chunk } = inside.extent!;
  deepEqual([offset, limit, chunk!.handle === empty.chunk!.handle], [0, CHUNK_BYTES_MAX, false]);
});

test('append: one whose chunk is sealed while it is opened goes to the next', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/log');
  const first = await master.append(inode, 1000);
  const open = (offer: Partial<OpenExtentRequest>) =>
    master.send(MasterMethods.openExtent, {
      ...{ inode, at: APPEND, fullHandle: '', suspectedServers: [], operation: undefined, ...offer },
    });
  const opened = Promise.all([open({ fullHandle: first.chunk!.handle }), open({})]);
  const [next, other] = await master.simulation.run(opened);
  equal(next.extent!.offset, 1000);
  equal(other.extent!.chunk!.handle, next.extent!.chunk!.handle);
});

test('truncate: shorter takes away what lies behind, and every chunk that lost bytes has a new version everywhere', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/file', [
    { offset: 0, length: 1000 },
    { offset: 1000, length: 1000 },
    { offset: 2000, length: 1000 },
  ]);
  const before = (await master.locate(inode)).extents;
  const { attributes } = await master.call(MasterMethods.truncate, master.truncateRequest(inode, 1500));
  equal(attributes!.size, 1500);
  const { extents, size } = await master.locate(inode);
  equal(size, 1500);
  deepEqual(shape(extents), [
    { offset: 0, length: 1000, room: 1000 },
    { offset: 1000, length: 500, room: 500 },
  ]);
  deepEqual(
    before.map(({ chunk }) => master.servers.map(({ replicas }) => replicas.get(chunk!.handle)!.promisedVersion)),
    [
      [1, 1, 1],
      [2, 2, 2],
      [2, 2, 2],
    ],
  );
  equal((await master.append(inode, 10)).offset, 1500);
});

test('truncate: while a file is being cut, no location of it is given out', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/file', [{ offset: 0, length: 1000 }]);
  // A member that does not answer leaves the view only when its lease has run out.
  master.servers[0]!.failure = new FsError('UNAVAILABLE', 'slow');
  const order: string[] = [];
  const cut = master.send(MasterMethods.truncate, master.truncateRequest(inode, 10)).then(() => void order.push('cut'));
  await master.simulation.runFor(500);
  const located = master
    .send(MasterMethods.locate, { file: { path: '/file', inode: 0 }, offset: 0, length: 0, limit: 0 })
    .then(({ size, extents }) => void order.push(`located ${size} ${extents[0]!.length}`));
  const opened = master
    .send(MasterMethods.openExtent, {
      ...{ inode, at: APPEND, fullHandle: '', suspectedServers: [], operation: undefined },
    })
    .then(({ extent }) => void order.push(`opened ${extent!.offset}`));
  // What gives no location answers meanwhile.
  equal(await master.size(inode), 1000);
  await master.simulation.runFor(1000);
  deepEqual(order, []);
  await master.simulation.run(Promise.all([cut, located, opened]));
  deepEqual(order.sort(), ['cut', 'located 10 10', 'opened 10']);
});

test('size: of a file that is replaced while its length is asked, what is told is that of the new one', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/d/log');
  const extent = await master.append(inode, 1000);
  // The primary does not answer: the view changes without it when its lease has run out.
  const primary = master.server(extent.chunk!.replicas[0]!.serverId);
  primary.failure = new FsError('UNAVAILABLE', 'slow');
  const file = { path: '/d/log', inode: 0 };
  const range = { offset: 0, length: 0, limit: 0 };
  const asked = Promise.all([
    master.send(MasterMethods.stat, { file }).then(({ attributes }) => attributes!.size),
    master.send(MasterMethods.locate, { file, ...range }).then(({ size }) => size),
  ]);
  const stale = { file: { path: '', inode } };
  const ofInode = Promise.all([
    rejects(master.send(MasterMethods.stat, stale), kind('NOT_FOUND')),
    rejects(master.send(MasterMethods.locate, { ...stale, ...range }), kind('NOT_FOUND')),
  ]);
  await master.simulation.runFor(500);
  await master.upload('/d/log', [{ offset: 0, length: 7 }]);
  deepEqual(await master.simulation.run(asked), [7, 7]);
  await master.simulation.run(ofInode);
});

test('append: to a file that is replaced while its chunk is opened says that the file is gone', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/log');
  const extent = await master.append(inode, 1000);
  const { serverId } = extent.chunk!.replicas[0]!;
  master.server(serverId).failure = new FsError('UNAVAILABLE', 'slow');
  const wanted = { inode, at: APPEND, fullHandle: '', suspectedServers: [serverId], operation: undefined };
  const opened = rejects(master.send(MasterMethods.openExtent, wanted), kind('NOT_FOUND'));
  await master.simulation.runFor(500);
  await master.upload('/log', [{ offset: 0, length: 7 }]);
  await master.simulation.run(opened);
});

test('truncate: a retry is answered with the first result and cuts nothing that was written since', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/file', [{ offset: 0, length: 1000 }]);
  const request = master.truncateRequest(inode, 0);
  await master.call(MasterMethods.truncate, request);
  await master.append(inode, 77);
  const retried = await master.call(MasterMethods.truncate, request);
  equal(retried.attributes!.size, 0);
  equal(await master.size(inode), 77);
  await master.crash();
  await master.call(MasterMethods.truncate, request);
  equal(await master.size(inode), 77);
});

test('truncate: what it cut off does not come back while the chunk is open for an overwrite', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  master.grow(await master.openExtent(inode, at(0)), 5000);
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 1500));
  const reopened = await master.openExtent(inode, at(10));
  equal(reopened.chunk!.open, true);
  equal(await master.size(inode), 1500);
  const { extents, size } = await master.locate(inode);
  equal(size, 1500);
  deepEqual(shape(extents), [{ offset: 0, length: 1500, room: 1500 }]);
});

test('truncate: cuts a chunk in the middle that is open, and whose length only its primary knows', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  master.grow(await master.openExtent(inode, at(CHUNK_BYTES_MAX)), 100);
  master.grow(await master.openExtent(inode, at(0)), 5000);
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 1500));
  const { extents, size } = await master.locate(inode);
  equal(size, 1500);
  deepEqual(shape(extents), [{ offset: 0, length: 1500, room: 1500 }]);
});

test('truncate: into a hole seals the chunk before it, so that an append goes to the new end', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  master.grow(await master.openExtent(inode, at(CHUNK_BYTES_MAX)), 100);
  master.grow(await master.openExtent(inode, at(0)), 1000);
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 1500));
  equal((await master.openExtent(inode, APPEND)).offset, 1500);
  equal((await master.openExtent(inode, at(1200))).limit, 1500);
});

test('write: a new chunk begins behind one that was appended off the grid, and never over it', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  const cut = CHUNK_BYTES_MAX - 500;
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, cut));
  const tail = await master.openExtent(inode, APPEND);
  equal(tail.offset, cut);
  master.grow(tail, 10_000);
  const far = await master.openExtent(inode, at(2 * CHUNK_BYTES_MAX - 10));
  equal(far.offset, cut + 10_000);
});

test('truncate: longer leaves a hole that the last chunk does not grow into', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  const first = await master.append(inode, 100);
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 5000));
  const { extents, size } = await master.locate(inode);
  deepEqual([size, shape(extents)], [5000, [{ offset: 0, length: 100, room: 100 }]]);
  const next = await master.append(inode, 1);
  deepEqual([next.offset, next.chunk!.handle === first.chunk!.handle], [5000, false]);
  equal(await master.size(inode), 5001);
  await rejects(
    master.call(MasterMethods.truncate, master.truncateRequest(inode, FILE_BYTES_MAX + 1)),
    kind('TOO_LARGE'),
  );
});

test('append: behind a chunk in the hole at the end of the file, not into it', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 5000));
  master.grow(await master.openExtent(inode, at(1000)), 100);
  equal((await master.append(inode, 7)).offset, 5000);
  equal(await master.size(inode), 5007);
  const between = await master.openExtent(inode, at(4000));
  deepEqual([between.offset, between.limit], [100, 5000]);
  equal((await master.append(inode, 3)).offset, 5000);
  equal(await master.size(inode), 5010);
});

test('size: of a file being written is what its primary has committed; when that is gone, what the others agree on', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/log');
  const { chunk } = await master.append(inode, 100);
  equal(await master.size(inode), 100);
  const listing = await master.call(MasterMethods.list, {
    ...{ directory: { path: '/', inode: 0 }, prefix: '', cursor: '', limit: 0, withAttributes: true },
  });
  equal(listing.entries[0]!.attributes!.size, 100);
  master.server(chunk!.replicas[0]!.serverId).failure = new FsError('UNAVAILABLE', 'gone');
  equal(await master.size(inode), 100);
  const { extents } = await master.locate(inode);
  equal(extents[0]!.chunk!.replicas.length, 2);
});

test('replace: the old file keeps its chunks for readers, who find them by inode no more', async () => {
  const master = await TestMaster.start(3);
  const old = await master.upload('/file', [{ offset: 0, length: 10 }]);
  const { chunk } = (await master.locate(old)).extents[0]!;
  await master.upload('/file', [{ offset: 0, length: 20 }]);
  await rejects(master.locate(old), kind('NOT_FOUND'));
  await master.simulation.runFor(30_000);
  // For ten minutes nobody is told to put it away, and its version stays.
  for (const { replicas } of master.servers) equal(replicas.get(chunk!.handle)!.promisedVersion, 1);
});

test('size: a write behind the end moves it with its bytes, not before; an append meanwhile goes to the end there is', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  await master.append(inode, 100);
  const far = await master.openExtent(inode, at(3 * CHUNK_BYTES_MAX + 5));
  equal(await master.size(inode), 100);
  equal((await master.locate(inode)).size, 100);
  const appended = await master.append(inode, 7);
  deepEqual([appended.offset, await master.size(inode)], [100, 107]);
  // Its writer is told that nothing was applied, and asks for another.
  await rejects(master.openExtent(inode, by(far.chunk!.handle)), kind('CHUNK_SEALED'));
  const again = await master.openExtent(inode, at(3 * CHUNK_BYTES_MAX + 5));
  master.grow(again, 10);
  equal(await master.size(inode), 3 * CHUNK_BYTES_MAX + 10);
});

test('size: a write before one that was begun behind the end and has no bytes yet is the end; bytes that came keep their place', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  await master.append(inode, 100);
  await master.openExtent(inode, at(9 * CHUNK_BYTES_MAX)); // sealed by the next, and empty
  await master.openExtent(inode, at(12 * CHUNK_BYTES_MAX));
  const near = await master.openExtent(inode, at(CHUNK_BYTES_MAX + 3));
  master.grow(near, 9);
  equal(await master.size(inode), CHUNK_BYTES_MAX + 9);
  const far = await master.openExtent(inode, at(12 * CHUNK_BYTES_MAX));
  master.grow(far, 20);
  const between = await master.openExtent(inode, at(5 * CHUNK_BYTES_MAX));
  equal(between.limit, 6 * CHUNK_BYTES_MAX);
  const appended = await master.append(inode, 1);
  equal(appended.offset, 12 * CHUNK_BYTES_MAX + 20);
});

test('size: a chunk that a truncation made the last one, opened by its handle, moves the end with what is written there', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  master.grow(await master.openExtent(inode, at(CHUNK_BYTES_MAX)), 100);
  const first = await master.openExtent(inode, at(0));
  master.grow(first, 1000);
  await master.call(MasterMethods.truncate, master.truncateRequest(inode, 1000));
  // For a write whose outcome was open when the file was cut.
  const again = await master.openExtent(inode, by(first.chunk!.handle));
  master.grow(again, 7);
  equal(await master.size(inode), 1007);
  equal((await master.locate(inode)).size, 1007);
});
