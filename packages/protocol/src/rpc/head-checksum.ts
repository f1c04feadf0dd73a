/**
 * CRC32C over a frame's header and message. Heads are mostly shorter than 100 bytes, and a call into native code costs as
 * much as summing them here; longer messages go to native code.
 */
import { crc32c } from '@cairnfs/base';

const NATIVE_BYTES_MIN = 192;

/** CRC32C polynomial, reversed (RFC 3720 appendix B.4); TABLES[k][b] advances byte b by k further bytes of zeros. */
const POLYNOMIAL = 0x82f63b78;
const T0 = new Int32Array(256);
const T1 = new Int32Array(256);
const T2 = new Int32Array(256);
const T3 = new Int32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
  T0[byte] = remainder;
}
for (let byte = 0; byte < 256; byte += 1) {
  T1[byte] = (T0[byte]! >>> 8) ^ T0[T0[byte]! & 0xff]!;
  T2[byte] = (T1[byte]! >>> 8) ^ T0[T1[byte]! & 0xff]!;
  T3[byte] = (T2[byte]! >>> 8) ^ T0[T2[byte]! & 0xff]!;
}

/** The checksum of `length` bytes at `start`, continuing from `initial`: the same value as `crc32c` of base. */
export function checksumOf(bytes: Uint8Array, start: number, length: number, initial: number): number {
  if (length >= NATIVE_BYTES_MIN) return crc32c(bytes.subarray(start, start + length), initial);
  const end = start + length;
  let state = ~initial;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = state ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    state = T3[word & 0xff]! ^ T2[(word >>> 8) & 0xff]! ^ T1[(word >>> 16) & 0xff]! ^ T0[word >>> 24]!;
  }
  for (; at < end; at += 1) state = (state >>> 8) ^ T0[(state ^ bytes[at]!) & 0xff]!;
  return ~state >>> 0;
}
