/**
 * A set of keys in byte order: sorted blocks of bounded length, found by binary search over their first keys. Insertion
 * and removal move at most one block's keys; a walk is sequential memory. Invariants: no block is empty; every key of a
 * block is below every key of the next.
 */
import type { Key } from '@cairnfs/base';
import { KEY_BLOCK_LENGTH_MAX } from './limits.ts';

export class OrderedKeys {
  readonly #blocks: Key[][] = [];
  readonly #blockLengthMax: number;
  #size = 0;

  /** @param blockLengthMax at least 2; smaller ones serve the tests. */
  constructor(blockLengthMax = KEY_BLOCK_LENGTH_MAX) {
    this.#blockLengthMax = blockLengthMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a key; one that is there already stays once. */
  add(key: Key): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push([key]);
      this.#size++;
      return;
    }
    const blockIndex = this.#blockOf(key);
    const block = this.#blocks[blockIndex]!;
    const index = lowerBound(block, key);
    if (block[index] === key) return;
    block.splice(index, 0, key);
    this.#size++;
    if (block.length > this.#blockLengthMax) this.#split(blockIndex);
  }

  /** Removes a key; fine when it is not there. */
  remove(key: Key): void {
    if (this.#blocks.length === 0) return;
    const blockIndex = this.#blockOf(key);
    const block = this.#blocks[blockIndex]!;
    const index = lowerBound(block, key);
    if (block[index] !== key) return;
    block.splice(index, 1);
    this.#size--;
    if (block.length === 0) this.#blocks.splice(blockIndex, 1);
  }

  /** Keys from `start` on, in order. The set must not change during the walk. */
  *from(start: Key): Generator<Key, undefined> {
    if (this.#blocks.length === 0) return;
    let blockIndex = this.#blockOf(start);
    let index = lowerBound(this.#blocks[blockIndex]!, start);
    for (; blockIndex < this.#blocks.length; blockIndex++, index = 0) {
      const block = this.#blocks[blockIndex]!;
      for (; index < block.length; index++) yield block[index]!;
    }
  }

  /** The last block whose first key is at or below `key`; the first block when there is none. */
  #blockOf(key: Key): number {
    let low = 0;
    let high = this.#blocks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]![0]! <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  #split(blockIndex: number): void {
    const block = this.#blocks[blockIndex]!;
    // Keys that arrive in rising order leave full blocks behind them instead of half-empty ones.
    const isLast = blockIndex === this.#blocks.length - 1;
    const upper = block.splice(isLast ? block.length - 1 : block.length >>> 1);
    this.#blocks.splice(blockIndex + 1, 0, upper);
  }
}

/** Index of the first key at or above `key`. */
function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
