/** Promises of the paper (Ghemawat, Gobioff, Leung: The Google File System, 2003) that the namespace keeps or strengthens. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES_MAX, CreateMode, MasterMethods } from '@cairnfs/protocol';
import { TestMaster } from '../testing/test-master.ts';

const notFound = (error: { kind?: string }) => error.kind === 'NOT_FOUND';
const stat = (master: TestMaster, path: string) =>
  master.call(MasterMethods.stat, { file: { path, inode: 0 } }).then(({ attributes }) => attributes!);
const rename = (master: TestMaster, from: string, to: string) =>
  master.call(MasterMethods.rename, { from, to, noReplace: false, operation: undefined });
const remove = (master: TestMaster, path: string) =>
  master.call(MasterMethods.delete, {
    ...{ path, recursive: true, skipTrash: false, operation: undefined, expectedType: 0 },
  });

test('§2.6.3: a change is answered only when its record is on disk, so a crash takes nothing that was answered', async () => {
  const master = await TestMaster.start(0);
  for (let index = 0; index < 20; index += 1) {
    await master.create(`/f${index}`);
    if (index % 5 === 4) await master.crash();
  }
  for (let index = 0; index < 20; index += 1) ok((await stat(master, `/f${index}`)).inode > 0);
});

test('§2.6.3: what was not answered is there entirely or not at all', async () => {
  const master = await TestMaster.start(0);
  await master.create('/from/x/y');
  const moving = master
    .send(MasterMethods.rename, { from: '/from', to: '/to', noReplace: false, operation: undefined })
    .catch(() => undefined);
  await master.simulation.runFor(0.5);
  await master.crash();
  await master.simulation.run(moving);
  const there = await Promise.allSettled(
    [
      master.send(MasterMethods.stat, { file: { path: '/from/x/y', inode: 0 } }),
      master.send(MasterMethods.stat, { file: { path: '/to/x/y', inode: 0 } }),
    ].map((answer) => master.simulation.run(answer)),
  );
  equal(there.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('§4.1: changes of one directory go on at the same time, and of two creations of one name one succeeds', async () => {
  const master = await TestMaster.start(0);
  const wish = { mode: 0, owner: '', group: '', replication: 0, makeParents: true, operation: undefined };
  const create = (path: string) =>
    master.send(MasterMethods.create, { path, create: CreateMode.CREATE_MODE_EXCLUSIVE, ...wish });
  const names = Array.from({ length: 50 }, (_, index) => `/d/${index % 25}`);
  const outcomes = await master.simulation.run(Promise.allSettled(names.map(create)));
  equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 25);
  equal((await stat(master, '/d')).entryCount, 25);
});

test('§4.4: a deleted file is renamed to a hidden name with the time of its deletion, and comes back by a rename', async () => {
  const master = await TestMaster.start(0);
  const inode = await master.create('/dir/file');
  const { trashPath } = await remove(master, '/dir/file');
  await rejects(stat(master, '/dir/file'), notFound);
  const hidden = await stat(master, trashPath);
  deepEqual([hidden.inode, hidden.deletedFrom], [inode, '/dir/file']);
  await rename(master, trashPath, '/dir/file');
  const restored = await stat(master, '/dir/file');
  deepEqual([restored.inode, restored.deletedFrom], [inode, '']);
});

test('§4.4: a calendar that is set far ahead by mistake does not empty the trash', async () => {
  const master = await TestMaster.start(0, { trashKeepMs: 3_600_000 });
  await master.create('/file');
  const { trashPath } = await remove(master, '/file');
  master.simulation.host('master').adjustClock({ wallOffsetMs: 30 * 86_400_000 });
  await master.simulation.runFor(60_000);
  equal((await stat(master, trashPath)).deletedFrom, '/file');
});

test('§4.4: a master whose calendar lagged behind does not empty the trash when it is started again', async () => {
  const master = await TestMaster.start(0, { trashKeepMs: 3_600_000 });
  master.simulation.host('master').adjustClock({ wallOffsetMs: 10 * 3_600_000 });
  await master.create('/file');
  const { trashPath } = await remove(master, '/file');
  await master.restart();
  await master.simulation.runFor(60_000);
  equal((await stat(master, trashPath)).deletedFrom, '/file');
  await master.simulation.runFor(3_600_000);
  await rejects(stat(master, trashPath), notFound);
});

test('§4.4: a master started before its calendar was set back does not empty the trash', async () => {
  const master = await TestMaster.start(0, { trashKeepMs: 3_600_000 });
  await master.create('/file');
  const { trashPath } = await remove(master, '/file');
  const host = master.simulation.host('master');
  host.adjustClock({ wallOffsetMs: 10 * 3_600_000 });
  await master.restart();
  host.adjustClock({ wallOffsetMs: 0 });
  await master.simulation.runFor(60_000);
  equal((await stat(master, trashPath)).deletedFrom, '/file');
  await master.simulation.runFor(3_600_000);
  await rejects(stat(master, trashPath), notFound);
});

test('§4.4: hidden files are removed for good after a time that is configured, and their chunks are collected', async () => {
  const master = await TestMaster.start(3, { trashKeepMs: 30_000, garbageGraceMs: 5_000 });
  const inode = await master.upload('/file', [{ offset: 0, length: 10 }]);
  const { chunk } = (await master.locate(inode)).extents[0]!;
  const { trashPath } = await remove(master, '/file');
  await master.simulation.runFor(20_000);
  equal((await master.locate(inode)).extents.length, 1);
  await master.simulation.runFor(15_000);
  await rejects(stat(master, trashPath), notFound);
  // The servers are told with a heartbeat; once they have reported it gone, the master forgets it.
  await master.simulation.runFor(15_000);
  for (const server of master.servers) server.replicas.delete(chunk!.handle);
  await master.simulation.runFor(30_000);
  const { chunkCount, repair } = await master.call(MasterMethods.getClusterStatus, {});
  deepEqual([chunkCount, repair!.garbageCount], [0, 0]);
});

test('§2.5: chunks are of one fixed largest size, and a client learns many locations with one question', async () => {
  const master = await TestMaster.start(3);
  const pieces = Array.from({ length: 20 }, (_, index) => ({
    offset: index * CHUNK_BYTES_MAX,
    length: CHUNK_BYTES_MAX,
  }));
  const inode = await master.upload('/large', pieces);
  const { extents, size } = await master.locate(inode);
  deepEqual([extents.length, size], [20, 20 * CHUNK_BYTES_MAX]);
  for (const { chunk } of extents) equal(chunk!.replicas.length, 3);
});
