/**
 * Seeded randomness: sfc32 (Chris Doty-Humphrey's PractRand), 128 bits of state, period of 2^32 at the least. `fork`
 * gives every part of a simulation a stream of its own, so that a draw more in one place does not change all others.
 */
import { assert, crc32c, type Random, utf8Bytes } from '@cairnfs/base';

const WARM_UP_ROUNDS = 12; // until the seed has reached every bit of the state

export class SimRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  readonly #seed: number;

  /** @param stream tells apart sequences of the same seed. */
  constructor(seed: number, stream = '') {
    this.#seed = seed;
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = crc32c(utf8Bytes(stream)) | 0;
    for (let round = 0; round < WARM_UP_ROUNDS; round++) this.uint32();
  }

  /** Depends on the seed and the name only, not on what was drawn before. */
  fork(stream: string): SimRandom {
    return new SimRandom(this.#seed, stream);
  }

  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 4) {
      const word = this.uint32();
      for (let byte = 0; byte < 4 && index + byte < length; byte++) bytes[index + byte] = word >>> (8 * byte);
    }
    return bytes;
  }

  /** 0 <= ratio < 1. */
  ratio(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** True with the given probability; draws nothing when it is 0, so that switching a fault off costs no draw. */
  chance(probability: number): boolean {
    return probability > 0 && this.ratio() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    assert(low <= high, () => `no integer between ${low} and ${high}`);
    return low + Math.floor(this.ratio() * (high - low + 1));
  }

  /** A real number from `low` up to `high`. */
  uniform(low: number, high: number): number {
    return low + this.ratio() * (high - low);
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'nothing to pick from');
    return items[this.between(0, items.length - 1)]!;
  }
}
