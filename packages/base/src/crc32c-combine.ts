/**
 * The checksum of A followed by B out of their checksums alone. A CRC is the remainder of a polynomial division, so
 * appending `n` bytes multiplies A's remainder by x^(8n) modulo the polynomial: one multiplication for each bit of `n`
 * at most. Lets a receiver sum each 64 KiB block once and still check the sum of the whole frame.
 *
 * Polynomials are 32-bit numbers in the reflected order of CRC32C: bit 31 is x^0, bit 0 is x^31.
 */
import { assert } from './assert.ts';

const POLYNOMIAL = 0x82f63b78; // Castagnoli, reflected (RFC 3720 §12.1)
const ONE = 0x80000000; // x^0
const BLOCK_BYTES = 64 * 1024;
/** Bits of a byte length (2^53 at most) plus 3, because lengths count bytes and powers count bits. */
const POWER_COUNT = 56;

/** The product of two polynomials, modulo the Castagnoli polynomial. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let rest = a | 0, shifted = b; rest !== 0; rest <<= 1) {
    if (rest < 0) product ^= shifted;
    shifted = (shifted & 1) !== 0 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

/** `powers[n]` is x^(2^n), each the square of the one before. */
const powers: number[] = [0x40000000];
while (powers.length < POWER_COUNT) powers.push(multiply(powers.at(-1)!, powers.at(-1)!));

/** x^(8 * lengthBytes). */
function shiftOperator(lengthBytes: number): number {
  let operator = ONE;
  for (let rest = lengthBytes, n = 3; rest > 0; rest = Math.floor(rest / 2), n++) {
    if (rest % 2 === 1) operator = multiply(powers[n]!, operator);
  }
  return operator;
}

/** Multiplication by one fixed operator is linear in the other factor: a table for each of its four bytes does it. */
function operatorTable(operator: number): Uint32Array {
  const table = new Uint32Array(4 * 256);
  for (let index = 0; index < table.length; index++) {
    table[index] = multiply(operator, (index & 0xff) << (8 * (index >>> 8)));
  }
  return table;
}

const blockTable = operatorTable(shiftOperator(BLOCK_BYTES));

/**
 * @param crcA checksum of A
 * @param crcB checksum of B, summed on its own
 * @param lengthB length of B in bytes; 64 KiB takes the fast path
 * @returns the checksum of A followed by B
 */
export function crc32cCombine(crcA: number, crcB: number, lengthB: number): number {
  if (lengthB === BLOCK_BYTES) {
    const shifted =
      blockTable[crcA & 0xff]! ^
      blockTable[256 + ((crcA >>> 8) & 0xff)]! ^
      blockTable[512 + ((crcA >>> 16) & 0xff)]! ^
      blockTable[768 + (crcA >>> 24)]!;
    return (shifted ^ crcB) >>> 0;
  }
  assert(Number.isSafeInteger(lengthB) && lengthB >= 0, () => `combining checksums over a length of ${lengthB}`);
  return (multiply(shiftOperator(lengthB), crcA) ^ crcB) >>> 0;
}
