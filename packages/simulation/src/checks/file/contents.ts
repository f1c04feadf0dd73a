/** Compares bytes that were read with those of writes, made once for each write, and tells from which writes they are. */
import { contentOf, ORIGIN_BYTES, type Origin, originOf } from '../../history/content.ts';
import { HOLE } from './file-state.ts';

const ZEROS = Buffer.alloc(64 * 1024);

/** So many bytes alike are no accident: 56 random bits. */
export const PROOF_BYTES = 8;

/** Bytes in a row of one write. */
export interface Run {
  /** In the bytes that were read. */
  readonly from: number;
  readonly to: number;
  readonly writeId: number;
  /** In the write, of the first of them. */
  readonly position: number;
}

export type Shown = 'all' | 'some' | 'few' | 'none';

export class Contents {
  readonly #lengths: ReadonlyMap<number, number>;
  readonly #made = new Map<number, Uint8Array>();
  readonly #runs = new Map<Uint8Array, readonly Run[]>();
  readonly #strays = new Map<Uint8Array, readonly number[]>();

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

  /**
   * How much of `bytes[from, to)` is of the write from that position on: also where another has overwritten a part. `few`
   * are too few to tell, and may be another's.
   */
  shown(bytes: Uint8Array, from: number, to: number, writeId: number, position: number): Shown {
    if (this.equal(bytes, from, to, writeId, position)) return 'all';
    const isPart = (run: Run) =>
      run.writeId === writeId &&
      run.position - run.from === position - from &&
      Math.min(to, run.to) - Math.max(from, run.from) >= PROOF_BYTES;
    if (this.runsOf(bytes).some(isPart)) return 'some';
    const content = this.#of(writeId);
    const isAlike = (at: number) => at >= from && at < to && bytes[at] === content[position + at - from];
    return this.#straysOf(bytes).some(isAlike) ? 'few' : 'none';
  }

  /** Every run of `ORIGIN_BYTES` or more, in order, as long as can be; its last bytes may be another write's that are alike. */
  runsOf(bytes: Uint8Array): readonly Run[] {
    const known = this.#runs.get(bytes);
    if (known !== undefined) return known;
    const runs: Run[] = [];
    for (let at = endOfZeros(bytes, 0); at + ORIGIN_BYTES <= bytes.length; at = endOfZeros(bytes, at)) {
      const origin = this.#originOf(bytes, at);
      if (origin === undefined) {
        at += 1;
        continue;
      }
      const to = at + this.#lengthOf(bytes, at, origin);
      runs.push({ from: at, to, ...origin });
      at = to;
    }
    this.#runs.set(bytes, runs);
    return runs;
  }

  /** Where bytes are of a write, and in no run. */
  #straysOf(bytes: Uint8Array): readonly number[] {
    const known = this.#strays.get(bytes);
    if (known !== undefined) return known;
    const strays: number[] = [];
    let at = 0;
    for (const { from, to } of [...this.runsOf(bytes), { from: bytes.length, to: bytes.length }]) {
      for (at = endOfZeros(bytes, at); at < from; at = endOfZeros(bytes, at + 1)) strays.push(at);
      at = to;
    }
    this.#strays.set(bytes, strays);
    return strays;
  }

  #originOf(bytes: Uint8Array, at: number): Origin | undefined {
    return originOf(
      bytes,
      at,
      ({ writeId, position }) =>
        this.#lengths.has(writeId) && this.equal(bytes, at, at + ORIGIN_BYTES, writeId, position),
    );
  }

  /** How long the run is that begins there. */
  #lengthOf(bytes: Uint8Array, at: number, { writeId, position }: Origin): number {
    let low = ORIGIN_BYTES;
    let high = Math.min(bytes.length - at, this.#of(writeId).length - position);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.equal(bytes, at + low, at + middle, writeId, position + low)) low = middle;
      else high = middle - 1;
    }
    return low;
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

/** Most zeros come in thousands, holes of a file; others alone. */
const ZEROS_ALONE_MAX = 32;
const ZEROS_AT_ONCE = 4096;

/** Where the zeros from `start` on end: there, when there are none. */
function endOfZeros(bytes: Uint8Array, start: number): number {
  let at = start;
  const near = Math.min(bytes.length, start + ZEROS_ALONE_MAX);
  while (at < near && bytes[at] === 0) at += 1;
  if (at < near) return at;
  while (at + ZEROS_AT_ONCE <= bytes.length && isZero(bytes, at, at + ZEROS_AT_ONCE)) at += ZEROS_AT_ONCE;
  while (at < bytes.length && bytes[at] === 0) at += 1;
  return at;
}
