/**
 * Memory for the raw data of frames. Bulk data takes 1 MiB buffers from a bounded free list, because allocating and
 * faulting in a fresh one costs as much as reading it; smaller data is allocated exactly and left to the garbage
 * collector. What the holders never release is collected too, and merely misses the list.
 */
import { BLOCK_BYTES, FRAME_DATA_BYTES_MAX, POOL_FREE_BUFFERS_MAX } from '../limits.ts';
import { PooledBytes } from './pooled-bytes.ts';

/** Above it the data lies in a whole 1 MiB buffer, of which the operating system backs the part touched. */
const EXACT_BYTES_MAX = BLOCK_BYTES;

export class BufferPool {
  readonly #free: Uint8Array[] = [];
  readonly #freeBuffersMax: number;
  #outstanding = 0;

  constructor(freeBuffersMax: number = POOL_FREE_BUFFERS_MAX) {
    this.#freeBuffersMax = freeBuffersMax;
  }

  /** Memory of at least `length` bytes, at most `FRAME_DATA_BYTES_MAX`, with one reference. Not zeroed. */
  take(length: number): PooledBytes {
    if (length <= EXACT_BYTES_MAX) return new PooledBytes(Buffer.allocUnsafe(length));
    const bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(FRAME_DATA_BYTES_MAX);
    this.#outstanding += 1;
    return new PooledBytes(bytes, this.#takeBack);
  }

  /** 1 MiB buffers taken and not yet back. */
  get outstandingCount(): number {
    return this.#outstanding;
  }

  get freeCount(): number {
    return this.#free.length;
  }

  readonly #takeBack = (bytes: Uint8Array): void => {
    this.#outstanding -= 1;
    if (this.#free.length < this.#freeBuffersMax) this.#free.push(bytes);
  };
}
