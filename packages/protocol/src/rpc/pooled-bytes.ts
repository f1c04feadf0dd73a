/** A large buffer with a reference count: it returns to its pool when the last holder lets go. */
import { assert } from '@cairnfs/base';

export class PooledBytes {
  readonly bytes: Uint8Array;
  /** Something else may be read into the bytes after their release. */
  readonly isReused: boolean;
  #references = 1;
  readonly #free: ((bytes: Uint8Array) => void) | undefined;

  /** @param free is told of the last release; absent where nobody counts. */
  constructor(bytes: Uint8Array, free?: (bytes: Uint8Array) => void, isReused = free !== undefined) {
    this.bytes = bytes;
    this.isReused = isReused;
    this.#free = free;
  }

  retain(): this {
    assert(this.#references > 0, 'pooled bytes retained after their release');
    this.#references += 1;
    return this;
  }

  /**
   * `part` of the bytes as it stays beyond the release: the same memory where nobody uses that again and the part is half
   * of it at least, otherwise a copy.
   */
  keep(part: Uint8Array): Uint8Array {
    const isWorthIt = !this.isReused && 2 * part.length >= part.buffer.byteLength;
    return isWorthIt ? part : new Uint8Array(part);
  }

  /** After the last release the bytes must not be touched, but for what is kept: another frame will be read into them. */
  release(): void {
    assert(this.#references > 0, 'pooled bytes released twice');
    this.#references -= 1;
    if (this.#references === 0) this.#free?.(this.bytes);
  }
}
