/**
 * What the tree holds in the place of bulky values, and of the space map: each ends in the CRC32C of its key and itself, so
 * that a flipped bit never leads to the bytes of another value, nor gives them away as free space.
 */
import { crc32c, FsError, getU32LE, getU64LE, type Key, putU32LE, putU64LE, u32ToKey } from '@cairnfs/base';

/** Smaller values stay in the tree. */
export const APART_BYTES_MIN = 512;

/** What an entry begins with. */
const HERE = 0;
const APART = 1;
const APART_BYTES = 13;
const TRAILER_BYTES = 4;

export interface Place {
  /** Bytes in the file of values. */
  readonly position: number;
  readonly length: number;
}

export function sealHere(key: Key, value: Uint8Array): Uint8Array {
  const entry = new Uint8Array(1 + value.length + TRAILER_BYTES);
  entry[0] = HERE;
  entry.set(value, 1);
  return seal(key, entry);
}

export function sealApart(key: Key, { position, length }: Place): Uint8Array {
  const entry = new Uint8Array(APART_BYTES + TRAILER_BYTES);
  entry[0] = APART;
  putU64LE(entry, 1, position);
  putU32LE(entry, 9, length);
  return seal(key, entry);
}

/**
 * The value, in memory of its own, or where it is.
 *
 * @throws FsError DAMAGED
 */
export function openEntry(key: Key, entry: Uint8Array): Place | { readonly value: Uint8Array } {
  const body = open(key, entry);
  if (body !== undefined && body[0] === HERE) return { value: body.slice(1) };
  if (body !== undefined && body[0] === APART && body.length === APART_BYTES) {
    return { position: getU64LE(body, 1), length: getU32LE(body, 9) };
  }
  throw new FsError('DAMAGED', `the index entry of a value (${entry.length} bytes) does not match its checksum`);
}

export function isApart(opened: Place | { readonly value: Uint8Array }): opened is Place {
  return 'position' in opened;
}

export function sealBlock(number: number, bits: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(bits.length + TRAILER_BYTES);
  sealed.set(bits);
  return seal(u32ToKey(number), sealed);
}

/** @throws FsError DAMAGED */
export function openBlock(number: number, sealed: Uint8Array): Uint8Array {
  const bits = open(u32ToKey(number), sealed);
  if (bits !== undefined) return bits;
  throw new FsError('DAMAGED', `block ${number} of the index's space map does not match its checksum`);
}

/** Writes the checksum behind the rest of `bytes`. */
function seal(key: Key, bytes: Uint8Array): Uint8Array {
  const end = bytes.length - TRAILER_BYTES;
  putU32LE(bytes, end, checksumOf(key, bytes.subarray(0, end)));
  return bytes;
}

function open(key: Key, sealed: Uint8Array): Uint8Array | undefined {
  const end = sealed.length - TRAILER_BYTES;
  const body = new Uint8Array(sealed.buffer, sealed.byteOffset, Math.max(0, end));
  return end > 0 && getU32LE(sealed, end) === checksumOf(key, body) ? body : undefined;
}

function checksumOf(key: Key, body: Uint8Array): number {
  return crc32c(body, crc32c(Buffer.from(key, 'latin1')));
}
