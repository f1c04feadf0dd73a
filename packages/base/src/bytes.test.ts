import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AssertionError } from './assert.ts';
import * as bytes from './bytes.ts';
import { isFsError } from './errors.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const uint53 = fc.maxSafeNat();

test('bytes: numbers come back as they were put, in both orders', () => {
  const target = new Uint8Array(12);
  fc.assert(
    fc.property(uint32, uint53, (small, large) => {
      bytes.putU32LE(target, 1, small);
      equal(bytes.getU32LE(target, 1), small);
      bytes.putU32BE(target, 1, small);
      equal(bytes.getU32BE(target, 1), small);
      bytes.putU64LE(target, 3, large);
      equal(bytes.getU64LE(target, 3), large);
      bytes.putU64BE(target, 3, large);
      equal(bytes.getU64BE(target, 3), large);
    }),
  );
  bytes.putU16LE(target, 0, 0xfffe);
  equal(bytes.getU16LE(target, 0), 0xfffe);
});

test('bytes: numbers lie in memory as the platform lays them out', () => {
  const target = new Uint8Array(8);
  const view = new DataView(target.buffer);
  bytes.putU64LE(target, 0, 0x01_0203_0405_0607);
  equal(view.getBigUint64(0, true), 0x01_0203_0405_0607n);
  bytes.putU64BE(target, 0, 0x01_0203_0405_0607);
  equal(view.getBigUint64(0, false), 0x01_0203_0405_0607n);
});

test('bytes: a number above 2^53-1 is damage, one that does not fit or lies outside is a mistake', () => {
  const target = new Uint8Array(8).fill(0xff);
  throws(
    () => bytes.getU64LE(target, 0),
    (error) => isFsError(error, 'DAMAGED'),
  );
  throws(() => bytes.getU32LE(target, 5), AssertionError);
  throws(() => bytes.putU32LE(target, -1, 0), AssertionError);
  throws(() => bytes.putU32LE(target, 0, 2 ** 32), AssertionError);
  throws(() => bytes.putU64BE(target, 0, 2 ** 53), AssertionError);
  throws(() => bytes.putU32BE(target, 0, 1.5), AssertionError);
});

test('bytes: parts join in order, and equality is by content', () => {
  const whole = bytes.concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]);
  deepEqual(whole, Uint8Array.of(1, 2, 3));
  ok(bytes.equalBytes(whole, Buffer.from([1, 2, 3])));
  ok(!bytes.equalBytes(whole, Uint8Array.of(1, 2)));
  equal(bytes.utf8Text(bytes.utf8Bytes('Ärger 🗻')), 'Ärger 🗻');
});
