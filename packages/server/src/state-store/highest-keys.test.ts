import { deepEqual, equal } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import { HighestKeys } from './highest-keys.ts';
import { openLmdbStateStore } from './lmdb-state-store.ts';

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-highest-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const value = Uint8Array.of(1);

test('highest keys: of a tree that is there, one for each first byte, also where the byte is a whole key', () =>
  withDirectory(async (directory) => {
    const database = open<Uint8Array, Buffer>({ path: directory, keyEncoding: 'binary', encoding: 'binary' });
    for (const key of ['a', 'ab', 'b', 'c1', 'c2', '\xff\xff']) await database.put(Buffer.from(key, 'latin1'), value);
    const highest = new HighestKeys(database);
    const looked = ['0', 'a', 'ab', 'ac', 'b', 'b0', 'c', 'c2', 'c3', 'd', '\xff\xff', '\xff\xff0'];
    deepEqual(
      looked.filter((key) => highest.isBeyond(key)),
      ['0', 'ac', 'b0', 'c3', 'd', '\xff\xff0'],
    );
    const ranges: [string, string][] = [
      ['', 'b'],
      ['ab', 'ac'],
      ['ac', 'b'],
      ['ac', 'ad'],
      ['b', 'b0'],
      ['b0', 'bz'],
      ['d', 'dz'],
      ['d', '\xff'],
    ];
    deepEqual(
      ranges.filter(([start, end]) => highest.isRangeBeyond(start, end)),
      [
        ['ac', 'ad'],
        ['b0', 'bz'],
        ['d', 'dz'],
      ],
    );
    await database.close();
  }));

test('state store: a key put at the end is found at once, after it was removed and put again, and after a start', () =>
  withDirectory(async (directory) => {
    const store = await openLmdbStateStore(directory);
    equal(store.get('k1'), undefined);
    await store.write([{ key: 'k1', value }]);
    equal(store.get('k1')?.length, 1);
    equal(store.get('k2'), undefined);
    await store.write([{ key: 'k1', value: undefined }]);
    equal(store.get('k1'), undefined);
    await store.write([
      { key: 'k2', value },
      { key: 'k1', value },
    ]);
    deepEqual(
      ['k1', 'k2', 'k3'].map((key) => store.get(key)?.length),
      [1, 1, undefined],
    );
    await store.close();
    const again = await openLmdbStateStore(directory);
    deepEqual(
      ['k0', 'k1', 'k2', 'k3'].map((key) => again.get(key)?.length),
      [undefined, 1, 1, undefined],
    );
    await again.close();
  }));
