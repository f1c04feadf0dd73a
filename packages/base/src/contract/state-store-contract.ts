import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { STATE_KEY_BYTES_MAX, type StateStore } from '../seams.ts';
import { type MakeSubject, withSubject } from './subject.ts';

/** Defines the tests that every `StateStore` must pass. */
export function stateStoreContract(make: MakeSubject): void {
  const withStore = (body: (store: StateStore) => Promise<void>) =>
    withSubject(make, async ({ seams, directory }) => {
      const store = await seams.openStateStore(`${directory}/state`);
      await body(store);
      await store.close();
    });

  test(
    'state store: a write is visible once it is done, and a removal too',
    withStore(async (store) => {
      equal(store.get('a'), undefined);
      await store.write([{ key: 'a', value: bytes(1, 2) }]);
      deepEqual(copy(store.get('a')), bytes(1, 2));
      await store.write([{ key: 'a', value: bytes(3) }]);
      deepEqual(copy(store.get('a')), bytes(3));
      await store.write([{ key: 'a', value: undefined }]);
      await store.write([{ key: 'a', value: undefined }]);
      equal(store.get('a'), undefined);
    }),
  );

  test(
    'state store: what is loaded is what is got',
    withStore(async (store) => {
      await store.write([{ key: 'a', value: new Uint8Array(5000).fill(7) }]);
      deepEqual(copy(await store.load('a')), new Uint8Array(5000).fill(7));
      equal(await store.load('b'), undefined);
    }),
  );

  test(
    'state store: later changes of one batch win',
    withStore(async (store) => {
      await store.write([
        { key: 'a', value: bytes(1) },
        { key: 'a', value: undefined },
        { key: 'b', value: bytes(1) },
        { key: 'b', value: bytes(2) },
      ]);
      equal(store.get('a'), undefined);
      deepEqual(copy(store.get('b')), bytes(2));
    }),
  );

  test(
    'state store: keys are bytes, ordered as bytes',
    withStore(async (store) => {
      const keys = [
        '\xff\xff',
        '\x00',
        '\x80',
        'a',
        '\xff',
        '\x00\x00',
        'a\x00',
        '\x7f',
        'b'.repeat(STATE_KEY_BYTES_MAX),
      ];
      await store.write(keys.map((key, index) => ({ key, value: bytes(index) })));
      for (const [index, key] of keys.entries()) deepEqual(copy(store.get(key)), bytes(index));
      const listed = store.range('\x00', '\xff\xff\xff', 100).map(({ key }) => key);
      deepEqual(listed, [...keys].sort());
    }),
  );

  test(
    'state store: a range includes its start, excludes its end, and stops at the limit',
    withStore(async (store) => {
      await store.write(['a', 'b', 'c', 'd'].map((key) => ({ key, value: bytes(key.charCodeAt(0)) })));
      const keys = (start: string, end: string, limit: number) => store.range(start, end, limit).map(({ key }) => key);
      deepEqual(keys('b', 'd', 10), ['b', 'c']);
      deepEqual(keys('aa', 'z', 2), ['b', 'c']);
      deepEqual(keys('b', 'b', 10), []);
      deepEqual(keys('c', 'a', 10), []);
      deepEqual(keys('e', 'z', 10), []);
      deepEqual(keys('a', 'z', 0), []);
      await store.write([
        { key: 'b', value: undefined },
        { key: 'bb', value: bytes(1) },
      ]);
      deepEqual(keys('a', 'z', 10), ['a', 'bb', 'c', 'd']);
    }),
  );

  test(
    'state store: values may be empty or large, and those of a range are copies',
    withStore(async (store) => {
      const large = new Uint8Array(200_000).map((_, index) => index % 253);
      await store.write([
        { key: 'a', value: new Uint8Array(0) },
        { key: 'b', value: large },
        { key: 'c', value: bytes(1) },
      ]);
      equal(store.get('a')?.length, 0);
      ok(Buffer.compare(store.get('b')!, large) === 0);
      const entries = store.range('a', 'z', 10);
      await store.write([
        { key: 'c', value: bytes(2) },
        { key: 'b', value: undefined },
      ]);
      store.get('c');
      ok(Buffer.compare(entries[1]!.value, large) === 0);
      deepEqual(copy(entries[2]!.value), bytes(1));
      entries[2]!.value.fill(9);
      deepEqual(copy(store.get('c')), bytes(2));
    }),
  );

  test(
    'state store: the store keeps a copy, so the caller may change what it wrote',
    withStore(async (store) => {
      const value = bytes(1);
      await store.write([{ key: 'a', value }]);
      value.fill(7);
      deepEqual(copy(store.get('a')), bytes(1));
      await store.flushed();
      ok(store.sizeBytes() > 0);
    }),
  );

  test(
    'state store: what was flushed is there after closing and opening again',
    withSubject(make, async ({ seams, directory }) => {
      const store = await seams.openStateStore(`${directory}/state`);
      await store.write(
        Array.from({ length: 5000 }, (_, index) => ({ key: `k${index}`, value: bytes(index, index >> 8) })),
      );
      await store.flushed();
      await store.write([{ key: 'k7', value: undefined }]);
      await store.close();
      const again = await seams.openStateStore(`${directory}/state`);
      deepEqual(copy(again.get('k4999')), bytes(4999, 4999 >> 8));
      equal(again.get('k7'), undefined);
      equal(again.range('k', 'l', 10_000).length, 4999);
      await again.close();
    }),
  );
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** A plain copy: stores may answer with any kind of byte array. */
function copy(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : Uint8Array.from(value);
}
