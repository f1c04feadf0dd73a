/**
 * A map by key, spread over many small ones. A `Map` that has grown past its room is rehashed within one insertion, which
 * takes a tenth of a second or more at some 100,000 entries: no event loop may stand still for that.
 */
import type { Key } from '@cairnfs/base';
import { KEY_MAP_SHARDS } from './limits.ts';

export class KeyMap<Value> {
  readonly #shards = Array.from({ length: KEY_MAP_SHARDS }, () => new Map<Key, Value>());

  get size(): number {
    return this.#shards.reduce((sum, { size }) => sum + size, 0);
  }

  /** Of the largest shard: what one insertion may have to rehash. */
  get largestShardSize(): number {
    return Math.max(...this.#shards.map(({ size }) => size));
  }

  has(key: Key): boolean {
    return this.#shard(key).has(key);
  }

  get(key: Key): Value | undefined {
    return this.#shard(key).get(key);
  }

  set(key: Key, value: Value): void {
    this.#shard(key).set(key, value);
  }

  delete(key: Key): void {
    this.#shard(key).delete(key);
  }

  /** Keys end in what counts up, or have it in their middle: an inode before the offset, a random part of a handle. */
  #shard(key: Key): Map<Key, Value> {
    const last = key.length - 1;
    return this.#shards[(key.charCodeAt(last) ^ key.charCodeAt(key.length >> 1)) & (KEY_MAP_SHARDS - 1)]!;
  }
}
