/** A map of bounded size: when it is full, the entry used least recently makes room. */
import { assert } from './assert.ts';

export interface LruMapOptions<K, V> {
  entriesMax: number;
  /** Runs for an entry pushed out by a newer one; not for `delete` and `clear`. */
  onEvict?: (key: K, value: V) => void;
}

export class LruMap<K, V> {
  // A Map iterates in insertion order, so re-inserting on use keeps the oldest first.
  readonly #entries = new Map<K, V>();
  readonly #entriesMax: number;
  readonly #onEvict: ((key: K, value: V) => void) | undefined;

  constructor({ entriesMax, onEvict }: LruMapOptions<K, V>) {
    assert(Number.isSafeInteger(entriesMax) && entriesMax > 0, () => `a map bounded to ${entriesMax} entries`);
    this.#entriesMax = entriesMax;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Counts as use. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined && !this.#entries.has(key)) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value as V);
    return value;
  }

  /** Does not count as use. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#entriesMax) return;
    for (const [oldestKey, oldestValue] of this.#entries) {
      this.#entries.delete(oldestKey);
      this.#onEvict?.(oldestKey, oldestValue);
      break;
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Least recently used first. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries[Symbol.iterator]();
  }
}
