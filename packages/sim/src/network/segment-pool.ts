/**
 * Memory for the large segments on the wire, used again once a receiver has taken them. A fresh array for each would be
 * tens of megabytes in a run of a minute, and a collection of all garbage for every 64 MiB.
 */

import { Copies } from '../copies.ts';
import { Memory } from '../memory.ts';

export const SEGMENT_BYTES_MAX = 64 * 1024;
/** Smaller ones lie side by side. */
const POOLED_BYTES_MIN = 2048;
/** Kept for reuse: 2 MiB. What a broken connection held is left to the garbage collector. */
const FREE_MAX = 32;

/** Some bytes on their way. */
export interface Segment {
  readonly bytes: Uint8Array;
  /** Given back when the bytes were taken; undefined when other segments need it still, or it is of no pool. */
  readonly memory: Uint8Array | undefined;
}

export class SegmentPool {
  readonly #free: Uint8Array[] = [];
  readonly #small = new Copies();
  readonly #memory: Memory;

  constructor(memory = new Memory()) {
    this.#memory = memory;
  }

  copy(bytes: Uint8Array): Segment {
    if (bytes.length < POOLED_BYTES_MIN) return { bytes: this.#small.of(bytes), memory: undefined };
    const memory = this.#free.pop() ?? this.#memory.take(SEGMENT_BYTES_MAX);
    memory.set(bytes);
    return { bytes: memory.subarray(0, bytes.length), memory };
  }

  giveBack(memory: Uint8Array): void {
    if (this.#free.length < FREE_MAX) this.#free.push(memory);
  }
}
