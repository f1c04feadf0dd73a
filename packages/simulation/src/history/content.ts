/**
 * The bytes of a write: a pure function of its id and of the position in the write, so that whoever sees some of them can
 * tell which write they are from and whether they are in place. Never zero: holes read as zeros.
 */
import { assert } from '@cairnfs/base';

/** Longer than any write of a run. */
const PATTERN_BYTES = 4 * 1024 * 1024;

/** Low seven bits differ from position to position; a write's key turns them into its own. Made when first needed. */
let pattern: Uint32Array | undefined;

/** `length` bytes of the write, in a buffer of its own. */
export function contentOf(writeId: number, length: number): Uint8Array {
  assert(length <= PATTERN_BYTES, `a write of ${length} bytes: at most ${PATTERN_BYTES} are possible`);
  pattern ??= makePattern();
  const words = new Uint32Array((length + 3) >>> 2);
  const key = keyOf(writeId);
  for (let index = 0; index < words.length; index += 1) words[index] = pattern[index]! ^ key;
  return new Uint8Array(words.buffer, 0, length);
}

/** 28 bits in the low seven of each byte, one to one for ids below 2^28; the top bits are set, so no byte is zero. */
function keyOf(writeId: number): number {
  const mixed = Math.imul(writeId, 0x9e3779b1) & 0x0fffffff;
  const spread = (mixed & 0x7f) | ((mixed & 0x3f80) << 1) | ((mixed & 0x1fc000) << 2) | ((mixed & 0xfe00000) << 3);
  return (spread | 0x80808080) >>> 0;
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
