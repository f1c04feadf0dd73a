/**
 * A map of bounded size for hot paths. Entries live in two generations: what is used moves to the young one, and when that
 * is full it becomes the old one, whose unused entries go. Unlike a map in order of use, a hit changes nothing, which is
 * some tens of times faster where tens of thousands of entries are kept.
 */
export class GenerationMap<K, V> {
  readonly #entriesMax: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** @param options.entriesMax of each generation. */
  constructor({ entriesMax }: { entriesMax: number }) {
    this.#entriesMax = entriesMax;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#entriesMax && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
