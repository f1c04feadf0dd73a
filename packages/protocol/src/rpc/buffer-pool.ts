/**
 * Memory for the raw data of frames. Bulk data takes 1 MiB buffers from a bounded free list, because allocating and
 * faulting in a fresh one costs as much as reading it; smaller data is allocated exactly and left to the garbage
 * collector. The buffers of the list lie at pages, so that disks can take them past the page cache; when all of them are
 * taken, further ones come from the heap and go back to it.
 */
import { type AllocatePages, allocatePageAligned } from '@cairnfs/base';
import { BLOCK_BYTES, FRAME_DATA_BYTES_MAX, POOL_FREE_BUFFERS_MAX } from '../limits.ts';
import { PooledBytes } from './pooled-bytes.ts';

/** Above it the data lies in a whole 1 MiB buffer, of which the operating system backs the part touched. */
const EXACT_BYTES_MAX = BLOCK_BYTES;
/** Allocated at once at most; each slab doubles the list, so that who moves little bulk data holds one or two. */
const SLAB_BUFFERS_MAX = 16;

export class BufferPool {
  readonly #free: Uint8Array[] = [];
  readonly #freeBuffersMax: number;
  readonly #allocatePages: AllocatePages;
  /** Page-aligned buffers made so far; they come back to the list, others are dropped. */
  #listed = 0;
  #outstanding = 0;
  /** Of buffers taken from now on. */
  #takeBack = this.#toBeTakenBack();

  constructor(options: { freeBuffersMax?: number; allocatePages?: AllocatePages | undefined } = {}) {
    this.#freeBuffersMax = options.freeBuffersMax ?? POOL_FREE_BUFFERS_MAX;
    this.#allocatePages = options.allocatePages ?? allocatePageAligned;
  }

  /** Memory of at least `length` bytes, at most `FRAME_DATA_BYTES_MAX`, with one reference. Not zeroed. */
  take(length: number): PooledBytes {
    if (length <= EXACT_BYTES_MAX) return new PooledBytes(Buffer.allocUnsafe(length));
    this.#outstanding += 1;
    if (this.#free.length === 0 && this.#listed < this.#freeBuffersMax) this.#addSlab();
    const bytes = this.#free.pop();
    if (bytes !== undefined) return new PooledBytes(bytes, this.#takeBack);
    return new PooledBytes(Buffer.allocUnsafeSlow(FRAME_DATA_BYTES_MAX), this.#drop);
  }

  /** 1 MiB buffers taken and not yet back. */
  get outstandingCount(): number {
    return this.#outstanding;
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** The last of the list is taken first, so that the memory of a slab is touched only as far as it is needed. */
  #addSlab(): void {
    const count = Math.min(Math.max(1, this.#listed), SLAB_BUFFERS_MAX, this.#freeBuffersMax - this.#listed);
    const slab = this.#allocatePages(count * FRAME_DATA_BYTES_MAX);
    for (let index = count - 1; index >= 0; index -= 1) {
      this.#free.push(slab.subarray(index * FRAME_DATA_BYTES_MAX, (index + 1) * FRAME_DATA_BYTES_MAX));
    }
    this.#listed += count;
  }

  /** Buffers that are taken now never come back to the list: somebody may use them beyond their release. */
  abandonTaken(): void {
    this.#listed = this.#free.length;
    this.#takeBack = this.#toBeTakenBack();
  }

  #toBeTakenBack(): (bytes: Uint8Array) => void {
    const takeBack = (bytes: Uint8Array): void => {
      this.#outstanding -= 1;
      if (takeBack === this.#takeBack) this.#free.push(bytes);
    };
    return takeBack;
  }

  readonly #drop = (): void => {
    this.#outstanding -= 1;
  };
}
