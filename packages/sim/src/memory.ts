/**
 * The memory of what a simulation's disks hold, its network carries and its clients read, and of its processes' large
 * buffers, cut from large blocks that the next simulation of the thread uses again. An allocation for each page and value
 * would be tens of megabytes a run outside of the heap, which make the garbage collector mark everything more than once a
 * run, and with each such collection much compiled code goes.
 *
 * Invariant: whoever took a piece uses it until `end` at most.
 */

const BLOCK_BYTES = 1024 * 1024;
/** Of one simulation, and kept for others: 64 MiB. What a longer run needs is left to the garbage collector. */
const BLOCKS_MAX = 64;
/** A longer one would leave much of a block unused. */
const PIECE_BYTES_MAX = 512 * 1024;
/** Shared by small pieces when there are no blocks left. */
const LATE_BLOCK_BYTES = 64 * 1024;
const LATE_PIECE_BYTES_MAX = 2048;

const freeBlocks: Uint8Array[] = [];

export class Memory {
  readonly #blocks: Uint8Array[] = [];
  #block: Uint8Array = new Uint8Array(0);
  #end = 0;

  /** Not zeroed: it may hold what another simulation left. */
  take(length: number): Uint8Array {
    if (length > PIECE_BYTES_MAX) return new Uint8Array(length);
    if (this.#end + length > this.#block.length) {
      if (this.#blocks.length < BLOCKS_MAX) {
        this.#block = freeBlocks.pop() ?? new Uint8Array(BLOCK_BYTES);
        this.#blocks.push(this.#block);
      } else {
        if (length > LATE_PIECE_BYTES_MAX) return new Uint8Array(length);
        this.#block = new Uint8Array(LATE_BLOCK_BYTES);
      }
      this.#end = 0;
    }
    const piece = this.#block.subarray(this.#end, this.#end + length);
    this.#end += length;
    return piece;
  }

  /** As `AllocatePages`: one block, for that is what processes ask for; more come of their own. */
  takePages(byteCount: number): Uint8Array {
    if (byteCount !== BLOCK_BYTES || this.#blocks.length >= BLOCKS_MAX) return new Uint8Array(byteCount);
    const block = freeBlocks.pop() ?? new Uint8Array(BLOCK_BYTES);
    this.#blocks.push(block);
    return block;
  }

  copy(bytes: Uint8Array): Uint8Array {
    const copy = this.take(bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** Nobody uses any of it any more. */
  end(): void {
    for (const block of this.#blocks.splice(0)) if (freeBlocks.length < BLOCKS_MAX) freeBlocks.push(block);
    this.#block = new Uint8Array(0);
    this.#end = 0;
  }
}
