import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { FileType, FRAME_MESSAGE_BYTES_MAX, MasterMethods } from '@cairnfs/protocol';
import { LENGTHS_WAIT_MS } from '../limits.ts';
import { TestMaster } from '../testing/test-master.ts';

const kind = (name: string) => (error: { kind?: string }) => error.kind === name;

async function listAll(
  master: TestMaster,
  path: string,
  options: { prefix?: string; limit?: number; withAttributes?: boolean } = {},
): Promise<{ names: string[]; pages: number }> {
  const names: string[] = [];
  let pages = 0;
  for (let cursor = ''; pages === 0 || cursor !== ''; pages += 1) {
    const page = await master.call(MasterMethods.list, {
      ...{ directory: { path, inode: 0 }, prefix: '', cursor, limit: 0, withAttributes: false, ...options },
    });
    names.push(...page.entries.map(({ name }) => name));
    cursor = page.nextCursor;
  }
  return { names, pages };
}

const setXattrs = (master: TestMaster, path: string, xattrs: Record<string, Uint8Array>) =>
  master.call(MasterMethods.setAttributes, {
    ...{ file: { path, inode: 0 }, mode: undefined, owner: undefined, group: undefined, replication: undefined },
    ...{ modifiedMs: undefined, accessedMs: undefined, setXattrs: xattrs, removeXattrs: [], operation: undefined },
  });

test('list: pages hold every name once, in the order of their bytes, without the trash', async () => {
  const master = await TestMaster.start(0);
  // U+FF61 sorts before U+1F600 by UTF-8, and behind it by UTF-16.
  const names = ['a', 'a b', 'ab', 'b', '\u{1f600}', '\u{1f600}x', '\uff61', '\uff61y', '!'];
  for (const name of names) await master.create(`/${name}`);
  const inOrder = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const limit of [1, 2, 3, 9, 10, 0]) deepEqual((await listAll(master, '/', { limit })).names, inOrder);
  for (const prefix of ['a', '\uff61', '\u{1f600}', 'none']) {
    const expected = inOrder.filter((name) => name.startsWith(prefix));
    deepEqual((await listAll(master, '/', { prefix, limit: 1 })).names, expected);
  }
  await rejects(listAll(master, '/a'), kind('NOT_A_DIRECTORY'));
});

test('list: a page with long attributes ends early and fits in a frame', async () => {
  const master = await TestMaster.start(0);
  for (let index = 0; index < 100; index += 1) {
    await master.create(`/d/${index}`);
    await setXattrs(master, `/d/${index}`, { 'user.long': new Uint8Array(60_000) });
  }
  ok(100 * 60_000 > FRAME_MESSAGE_BYTES_MAX / 2);
  const { names, pages } = await listAll(master, '/d', { withAttributes: true });
  deepEqual([names.length, new Set(names).size, pages], [100, 100, 2]);
  equal((await listAll(master, '/d')).pages, 1);
});

test('attributes: what is stored comes back unchanged after everything was folded to the store', async () => {
  const master = await TestMaster.start(0);
  const value = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);
  await master.create('/f');
  await setXattrs(master, '/f', { 'user.a': value, 'user.b': new Uint8Array([9]) });
  await master.restart();
  const { attributes } = await master.call(MasterMethods.stat, { file: { path: '/f', inode: 0 } });
  deepEqual(Buffer.from(attributes!.xattrs['user.a']!), Buffer.from(value));
});

test('check: pages count every file and directory once, also when a page ends at a directory', async () => {
  const master = await TestMaster.start(3);
  for (const name of ['x/1', 'x/y/2', 'x/y/3', 'z']) await master.create(`/tree/${name}`);
  await master.upload('/tree/x/data', [
    { offset: 0, length: 10 },
    { offset: 10, length: 5 },
  ]);
  // A hole takes no space.
  const hole = { file: { path: '/tree/z', inode: 0 }, size: 1_000_000, operation: undefined };
  await master.call(MasterMethods.truncate, hole);
  const check = async (limit: number) => {
    const total = { files: 0, directories: 0, chunks: 0, bytes: 0, stored: 0, problems: 0 };
    for (let cursor = '', page = 0; page === 0 || cursor !== ''; page += 1) {
      const reply = await master.call(MasterMethods.check, { path: '/tree', cursor, limit });
      total.files += reply.fileCount;
      total.directories += reply.directoryCount;
      total.chunks += reply.chunkCount;
      total.bytes += reply.byteCount;
      total.stored += reply.storedByteCount;
      total.problems += reply.problems.length;
      cursor = reply.nextCursor;
    }
    return total;
  };
  const expected = { files: 5, directories: 3, chunks: 2, bytes: 15, stored: 45, problems: 0 };
  for (const limit of [1, 2, 3, 100]) deepEqual(await check(limit), expected);
  await rejects(
    master.call(MasterMethods.check, { path: '/tree', cursor: '/other', limit: 0 }),
    kind('INVALID_ARGUMENT'),
  );
});

test('check: of everything it counts what status counts, the trash with what lies in it, but not the directories always there', async () => {
  const master = await TestMaster.start(3);
  const counts = async () => {
    const checked = await master.call(MasterMethods.check, { path: '/', cursor: '', limit: 0 });
    const status = await master.call(MasterMethods.getClusterStatus, {});
    const [ofCheck, ofStatus] = [checked, status].map((reply) => [reply.fileCount, reply.directoryCount]);
    deepEqual(ofCheck, ofStatus);
    return ofCheck;
  };
  deepEqual(await counts(), [0, 0]);
  for (const name of ['x/1', 'x/y/2', 'z']) await master.create(`/tree/${name}`);
  deepEqual(await counts(), [3, 3]);
  const remove = { path: '/tree/x', recursive: true, skipTrash: false, operation: undefined };
  await master.call(MasterMethods.delete, { ...remove, expectedType: 0 });
  deepEqual(await counts(), [3, 3]);
  const { directoryCount } = await master.call(MasterMethods.check, { path: '/.trash', cursor: '', limit: 0 });
  equal(directoryCount, 2);
});

test('check: a page that ends among the chunks of a file goes on there', async () => {
  const master = await TestMaster.start(3);
  const chunkCount = 5000;
  const plan = await master.beginUpload('/long', 1000);
  const chunks = [...plan.chunks];
  while (chunks.length < chunkCount) {
    const { uploadId } = plan;
    const request = { uploadId, chunkCount: 1000, avoidServers: [], droppedHandles: [], operation: undefined };
    chunks.push(...(await master.call(MasterMethods.extendUpload, request)).chunks);
  }
  await master.confirmUpload(
    plan.uploadId,
    chunks.map(({ handle }, index) => ({ handle, offset: index * 2, length: 1 })),
  );
  let seen = 0;
  let files = 0;
  let pages = 0;
  for (let cursor = ''; pages === 0 || cursor !== ''; pages += 1) {
    const reply = await master.call(MasterMethods.check, { path: '/long', cursor, limit: 0 });
    seen += reply.chunkCount;
    files += reply.fileCount;
    cursor = reply.nextCursor;
  }
  deepEqual([seen, files, pages], [chunkCount, 1, 2]);
});

test('trash: what has been kept long enough goes for good, with all that lies in it', async () => {
  const master = await TestMaster.start(0, { trashKeepMs: 20_000 });
  const remove = (path: string) =>
    master.call(MasterMethods.delete, {
      ...{ path, recursive: true, skipTrash: false, operation: undefined, expectedType: 0 },
    });
  for (let index = 0; index < 600; index += 1) await master.create(`/tree/${index % 7}/${index}`);
  await remove('/tree');
  await master.simulation.runFor(15_000);
  await master.create('/late');
  const { trashPath } = await remove('/late');
  await master.simulation.runFor(10_000);
  deepEqual((await listAll(master, '/.trash')).names, [trashPath.slice('/.trash/'.length)]);
  const status = await master.call(MasterMethods.getClusterStatus, {});
  deepEqual([status.fileCount, status.directoryCount, status.trashCount], [1, 0, 1]);
});

test('xattr: a name that no message of JavaScript can hold is refused, not lost', async () => {
  const master = await TestMaster.start(0);
  await master.create('/f');
  // As entries: in a literal the name would be no key.
  const named = Object.fromEntries(['user.a', '__proto__'].map((name) => [name, new Uint8Array(1)]));
  await rejects(setXattrs(master, '/f', named), kind('INVALID_ARGUMENT'));
  const { attributes } = await master.call(MasterMethods.stat, { file: { path: '/f', inode: 0 } });
  deepEqual(attributes!.xattrs, {});
});

const DETAILED = { directory: { path: '/d', inode: 0 }, prefix: '', cursor: '', limit: 0, withAttributes: true };

test('list: of an entry deleted while its length is asked nothing is told, of one replaced what is there now', async () => {
  const master = await TestMaster.start(3);
  const extents = [
    await master.append(await master.create('/d/deleted'), 1000),
    await master.append(await master.create('/d/replaced'), 1000),
  ];
  await master.create('/d/other');
  const primaries = extents.map(({ chunk }) => master.server(chunk!.replicas[0]!.serverId));
  for (const primary of primaries) primary.measureMs = 500;
  const listed = master.send(MasterMethods.list, DETAILED);
  await master.simulation.runFor(200);
  for (const primary of primaries) primary.failure = new FsError('UNAVAILABLE', 'gone');
  const deletion = { path: '/d/deleted', recursive: false, skipTrash: true, expectedType: 0 as const };
  await master.call(MasterMethods.delete, { ...deletion, operation: master.operation() });
  await master.upload('/d/replaced', [{ offset: 0, length: 7 }]);
  const { entries } = await master.simulation.run(listed);
  deepEqual(
    entries.map(({ name, attributes }) => [name, attributes?.size]),
    [
      ['other', 0],
      ['replaced', 7],
    ],
  );
});

test('list: a file whose length nobody tells stands there without attributes, and does not hold up the others for long', async () => {
  // The primary is waited for until its lease has run out; when all are away there is nobody to wait for.
  for (const awayCount of [1, 3]) {
    const master = await TestMaster.start(3);
    const [silent, well] = [await master.create('/d/silent'), await master.create('/d/well')];
    const { handle, replicas } = (await master.append(silent, 1000)).chunk!;
    await master.append(well, 10);
    const away = new FsError('UNAVAILABLE', 'away');
    for (const { serverId } of replicas.slice(0, awayCount)) master.server(serverId).failureOf.set(handle, away);
    const beganMs = master.simulation.nowMs;
    const { entries } = await master.call(MasterMethods.list, DETAILED);
    ok(master.simulation.nowMs - beganMs < LENGTHS_WAIT_MS + 100);
    deepEqual(
      entries.map(({ name, inode, type, attributes }) => [name, inode, type, attributes?.size]),
      [
        ['silent', silent, FileType.FILE_TYPE_FILE, undefined],
        ['well', well, FileType.FILE_TYPE_FILE, 10],
      ],
    );
    if (awayCount === 1) equal(await master.size(silent), 1000);
  }
});

test('list: an entry that is renamed while its length is asked keeps the name that it had', async () => {
  const master = await TestMaster.start(3);
  await master.append(await master.create('/d/a'), 1000);
  const { timing } = master.simulation.host('master').disk;
  timing.slowness = 1000;
  const wish = { mode: 0, owner: '', group: '', parents: false };
  // The page shows this one, so it waits until that is durable.
  const made = master.send(MasterMethods.makeDirectory, { path: '/d/made', ...wish, operation: master.operation() });
  await master.simulation.runFor(2);
  const listed = master.send(MasterMethods.list, DETAILED);
  await master.simulation.runFor(2);
  const renaming = { from: '/d/a', to: '/d/b', noReplace: false, operation: master.operation() };
  const renamed = master.send(MasterMethods.rename, renaming);
  const [{ entries }] = await master.simulation.run(Promise.all([listed, made, renamed]));
  deepEqual(
    entries.map(({ name, attributes }) => [name, attributes?.size]),
    [
      ['a', 1000],
      ['made', 0],
    ],
  );
});

test('list: that an entry is gone is told when that is durable', async () => {
  const master = await TestMaster.start(3);
  const extent = await master.append(await master.create('/d/log'), 1000);
  const primary = master.server(extent.chunk!.replicas[0]!.serverId);
  primary.measureMs = 500;
  const order: string[] = [];
  const listed = master.send(MasterMethods.list, DETAILED).then(({ entries }) => {
    order.push(`listed ${entries.length}`);
  });
  await master.simulation.runFor(400);
  primary.failure = new FsError('UNAVAILABLE', 'gone');
  master.simulation.host('master').disk.timing.slowness = 1000;
  const deletion = { path: '/d/log', recursive: false, skipTrash: true, expectedType: 0 as const };
  const deleted = master
    .send(MasterMethods.delete, { ...deletion, operation: master.operation() })
    .then(() => order.push('deleted'));
  await master.simulation.run(Promise.all([listed, deleted]));
  deepEqual(order, ['deleted', 'listed 0']);
});
