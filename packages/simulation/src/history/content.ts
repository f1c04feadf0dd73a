/**
 * The bytes of a write: a pure function of its id and of the position in the write, so that whoever sees some of them can
 * tell which write they are from and whether they are in place. Never zero: holes read as zeros.
 */
import { assert } from '@cairnfs/base';

/** Longer than any write of a run. */
const PATTERN_BYTES = 512 * 1024;

/** Low seven bits differ from position to position; a write's key turns them into its own. Made when first needed. */
let pattern: Uint32Array | undefined;
/** Made when first needed. */
let places: Int32Array | undefined;

/** `length` bytes of the write, in a buffer of its own. */
export function contentOf(writeId: number, length: number): Uint8Array {
  assert(length <= PATTERN_BYTES, `a write of ${length} bytes: at most ${PATTERN_BYTES} are possible`);
  pattern ??= makePattern();
  const words = new Uint32Array((length + 3) >>> 2);
  const key = keyOf(writeId);
  for (let index = 0; index < words.length; index += 1) words[index] = pattern[index]! ^ key;
  return new Uint8Array(words.buffer, 0, length);
}

/** So many bytes in a row tell which write they are of: two whole words of the pattern are among them. */
export const ORIGIN_BYTES = 11;

export interface Origin {
  readonly writeId: number;
  /** Of the first byte in the write. */
  readonly position: number;
}

/**
 * The write that the bytes from `at` on are of; undefined where they are none of a write, or fewer than `ORIGIN_BYTES` of it.
 *
 * @param isPossible  whether there is such a write, and those bytes are there.
 */
export function originOf(bytes: Uint8Array, at: number, isPossible: (origin: Origin) => boolean): Origin | undefined {
  const places = placesOfSteps();
  for (let skipped = 0; skipped < 4 && at + skipped + 8 <= bytes.length; skipped += 1) {
    const word = wordAt(bytes, at + skipped);
    const step = word ^ wordAt(bytes, at + skipped + 4);
    for (let slot = slotOf(step); places[slot] !== 0; slot = (slot + 1) & (places.length - 1)) {
      const index = places[slot]! - 1;
      if (stepAt(index) !== step) continue;
      const writeId = writeOf(word ^ pattern![index]!);
      const position = 4 * index - skipped;
      if (position >= 0 && isPossible({ writeId, position })) return { writeId, position };
    }
  }
  return undefined;
}

const KEY_FACTOR = 0x9e3779b1;
/** Its inverse modulo 2^28. */
const KEY_FACTOR_INVERSE = inverseOf(KEY_FACTOR);

/** 28 bits in the low seven of each byte, one to one for ids below 2^28; the top bits are set, so no byte is zero. */
function keyOf(writeId: number): number {
  const mixed = Math.imul(writeId, KEY_FACTOR) & 0x0fffffff;
  const spread = (mixed & 0x7f) | ((mixed & 0x3f80) << 1) | ((mixed & 0x1fc000) << 2) | ((mixed & 0xfe00000) << 3);
  return (spread | 0x80808080) >>> 0;
}

function writeOf(key: number): number {
  const mixed = (key & 0x7f) | ((key >>> 1) & 0x3f80) | ((key >>> 2) & 0x1fc000) | ((key >>> 3) & 0xfe00000);
  return Math.imul(mixed, KEY_FACTOR_INVERSE) & 0x0fffffff;
}

/** Newton's iteration: each turn doubles the number of low bits that are right. */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let turn = 0; turn < 5; turn += 1) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

/** What a word and the next one differ in: the same whatever the key. */
function stepAt(index: number): number {
  return pattern![index]! ^ pattern![index + 1]!;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Twice as many slots as words. */
const SLOT_BITS = 18;

function slotOf(step: number): number {
  return Math.imul(step, KEY_FACTOR) >>> (32 - SLOT_BITS);
}

/** For each step of the pattern the indices of the words before it, plus one, from the step's slot on. */
function placesOfSteps(): Int32Array {
  if (places !== undefined) return places;
  pattern ??= makePattern();
  places = new Int32Array(2 ** SLOT_BITS);
  for (let index = 0; index + 1 < pattern.length; index += 1) {
    let slot = slotOf(stepAt(index));
    while (places[slot] !== 0) slot = (slot + 1) & (places.length - 1);
    places[slot] = index + 1;
  }
  return places;
}

function makePattern(): Uint32Array {
  const words = new Uint32Array(PATTERN_BYTES / 4);
  let state = 0x2545f491;
  for (let index = 0; index < words.length; index += 1) {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state & 0x7f7f7f7f;
  }
  return words;
}
