/** Memory for blocks that are read, checked and forgotten: a fresh one for each would be 64 KiB for the garbage collector. */
import { assert } from '@cairnfs/base';
import { BLOCK_BYTES, PooledBytes } from '@cairnfs/protocol';

export class BlockBuffers {
  readonly #free: Uint8Array[] = [];
  readonly #freeMax: number;

  constructor(freeMax: number) {
    this.#freeMax = freeMax;
  }

  /** Memory of a block; `length` is at most that. Not zeroed. */
  take(length: number): PooledBytes {
    assert(length <= BLOCK_BYTES, () => `a block of ${length} bytes`);
    return new PooledBytes(this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
  }

  /** Only of a read that was answered: one that is still under way may write to it at any time. */
  giveBack(memory: PooledBytes): void {
    memory.release();
    if (this.#free.length < this.#freeMax) this.#free.push(memory.bytes);
  }
}
