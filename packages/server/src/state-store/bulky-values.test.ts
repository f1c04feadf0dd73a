import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KiB, type StateChange, type StateStore } from '@cairnfs/base';
import { stateStoreContract } from '@cairnfs/base/contract';
import { RuntimeDisk } from '@cairnfs/runtime';
import { open } from 'lmdb';
import { createServerSeams } from '../server-seams.ts';
import { BulkyValues } from './bulky-values.ts';
import { openLmdbStateStore } from './lmdb-state-store.ts';

const OPTIONS = { bulkyPrefixes: ['d'] };

stateStoreContract(async () => {
  const seams = createServerSeams({ log: { level: 'silent' } });
  const directory = await mkdtemp(join(tmpdir(), 'cairnfs-bulky-'));
  const bulkyPrefixes = ['a', 'b', 'c', 'k', '\x00', '\x7f'];
  return {
    seams: { ...seams, openStateStore: (path) => openLmdbStateStore(path, { bulkyPrefixes }) },
    directory,
    listenAt: '127.0.0.1:0',
    run: (work) => work(),
    close: () => rm(directory, { recursive: true }),
  };
});

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cairnfs-bulky-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

/** What the store keeps, as LMDB has it. */
function rawIndex(directory: string) {
  return open<Uint8Array, Buffer>({
    path: directory,
    keyEncoding: 'binary',
    encoding: 'binary',
    noSubdir: false,
  });
}

function check(store: StateStore, model: ReadonlyMap<string, Uint8Array>): void {
  for (const [key, value] of model) ok(Buffer.compare(store.get(key)!, value) === 0, `the value of ${key}`);
  const listed = store.range('d', 'e', model.size + 1);
  deepEqual(
    listed.map(({ key }) => key),
    [...model.keys()].filter((key) => key.startsWith('d')).sort(),
  );
  for (const { key, value } of listed)
    ok(Buffer.compare(value, model.get(key)!) === 0, `the value of ${key} in a range`);
}

test('bulky values: of every size, written over, removed and found again after each opening', () =>
  withDirectory(async (directory) => {
    const model = new Map<string, Uint8Array>();
    let number = 0;
    for (let round = 0; round < 4; round += 1) {
      const store = await openLmdbStateStore(directory, OPTIONS);
      check(store, model);
      for (let batch = 0; batch < 12; batch += 1) {
        const changes: StateChange[] = [];
        for (let index = 0; index < 60; index += 1) {
          number += 1;
          const key = `${number % 7 === 0 ? 'e' : 'd'}${(number * 37) % 200}`;
          const isRemoval = number % 5 === 0;
          const value = isRemoval ? undefined : filled((number * 7_919) % (66 * KiB), number % 251);
          changes.push({ key, value });
          if (value === undefined) model.delete(key);
          else model.set(key, value);
        }
        await store.write(changes);
        check(store, model);
      }
      await store.close();
    }
  }));

test('bulky values: their place is given out again, so the file does not grow with what is written over', () =>
  withDirectory(async (directory) => {
    const store = await openLmdbStateStore(directory, OPTIONS);
    const write = (byte: number) =>
      store.write(Array.from({ length: 50 }, (_, index) => ({ key: `d${index}`, value: filled(4 * KiB, byte) })));
    for (let byte = 0; byte < 40; byte += 1) await write(byte);
    ok((await stat(join(directory, 'values'))).size <= 8 * 1024 * KiB);
    for (let index = 0; index < 50; index += 1) equal(store.get(`d${index}`)![0], 39);
    await store.close();
  }));

test('bulky values: a copy of the files taken after any transaction is a sound store', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'state');
    const store = await openLmdbStateStore(path, OPTIONS);
    for (let round = 0; round < 10; round += 1) {
      const value = round % 3 === 2 ? undefined : filled(5 * KiB + round, round);
      await store.write(Array.from({ length: 20 }, (_, index) => ({ key: `d${(index + round) % 25}`, value })));
      const expected = new Map(store.range('d', 'e', 100).map(({ key, value }) => [key, value]));
      const copied = join(directory, `copy-${round}`);
      await mkdir(copied);
      for (const name of ['data.mdb', 'values']) await copyFile(join(path, name), join(copied, name));
      const again = await openLmdbStateStore(copied, OPTIONS);
      check(again, expected);
      // What it takes to be free is: new values harm none that are there.
      await again.write(Array.from({ length: 60 }, (_, index) => ({ key: `dn${index}`, value: filled(3 * KiB, 7) })));
      for (const [key, value] of expected) ok(Buffer.compare(again.get(key)!, value) === 0);
      await again.close();
    }
    await store.close();
  }));

test('bulky values: a file that is shorter than the index says is refused', () =>
  withDirectory(async (directory) => {
    const store = await openLmdbStateStore(directory, OPTIONS);
    await store.write([{ key: 'd', value: filled(10 * KiB, 1) }]);
    await store.close();
    await truncate(join(directory, 'values'), 5 * KiB);
    await rejects(openLmdbStateStore(directory, OPTIONS), { kind: 'DAMAGED', message: /values.*5120 bytes.*10240/s });
    await rm(join(directory, 'values'));
    await rejects(openLmdbStateStore(directory, OPTIONS), { kind: 'DAMAGED' });
  }));

test('bulky values: a flipped bit in an entry costs that value alone', () =>
  withDirectory(async (directory) => {
    const store = await openLmdbStateStore(directory, OPTIONS);
    const keys = ['da', 'db', 'dc', 'dd'];
    await store.write(keys.map((key, index) => ({ key, value: filled(index === 3 ? 10 : 4 * KiB, index) })));
    await store.close();
    const database = rawIndex(directory);
    const entries = keys.map((key) => Uint8Array.from(database.get(Buffer.from(key))!));
    entries[0]![0]! ^= 2;
    entries[1]![2]! ^= 4; // points to the next value
    entries[3]![5]! ^= 1;
    await Promise.all(keys.map((key, index) => database.put(Buffer.from(key), entries[index]!)));
    await database.close();
    const again = await openLmdbStateStore(directory, OPTIONS);
    for (const key of ['da', 'db', 'dd']) throws(() => again.get(key), { kind: 'DAMAGED' });
    await again.write(
      ['da', 'db', 'dd', 'de'].map((key) => ({ key, value: key === 'dd' ? undefined : filled(4 * KiB, 9) })),
    );
    await again.write([{ key: 'df', value: filled(40 * KiB, 8) }]);
    await again.write([{ key: 'dg', value: filled(4 * KiB, 7) }]);
    deepEqual([again.get('da')![0], again.get('dc')![0], again.get('dd')], [9, 2, undefined]);
    await again.close();
  }));

test('bulky values: a flipped bit in the space map is refused at the start', () =>
  withDirectory(async (directory) => {
    const store = await openLmdbStateStore(directory, OPTIONS);
    await store.write([{ key: 'd', value: filled(4 * KiB, 1) }]);
    await store.close();
    const database = rawIndex(directory);
    const key = Buffer.from('\xff\xff\xffspace\0\0\0\0', 'latin1');
    const block = Uint8Array.from(database.get(key)!);
    block[0]! ^= 1;
    await database.put(key, block);
    await database.close();
    await rejects(openLmdbStateStore(directory, OPTIONS), { kind: 'DAMAGED', message: /space map/ });
  }));

test('bulky values: while reads are slow they hold up nobody who can wait, and afterwards none is handed away', () =>
  withDirectory(async (directory) => {
    let nowMs = 0;
    let readMs = 0;
    const values = await BulkyValues.open(directory, new Map(), new RuntimeDisk(), () => {
      nowMs += readMs;
      return nowMs;
    });
    const changes = values.begin();
    const entry = changes.put('d1', filled(5000, 1));
    await changes.flush();
    changes.committed();
    const load = () => values.load('d1', entry);
    ok(load() instanceof Uint8Array);
    readMs = 200;
    load();
    readMs = 0;
    const later = load();
    ok(later instanceof Promise);
    deepEqual(new Uint8Array(await later), filled(5000, 1));
    nowMs += 59_000;
    ok(load() instanceof Promise);
    nowMs += 2_000;
    ok(load() instanceof Uint8Array);
    await values.close();
  }));

test('bulky values: slow reads take their turns, and each has its value', () =>
  withDirectory(async (directory) => {
    let nowMs = 0;
    const values = await BulkyValues.open(directory, new Map(), new RuntimeDisk(), () => {
      nowMs += 200;
      return nowMs;
    });
    const changes = values.begin();
    const entries = Array.from({ length: 20 }, (_, index) => changes.put(`d${index}`, filled(5000, index)));
    await changes.flush();
    changes.committed();
    values.read('d0', entries[0]!);
    const loads = entries.map((entry, index) => values.load(`d${index}`, entry));
    ok(loads.every((load) => load instanceof Promise));
    const read = await Promise.all(loads);
    deepEqual(
      read.map(([first]) => first),
      entries.map((_, index) => index),
    );
    await values.close();
  }));

test('bulky values: closing waits for what is read, and what is cut off is said to whoever waits for it', () =>
  withDirectory(async (directory) => {
    let nowMs = 0;
    const values = await BulkyValues.open(directory, new Map(), new RuntimeDisk(), () => {
      nowMs += 200;
      return nowMs;
    });
    const changes = values.begin();
    const entry = changes.put('d1', filled(5000, 1));
    await changes.flush();
    changes.committed();
    values.read('d1', entry);
    const whole = values.load('d1', entry);
    await truncate(join(directory, 'values'), 1000);
    const short = values.load('d1', entry);
    await Promise.all([Promise.allSettled([whole]), rejects(async () => short, { kind: 'DAMAGED' })]);
    const last = Promise.allSettled([values.load('d1', entry)]);
    await values.close();
    equal((await last)[0]!.status, 'rejected');
  }));
