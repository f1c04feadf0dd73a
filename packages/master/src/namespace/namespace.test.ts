import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { CreateMode, FileType } from '@cairnfs/protocol';
import { META } from '../state/keys.ts';
import { TestNamespace } from '../testing/test-namespace.ts';
import { create, makeDirectory, remove, rename, setAttributes } from './change-calls.ts';
import { once } from './operations.ts';

const WISH = { mode: 0, owner: '', group: '', operation: undefined };
const EXCLUSIVE = CreateMode.CREATE_MODE_EXCLUSIVE;
const REPLACE = CreateMode.CREATE_MODE_REPLACE;

const mkdir = (namespace: TestNamespace, path: string, parents = false) =>
  namespace.do((transaction, change) => makeDirectory(transaction, { ...WISH, path, parents }, change));
const touch = (namespace: TestNamespace, path: string, mode: CreateMode = EXCLUSIVE, makeParents = false) =>
  namespace.do((transaction, change) =>
    create(transaction, { ...WISH, path, create: mode, replication: 0, makeParents }, change),
  );
const move = (namespace: TestNamespace, from: string, to: string, noReplace = false) =>
  namespace.do((transaction, change) => rename(transaction, { from, to, noReplace, operation: undefined }, change));
const rm = (namespace: TestNamespace, path: string, options: { recursive?: boolean; skipTrash?: boolean } = {}) =>
  namespace.do((transaction, change) =>
    remove(
      transaction,
      {
        path,
        recursive: options.recursive === true,
        skipTrash: options.skipTrash === true,
        operation: undefined,
        expectedType: FileType.FILE_TYPE_UNSPECIFIED,
      },
      change,
    ),
  );
const kind = (name: string) => (error: { kind?: string }) => error.kind === name;

test('create: exclusive refuses a name that is taken, replace takes it, open leaves it', async () => {
  const namespace = await TestNamespace.start();
  const first = await touch(namespace, '/a');
  await rejects(touch(namespace, '/a'), kind('ALREADY_EXISTS'));
  const kept = await touch(namespace, '/a', CreateMode.CREATE_MODE_OPEN);
  deepEqual([kept.created, kept.attributes?.inode], [false, first.attributes?.inode]);
  const replaced = await touch(namespace, '/a', REPLACE);
  ok(replaced.attributes!.inode !== first.attributes!.inode);
  await mkdir(namespace, '/d');
  await rejects(touch(namespace, '/d', REPLACE), kind('IS_A_DIRECTORY'));
  await rejects(touch(namespace, '/a/b'), kind('NOT_A_DIRECTORY'));
  await rejects(touch(namespace, '/none/b'), kind('NOT_FOUND'));
  await touch(namespace, '/x/y/z', EXCLUSIVE, true);
  equal(namespace.stat('/x/y').entryCount, 1);
});

test('mkdir: -p makes parents and accepts what is there, but not a file in the way', async () => {
  const namespace = await TestNamespace.start();
  await rejects(mkdir(namespace, '/a/b'), kind('NOT_FOUND'));
  equal((await mkdir(namespace, '/a/b/c', true)).created, true);
  equal((await mkdir(namespace, '/a/b/c', true)).created, false);
  await rejects(mkdir(namespace, '/a'), kind('ALREADY_EXISTS'));
  await touch(namespace, '/a/file');
  await rejects(mkdir(namespace, '/a/file', true), kind('ALREADY_EXISTS'));
  await rejects(mkdir(namespace, '/a/file/below', true), kind('NOT_A_DIRECTORY'));
});

test('rename: moves and replaces atomically, and refuses a directory into itself', async () => {
  const namespace = await TestNamespace.start();
  await mkdir(namespace, '/a/b', true);
  await touch(namespace, '/f');
  await touch(namespace, '/g');
  const { inode } = namespace.stat('/f');
  await rejects(move(namespace, '/f', '/g', true), kind('ALREADY_EXISTS'));
  await move(namespace, '/f', '/g');
  equal(namespace.exists('/f'), false);
  equal(namespace.stat('/g').inode, inode);
  await rejects(move(namespace, '/a', '/a/b/c'), kind('INVALID_ARGUMENT'));
  await rejects(move(namespace, '/a', '/g'), kind('NOT_A_DIRECTORY'));
  await rejects(move(namespace, '/g', '/a'), kind('IS_A_DIRECTORY'));
  await mkdir(namespace, '/full/x', true);
  await rejects(move(namespace, '/a', '/full'), kind('NOT_EMPTY'));
  await move(namespace, '/a', '/full/x');
  ok(namespace.exists('/full/x/b'));
  await move(namespace, '/g', '/g');
  ok(namespace.exists('/g'));
});

test('delete: goes to the trash and comes back by rename; from the trash it goes for good', async () => {
  const namespace = await TestNamespace.start();
  await mkdir(namespace, '/d/e', true);
  await rejects(rm(namespace, '/d'), kind('NOT_EMPTY'));
  const { trashPath } = await rm(namespace, '/d', { recursive: true });
  match(trashPath, /^\/\.trash\/\d{8}T\d{9}Z\.\d+\.d$/);
  equal(namespace.stat(trashPath).deletedFrom, '/d');
  await move(namespace, trashPath, '/back');
  equal(namespace.stat('/back').deletedFrom, '');
  ok(namespace.exists('/back/e'));
  const again = await rm(namespace, '/back', { recursive: true });
  await rm(namespace, again.trashPath, { recursive: true });
  equal(namespace.exists(again.trashPath), false);
  await rejects(rm(namespace, '/', { recursive: true }), kind('INVALID_ARGUMENT'));
  await rejects(rm(namespace, '/.trash', { recursive: true }), kind('INVALID_ARGUMENT'));
});

test('delete for good: a tree is cut off at once and taken apart step by step', async () => {
  const namespace = await TestNamespace.start();
  for (let index = 0; index < 20; index += 1) await touch(namespace, `/tree/${index % 4}/${index}`, EXCLUSIVE, true);
  const files = () => namespace.read((transaction) => transaction.counter(META.fileCount));
  equal(files(), 20);
  await rm(namespace, '/tree', { recursive: true, skipTrash: true });
  equal(namespace.exists('/tree'), false);
  await namespace.reclaim();
  equal(files(), 0);
  equal(
    namespace.read((transaction) => transaction.counter(META.directoryCount)),
    0,
  );
});

test('delete for good: steps go on where the last one ended, from the front after a crash, and leave nothing', async () => {
  const namespace = await TestNamespace.start();
  const tree = async (root: string) => {
    for (let index = 0; index < 700; index += 1) await touch(namespace, `${root}/f${index}`, EXCLUSIVE, true);
    for (let index = 0; index < 300; index += 1) await touch(namespace, `${root}/d${index}/f`, EXCLUSIVE, true);
    // An inode older than the directory above it: it is detached behind where the steps have come.
    await move(namespace, `${root}/d0`, `${root}/d299/d0`);
  };
  await tree('/a');
  await tree('/b');
  await rm(namespace, '/b', { recursive: true, skipTrash: true });
  await namespace.reclaim(2);
  await rm(namespace, '/a', { recursive: true, skipTrash: true });
  await namespace.reclaim(4);
  await namespace.crash();
  await namespace.reclaim(3);
  const left = () => namespace.read((transaction) => transaction.range({ start: 'd', end: 'f' }, 10_000).length);
  ok(left() > 1);
  await namespace.reclaim();
  const counters = [META.fileCount, META.directoryCount].map((key) => namespace.read((state) => state.counter(key)));
  const inodes = namespace.read((transaction) => transaction.range({ start: 'i', end: 'j' }, 10_000).length);
  const detached = namespace.read((transaction) => transaction.range({ start: 'x', end: 'y' }, 10_000).length);
  // The root, the trash and its name.
  deepEqual([...counters, left(), inodes, detached], [0, 0, 1, 2, 0]);
});

test('names: 255 bytes of any UTF-8 are a name, 256 are not; deep trees work', async () => {
  const namespace = await TestNamespace.start();
  const longest = `${'ü'.repeat(127)}x`;
  await touch(namespace, `/${longest}`);
  ok(namespace.exists(`/${longest}`));
  await rejects(touch(namespace, `/${longest}y`), kind('NAME_TOO_LONG'));
  const { trashPath } = await rm(namespace, `/${longest}`);
  ok(Buffer.byteLength(trashPath.slice('/.trash/'.length)) <= 255);
  const deep = '/a'.repeat(1000);
  await mkdir(namespace, deep, true);
  equal(namespace.stat(deep).type, FileType.FILE_TYPE_DIRECTORY);
});

test('attributes: extended ones are set, replaced, removed and bounded', async () => {
  const namespace = await TestNamespace.start();
  await touch(namespace, '/f');
  const set = (setXattrs: Record<string, Uint8Array>, removeXattrs: string[] = []) =>
    namespace.do((transaction, { wallMs }) =>
      setAttributes(
        transaction,
        {
          file: { path: '/f', inode: 0 },
          mode: undefined,
          owner: undefined,
          group: undefined,
          modifiedMs: undefined,
          accessedMs: undefined,
          replication: undefined,
          setXattrs,
          removeXattrs,
          operation: undefined,
        },
        wallMs,
      ),
    );
  await set({ 'user.a': new Uint8Array([1]), 'user.b': new Uint8Array([2]) });
  await set({ 'user.a': new Uint8Array([3]) }, ['user.b']);
  deepEqual(Object.keys(namespace.stat('/f').xattrs), ['user.a']);
  await rejects(set({}, ['user.b']), kind('NO_ATTRIBUTE'));
  await rejects(set({ 'user.c': new Uint8Array(65_536) }), kind('NO_SPACE'));
});

test('operations: a retry is answered with the first result, also after a crash, and never applied again', async () => {
  const namespace = await TestNamespace.start();
  const client = new Uint8Array(16).fill(7);
  const reply = {
    encode: (value: number) => ({ finish: () => new Uint8Array([value]) }),
    decode: (bytes: Uint8Array) => bytes[0]!,
  };
  let applied = 0;
  const attempt = (number: number, settledBelow = 0) =>
    namespace.do((transaction, { wallMs: atMs }) =>
      once(transaction, { operation: { client, number, settledBelow }, method: 1, reply: reply as never, atMs }, () => {
        applied += 1;
        return applied;
      }),
    );
  equal(await attempt(1), 1);
  equal(await attempt(1), 1);
  await namespace.crash();
  equal(await attempt(1), 1);
  equal(applied, 1);
  await attempt(200, 200);
  await rejects(attempt(1), kind('OUTCOME_EXPIRED'));
});

test('crash: everything that was acknowledged is there', async () => {
  const namespace = await TestNamespace.start();
  for (let index = 0; index < 50; index += 1) {
    await touch(namespace, `/f${index}`);
    if (index % 10 === 5) await namespace.crash();
  }
  equal(namespace.stat('/').entryCount, 51); // with the trash
  for (let index = 0; index < 50; index += 1) ok(namespace.exists(`/f${index}`));
});
