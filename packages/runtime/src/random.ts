import { randomFillSync } from 'node:crypto';
import { getU32LE, type Random } from '@cairnfs/base';
import { RANDOM_POOL_BYTES } from './limits.ts';

/** Cryptographic randomness, fetched from the system in larger pieces. No byte is ever given out twice. */
export class RuntimeRandom implements Random {
  readonly #pool = new Uint8Array(RANDOM_POOL_BYTES);
  #used = RANDOM_POOL_BYTES;

  uint32(): number {
    return getU32LE(this.#take(4), 0);
  }

  bytes(length: number): Uint8Array {
    if (length > RANDOM_POOL_BYTES) return randomFillSync(new Uint8Array(length));
    return this.#take(length).slice();
  }

  #take(length: number): Uint8Array {
    if (this.#used + length > RANDOM_POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    this.#used += length;
    return this.#pool.subarray(this.#used - length, this.#used);
  }
}
