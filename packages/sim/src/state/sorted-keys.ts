/**
 * The keys of a map in order, for range scans. New keys gather unsorted and are merged in when a scan needs the order.
 */
import type { Key } from '@cairnfs/base';

export class SortedKeys {
  #sorted: Key[] = [];
  #added = new Set<Key>();

  add(key: Key): void {
    this.#added.add(key);
  }

  /**
   * Keys with `start` <= key < `end`, in order, each once.
   *
   * @param has tells which keys still exist; those that do not are forgotten at the next merge.
   */
  *between(start: Key, end: Key, has: (key: Key) => boolean): Generator<Key> {
    if (this.#added.size > 0) this.#merge(has);
    const sorted = this.#sorted;
    for (let index = firstAtLeast(sorted, start); index < sorted.length; index++) {
      const key = sorted[index]!;
      if (key >= end) return;
      if (has(key)) yield key;
    }
  }

  #merge(has: (key: Key) => boolean): void {
    const added = [...this.#added].sort();
    this.#added = new Set();
    const merged: Key[] = [];
    let index = 0;
    for (const key of this.#sorted) {
      while (index < added.length && added[index]! < key) merged.push(added[index++]!);
      if (added[index] === key) index++;
      if (has(key)) merged.push(key);
    }
    while (index < added.length) merged.push(added[index++]!);
    this.#sorted = merged;
  }
}

function firstAtLeast(sorted: readonly Key[], start: Key): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
