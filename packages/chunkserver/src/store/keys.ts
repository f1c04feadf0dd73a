/**
 * Keys of a disk's state, and values that carry their own checksum: what the index returns is served only when it is
 * what was put there (docs/spec/chunk-format.md).
 */
import {
  crc32c,
  FsError,
  getU32LE,
  getU64LE,
  type Key,
  keyToU64,
  keyToUuid,
  putU32LE,
  putU64LE,
  u64ToKey,
  uuidToKey,
} from '@cairnfs/base';

export const replicaKey = (handle: string): Key => `c${uuidToKey(handle)}`;
export const commitPointKey = (handle: string): Key => `p${uuidToKey(handle)}`;
export const checksumsKey = (handle: string): Key => `k${uuidToKey(handle)}`;
export const dataKey = (handle: string): Key => `d${uuidToKey(handle)}`;
export const mutationKey = (handle: string, sequence: number): Key => `s${uuidToKey(handle)}${u64ToKey(sequence)}`;
export const operationKey = (handle: string, client: string, number: number): Key =>
  `x${uuidToKey(handle)}${client}${u64ToKey(number)}`;
/** In order of time. */
export const quarantineKey = (atMs: number, handle: string): Key => `q${u64ToKey(atMs)}${uuidToKey(handle)}`;

const TRAILER_BYTES = 4;

/**
 * The value with its checksum behind it, in a fresh array. The checksum covers the key too, so that a value which turns
 * up under another chunk's key is found out like a flipped bit.
 */
export function sealValue(key: Key, body: Uint8Array, tail?: Uint8Array): Uint8Array {
  const tailLength = tail === undefined ? 0 : tail.length;
  const sealed = new Uint8Array(body.length + tailLength + TRAILER_BYTES);
  sealed.set(body);
  if (tail !== undefined) sealed.set(tail, body.length);
  const end = body.length + tailLength;
  putU32LE(sealed, end, checksumOf(key, sealed.subarray(0, end)));
  return sealed;
}

/**
 * The value without its checksum: the same memory.
 *
 * @throws FsError DAMAGED  it is not what was put there.
 */
export function openValue(key: Key, sealed: Uint8Array, what: string): Uint8Array {
  const end = sealed.length - TRAILER_BYTES;
  if (end >= 0) {
    const body = new Uint8Array(sealed.buffer, sealed.byteOffset, end); // a Buffer's `subarray` takes three times as long
    if (getU32LE(sealed, end) === checksumOf(key, body)) return body;
  }
  throw new FsError('DAMAGED', `the index entry of ${what} does not match its checksum; the replica is not served`);
}

/** Key and value are put side by side when they are small: one native call rather than two. */
function checksumOf(key: Key, body: Uint8Array): number {
  const length = key.length + body.length;
  if (length > scratch.length) return crc32c(body, crc32c(Buffer.from(key, 'latin1')));
  scratch.write(key, 0, 'latin1');
  scratch.set(body, key.length);
  return crc32c(new Uint8Array(scratch.buffer, 0, length));
}
const scratch = Buffer.allocUnsafeSlow(1_024);

export interface CommitPoint {
  readonly sequence: number;
  readonly length: number;
}

export function encodeCommitPoint(key: Key, { sequence, length }: CommitPoint): Uint8Array {
  const body = new Uint8Array(16);
  putU64LE(body, 0, sequence);
  putU64LE(body, 8, length);
  return sealValue(key, body);
}

export function decodeCommitPoint(key: Key, sealed: Uint8Array, what: string): CommitPoint {
  const body = openValue(key, sealed, what);
  return { sequence: getU64LE(body, 0), length: getU64LE(body, 8) };
}

export function encodeChecksums(key: Key, checksums: ArrayLike<number>): Uint8Array {
  const body = new Uint8Array(checksums.length * 4);
  for (let index = 0; index < checksums.length; index++) putU32LE(body, index * 4, checksums[index]!);
  return sealValue(key, body);
}

export function decodeChecksums(key: Key, sealed: Uint8Array, what: string): number[] {
  const body = openValue(key, sealed, what);
  const checksums: number[] = [];
  for (let at = 0; at < body.length; at += 4) checksums.push(getU32LE(body, at));
  return checksums;
}

/** The bytes of a quarantined replica that was in the index. */
export const quarantineDataKey = (atMs: number, handle: string): Key => `r${u64ToKey(atMs)}${uuidToKey(handle)}`;

/** Of `dataKey` and `quarantineDataKey`: values up to 64 KiB, read one by one. */
export const BULKY_PREFIXES = ['d', 'r'] as const;

export const handleOfKey = (key: Key): string => keyToUuid(key, 1);
export const atOfQuarantineKey = (key: Key): number => keyToU64(key, 1);
export const handleOfQuarantineKey = (key: Key): string => keyToUuid(key, 9);
