import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { randomUuid, timeOrderedUuid } from '@cairnfs/base';
import { TestDisk } from '../testing/test-disk.ts';

const folderOf = (path: string) => path.split('/').at(-2)!;

test('chunk files: those of handles made together lie in all folders, and the folder is there', async () => {
  const disk = await TestDisk.start(1);
  const store = disk.replicas.stores[0]!;
  for (const make of [() => timeOrderedUuid(disk.seams), () => randomUuid(disk.seams.random)]) {
    const handles = Array.from({ length: 4000 }, make);
    const folders = new Set(handles.map((handle) => folderOf(store.chunkPath(handle))));
    equal(folders.size, 256);
    for (const folder of folders)
      ok((await disk.run(() => disk.seams.disk.stat(`disk/chunks/${folder}`))) !== undefined);
  }
});

test('chunk files: a copy that a crash cut short is found beside its chunk and moved aside', async () => {
  const disk = await TestDisk.start(2);
  const handle = timeOrderedUuid(disk.seams);
  const path = `${disk.replicas.stores[0]!.chunkPath(handle)}.copy`;
  await disk.run(async () => {
    const file = await disk.seams.disk.open(path, 'openOrCreate');
    await file.close();
    await disk.seams.disk.syncDirectory(`disk/chunks/${folderOf(path)}`);
  });
  await disk.crash('keep');
  const left: string[] = [];
  await disk.run(async () => {
    for await (const names of disk.replicas.stores[0]!.chunkFiles()) left.push(...names);
  });
  deepEqual(left, []);
  ok((await disk.run(() => disk.seams.disk.list('disk/quarantine'))).some((name) => name.includes(handle)));
});
