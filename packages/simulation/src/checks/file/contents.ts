/** Compares bytes that were read with those of writes, made once for each write. */
import { contentOf } from '../../history/content.ts';
import { HOLE } from './file-state.ts';

const ZEROS = Buffer.alloc(64 * 1024);

/** So many equal bytes in a row are no accident. */
const TELLING_BYTES = 8;

export class Contents {
  readonly #lengths: ReadonlyMap<number, number>;
  readonly #made = new Map<number, Uint8Array>();

  /** @param lengths of each write, by id. */
  constructor(lengths: ReadonlyMap<number, number>) {
    this.#lengths = lengths;
  }

  /** Whether `bytes[from, to)` are those of the write from that position on; `HOLE` has zeros. */
  equal(bytes: Uint8Array, from: number, to: number, writeId: number, position: number): boolean {
    if (writeId === HOLE) return isZero(bytes, from, to);
    const content = this.#of(writeId);
    if (position < 0 || position + to - from > content.length) return false;
    if (to - from > 64)
      return Buffer.compare(bytes.subarray(from, to), content.subarray(position, position + to - from)) === 0;
    for (let at = from; at < to; at += 1) if (bytes[at] !== content[position + at - from]) return false;
    return true;
  }

  /** How much of `bytes[from, to)` is of the write from that position on: also where another has overwritten a part. */
  shown(bytes: Uint8Array, from: number, to: number, writeId: number, position: number): 'all' | 'some' | 'none' {
    if (this.equal(bytes, from, to, writeId, position)) return 'all';
    const content = this.#of(writeId);
    for (let at = from, run = 0; at < to; at += 1) {
      run = bytes[at] === content[position + at - from] ? run + 1 : 0;
      if (run === TELLING_BYTES) return 'some';
    }
    return 'none';
  }

  #of(writeId: number): Uint8Array {
    const made = this.#made.get(writeId) ?? contentOf(writeId, this.#lengths.get(writeId) ?? 0);
    this.#made.set(writeId, made);
    return made;
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += ZEROS.length) {
    const end = Math.min(to, at + ZEROS.length);
    if (Buffer.compare(bytes.subarray(at, end), ZEROS.subarray(0, end - at)) !== 0) return false;
  }
  return true;
}
