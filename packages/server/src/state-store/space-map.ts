/**
 * Which units of a file are taken: one bit each, in blocks that are stored one by one. A run lies within one block.
 * Search goes on where the last one ended, so that what is written together lies together.
 */
import { assert } from '@cairnfs/base';

/** Units of one block: its bits are 1 KiB. */
export const BLOCK_UNITS = 8_192;
/** Blocks searched for one run before the file grows, 10 µs each at most; full ones are passed over. */
const BLOCKS_SEARCHED_MAX = 8;

export interface Run {
  /** First unit, and how many. */
  readonly start: number;
  readonly count: number;
}

export class SpaceMap {
  readonly #blocks: Uint8Array[] = [];
  readonly #freeCounts: number[] = [];
  /** Behind the run that was taken last. */
  #next = 0;
  /** The block at which the search begins when there is no room where the last run was taken. */
  #searchFrom = 0;

  /** @param blocks as `block` gave them, by number; those that are missing are free. */
  constructor(blocks: ReadonlyMap<number, Uint8Array>) {
    for (const [number, bits] of blocks) {
      assert(bits.length * 8 === BLOCK_UNITS, () => `block ${number} of the space map has ${bits.length} bytes`);
      while (this.#blocks.length <= number) this.#grow();
      this.#blocks[number] = Uint8Array.from(bits);
      this.#freeCounts[number] = BLOCK_UNITS - bits.reduce((sum, byte) => sum + bitCount(byte), 0);
    }
  }

  /** Behind the last unit that is taken. */
  get endUnit(): number {
    for (let unit = this.#blocks.length * BLOCK_UNITS; unit > 0; unit -= 1) if (this.#isTaken(unit - 1)) return unit;
    return 0;
  }

  /** Takes `count` units that lie together. */
  take(count: number): number {
    assert(count > 0 && count <= BLOCK_UNITS, () => `a run of ${count} units`);
    const last = blockOf(this.#next);
    const start =
      (last < this.#blocks.length ? this.#search(last, count, this.#next % BLOCK_UNITS) : undefined) ??
      this.#searchAll(count) ??
      this.#grow() * BLOCK_UNITS;
    for (let unit = start; unit < start + count; unit += 1) {
      this.#blocks[blockOf(unit)]![(unit % BLOCK_UNITS) >> 3]! |= 1 << (unit & 7);
    }
    this.#freeCounts[blockOf(start)]! -= count;
    this.#next = start + count;
    return start;
  }

  free({ start, count }: Run): void {
    for (let unit = start; unit < start + count; unit += 1) {
      assert(this.#isTaken(unit), () => `unit ${unit} is let go and was not taken`);
      clearBit(this.#blocks[blockOf(unit)]!, unit % BLOCK_UNITS);
    }
    this.#freeCounts[blockOf(start)]! += count;
  }

  /** A copy of a block's bits, without those of the runs in `without`. */
  block(index: number, without: readonly Run[]): Uint8Array {
    const bits = Uint8Array.from(this.#blocks[index]!);
    for (const { start, count } of without) {
      if (blockOf(start) !== index) continue;
      for (let unit = start; unit < start + count; unit += 1) clearBit(bits, unit % BLOCK_UNITS);
    }
    return bits;
  }

  /** A bounded search, which goes on behind the blocks of the one before when that was in vain. */
  #searchAll(count: number): number | undefined {
    const blockCount = this.#blocks.length;
    let searched = 0;
    for (let step = 0; step < blockCount && searched < BLOCKS_SEARCHED_MAX; step += 1) {
      const index = this.#searchFrom % blockCount;
      if (this.#freeCounts[index]! >= count) {
        const start = this.#search(index, count, 0);
        if (start !== undefined) return start;
        searched += 1;
      }
      this.#searchFrom = index + 1;
    }
    return undefined;
  }

  /** @returns the number of the new block. */
  #grow(): number {
    this.#freeCounts.push(BLOCK_UNITS);
    return this.#blocks.push(new Uint8Array(BLOCK_UNITS / 8)) - 1;
  }

  #search(index: number, count: number, from: number): number | undefined {
    if (this.#freeCounts[index]! < count) return undefined;
    const bits = this.#blocks[index]!;
    for (let unit = from, length = 0; unit < BLOCK_UNITS; unit += 1) {
      const byte = bits[unit >> 3]!;
      if (byte === 0xff) {
        length = 0;
        unit |= 7; // none of the byte's
      } else if ((byte & (1 << (unit & 7))) !== 0) length = 0;
      else {
        length += 1;
        if (length === count) return index * BLOCK_UNITS + unit + 1 - count;
      }
    }
    return undefined;
  }

  #isTaken(unit: number): boolean {
    return (this.#blocks[blockOf(unit)]![(unit % BLOCK_UNITS) >> 3]! & (1 << (unit & 7))) !== 0;
  }
}

export function blockOf(unit: number): number {
  return Math.floor(unit / BLOCK_UNITS);
}

function clearBit(bits: Uint8Array, bit: number): void {
  bits[bit >> 3]! &= ~(1 << (bit & 7));
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
