/**
 * Parts of state store keys. A key is a binary string, one character (0 to 255) for each byte, so keys made of these
 * parts by `+` sort as their bytes do: numbers by value, names by UTF-8.
 */
import { assert } from './assert.ts';
import { asBuffer } from './bytes.ts';
import { FsError } from './errors.ts';
import type { Key } from './seams.ts';

const UINT32_COUNT = 0x1_0000_0000;
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function bytesToKey(bytes: Uint8Array): Key {
  return asBuffer(bytes).toString('latin1');
}

/** The bytes of a key, in a fresh array of its own. */
export function keyToBytes(key: Key): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index);
    assert(code <= 0xff, () => `character ${code} at ${index} of a key is no byte`);
    bytes[index] = code;
  }
  return bytes;
}

/** The UTF-8 bytes of a text as a key part. */
export function textToKey(text: string): Key {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function keyToText(key: Key): string {
  return Buffer.from(key, 'latin1').toString('utf8');
}

/** 4 characters, big-endian. */
export function u32ToKey(value: number): Key {
  assert(value >>> 0 === value, () => `${value} is not an unsigned 32-bit number`);
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function keyToU32(key: Key, offset = 0): number {
  checkLength(key, offset, 4);
  return (
    ((key.charCodeAt(offset) << 24) |
      (key.charCodeAt(offset + 1) << 16) |
      (key.charCodeAt(offset + 2) << 8) |
      key.charCodeAt(offset + 3)) >>>
    0
  );
}

/** 8 characters, big-endian; `value` up to 2^53-1. */
export function u64ToKey(value: number): Key {
  assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not an integer of 0 to 2^53-1`);
  return u32ToKey(Math.floor(value / UINT32_COUNT)) + u32ToKey(value % UINT32_COUNT);
}

export function keyToU64(key: Key, offset = 0): number {
  const value = keyToU32(key, offset) * UINT32_COUNT + keyToU32(key, offset + 4);
  if (!Number.isSafeInteger(value)) throw new FsError('DAMAGED', 'A key holds a number above 2^53-1: it is damaged.');
  return value;
}

/** The conversion last made: whoever works on a chunk asks for several of its keys in a row. */
let lastUuid = '';
let lastUuidKey: Key = '';

/** 16 characters. Takes the 36 lowercase characters of a UUID only, so that one UUID has one key. */
export function uuidToKey(uuid: string): Key {
  if (uuid === lastUuid) return lastUuidKey;
  if (!isUuid(uuid)) throw new FsError('INVALID_ARGUMENT', `"${uuid}" is not a UUID of 36 lowercase characters.`);
  const key = Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('latin1');
  lastUuid = uuid;
  lastUuidKey = key;
  return key;
}

export function keyToUuid(key: Key, offset = 0): string {
  checkLength(key, offset, 16);
  return hexToUuid(Buffer.from(key.slice(offset, offset + 16), 'latin1').toString('hex'));
}

export function isUuid(text: string): boolean {
  return UUID_PATTERN.test(text);
}

/** The 16 bytes of a UUID as its 36 characters. */
export function bytesToUuid(bytes: Uint8Array): string {
  assert(bytes.length === 16, () => `a UUID has 16 bytes, not ${bytes.length}`);
  return hexToUuid(asBuffer(bytes).toString('hex'));
}

/** The first key after all keys that begin with `prefix`, or undefined when there is none (all bytes 255). */
export function afterPrefix(prefix: Key): Key | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const code = prefix.charCodeAt(length - 1);
    if (code < 0xff) return prefix.slice(0, length - 1) + String.fromCharCode(code + 1);
  }
  return undefined;
}

function hexToUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function checkLength(key: Key, offset: number, length: number): void {
  if (offset + length > key.length) {
    throw new FsError(
      'DAMAGED',
      `A key of ${key.length} bytes is too short: ${length} more at ${offset} were expected.`,
    );
  }
}
