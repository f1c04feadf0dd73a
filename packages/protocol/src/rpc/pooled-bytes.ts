/** A large buffer with a reference count: it returns to its pool when the last holder lets go. */
import { assert } from '@cairnfs/base';

export class PooledBytes {
  readonly bytes: Uint8Array;
  #references = 1;
  readonly #free: ((bytes: Uint8Array) => void) | undefined;

  /** @param free takes the buffer back; absent for memory that is simply left to the garbage collector. */
  constructor(bytes: Uint8Array, free?: (bytes: Uint8Array) => void) {
    this.bytes = bytes;
    this.#free = free;
  }

  retain(): this {
    assert(this.#references > 0, 'pooled bytes retained after their release');
    this.#references += 1;
    return this;
  }

  /** After the last release the bytes must not be touched: another frame will be read into them. */
  release(): void {
    assert(this.#references > 0, 'pooled bytes released twice');
    this.#references -= 1;
    if (this.#references === 0) this.#free?.(this.bytes);
  }
}
