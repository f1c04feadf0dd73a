/**
 * Numbers in bytes, and bytes in keys. 64-bit numbers are JavaScript numbers: file offsets, sequence numbers and inode
 * numbers stay below 2^53. Bytes that hold more came damaged or from a stranger, and are refused with `DAMAGED`.
 */
import { assert } from './assert.ts';
import { FsError } from './errors.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

const UINT32_COUNT = 0x1_0000_0000;
/** The highest upper half of a number that is still exact. */
const UPPER_MAX = 0x1f_ffff;

export function getU16LE(bytes: Uint8Array, offset: number): number {
  checkRange(bytes, offset, 2);
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}

export function putU16LE(bytes: Uint8Array, offset: number, value: number): void {
  checkRange(bytes, offset, 2);
  checkValue(value, 0xffff);
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
}

export function getU32LE(bytes: Uint8Array, offset: number): number {
  checkRange(bytes, offset, 4);
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}

export function putU32LE(bytes: Uint8Array, offset: number, value: number): void {
  checkRange(bytes, offset, 4);
  checkValue(value, 0xffff_ffff);
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

export function getU64LE(bytes: Uint8Array, offset: number): number {
  return joinHalves(getU32LE(bytes, offset + 4), getU32LE(bytes, offset));
}

export function putU64LE(bytes: Uint8Array, offset: number, value: number): void {
  checkValue(value, Number.MAX_SAFE_INTEGER);
  putU32LE(bytes, offset, value % UINT32_COUNT);
  putU32LE(bytes, offset + 4, Math.floor(value / UINT32_COUNT));
}

export function getU32BE(bytes: Uint8Array, offset: number): number {
  checkRange(bytes, offset, 4);
  return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
}

export function putU32BE(bytes: Uint8Array, offset: number, value: number): void {
  checkRange(bytes, offset, 4);
  checkValue(value, 0xffff_ffff);
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

export function getU64BE(bytes: Uint8Array, offset: number): number {
  return joinHalves(getU32BE(bytes, offset), getU32BE(bytes, offset + 4));
}

export function putU64BE(bytes: Uint8Array, offset: number, value: number): void {
  checkValue(value, Number.MAX_SAFE_INTEGER);
  putU32BE(bytes, offset, Math.floor(value / UINT32_COUNT));
  putU32BE(bytes, offset + 4, value % UINT32_COUNT);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** All parts, one after another, in a fresh array. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The bytes of a text in UTF-8. A fresh array, never a slice of a shared pool. */
export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes; bytes that are no UTF-8 become U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8');
}

const encoder = new TextEncoder();

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkRange(bytes: Uint8Array, offset: number, size: number): void {
  assert(offset >= 0 && offset + size <= bytes.length, () => `offset ${offset} of ${bytes.length} bytes, need ${size}`);
}

function checkValue(value: number, max: number): void {
  assert(Number.isSafeInteger(value) && value >= 0 && value <= max, () => `${value} is not an integer of 0 to ${max}`);
}

function joinHalves(upper: number, lower: number): number {
  if (upper > UPPER_MAX) {
    throw new FsError('DAMAGED', `A 64-bit number is above 2^53-1 (upper half ${upper}): its bytes are damaged.`);
  }
  return upper * UINT32_COUNT + lower;
}
