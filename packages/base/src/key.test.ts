import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AssertionError } from './assert.ts';
import { isFsError } from './errors.ts';
import * as key from './key.ts';
import { randomUuid, timeOrderedUuid } from './uuid.ts';

test('key: bytes, texts, numbers and UUIDs come back as they went in', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.string(),
      fc.maxSafeNat(),
      fc.uuid(),
      (bytes, text, number, uuid) => {
        deepEqual(key.keyToBytes(key.bytesToKey(bytes)), bytes);
        equal(key.keyToText(key.textToKey(text)), text);
        equal(key.keyToU64(`xx${key.u64ToKey(number)}`, 2), number);
        equal(key.keyToU32(key.u32ToKey(number % 2 ** 32)), number % 2 ** 32);
        equal(key.keyToUuid(`x${key.uuidToKey(uuid)}`, 1), uuid);
      },
    ),
  );
  deepEqual([key.u64ToKey(1).length, key.u32ToKey(1).length], [8, 4]);
});

test('key: numbers sort by value, texts by their UTF-8', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      equal(key.u64ToKey(a) < key.u64ToKey(b), a < b);
    }),
  );
  ok(key.textToKey('z') < key.textToKey('ä'));
  ok(key.textToKey('\uffff') < key.textToKey('🗻')); // unlike JavaScript's own order of the texts
});

test('key: the end of a prefix is the first key after all that begin with it', () => {
  equal(key.afterPrefix('ab'), 'ac');
  equal(key.afterPrefix('a\xff\xff'), 'b');
  equal(key.afterPrefix('\xff'), undefined);
  equal(key.afterPrefix(''), undefined);
});

test('key: what is damaged, malformed or no byte is refused', () => {
  throws(
    () => key.keyToU64('\xff'.repeat(8)),
    (error) => isFsError(error, 'DAMAGED'),
  );
  throws(
    () => key.keyToU32('abc'),
    (error) => isFsError(error, 'DAMAGED'),
  );
  throws(
    () => key.uuidToKey('ABCDEF00-0000-4000-8000-000000000000'),
    (error) => isFsError(error, 'INVALID_ARGUMENT'),
  );
  throws(() => key.keyToBytes('ä€'), AssertionError);
});

test('uuid: time-ordered ones are of version 7 and sort by the wall time', () => {
  const random = { uint32: () => 0, bytes: (length: number) => new Uint8Array(length).fill(0xff) };
  const at = (wallMs: number) => timeOrderedUuid({ random, clock: { wallMs: () => wallMs } });
  equal(at(0x0190_a1b2_c3d4), '0190a1b2-c3d4-7fff-bfff-ffffffffffff');
  equal(at(-5), '00000000-0000-7fff-bfff-ffffffffffff');
  ok(at(1_000) < at(1_001) && at(65_535.9) < at(65_536));
});

test('uuid: random ones are of version 4 and as the bytes say', () => {
  const random = { uint32: () => 0, bytes: (length: number) => new Uint8Array(length).fill(0xff) };
  equal(randomUuid(random), 'ffffffff-ffff-4fff-bfff-ffffffffffff');
  match(randomUuid({ ...random, bytes: (length) => new Uint8Array(length) }), /^0{8}-0{4}-40{3}-80{3}-0{12}$/);
});
