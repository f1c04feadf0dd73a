/**
 * The content of one simulated state store: what its process sees, and an undo log back to what was flushed. A crash
 * falls back to the flushed state or, at random, to the end of any later batch; a batch is never torn.
 */
import { assert, type Key, type StateChange } from '@cairnfs/base';
import type { UnsyncedFate } from '../disk/sim-file.ts';
import { Memory } from '../memory.ts';
import type { SimRandom } from '../random.ts';
import { SortedKeys } from './sorted-keys.ts';

type Undo = { readonly key: Key; readonly old: Uint8Array | undefined };

export class StorePlatter {
  #values = new Map<Key, Uint8Array>();
  #keys = new SortedKeys();
  #unflushed: Undo[][] = [];
  #batchCount = 0;
  #sizeBytes = 0;
  #lent = new Uint8Array(0);
  readonly #memory: Memory;
  /** By a process that has not closed it: a second one would be two processes on one directory. */
  isOpen = false;

  constructor(memory = new Memory()) {
    this.#memory = memory;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Passed to `flushedThrough` later: all batches written until now. */
  get batchCount(): number {
    return this.#batchCount;
  }

  /** Valid until the next call, as the contract says: the memory is used again, so that who keeps it is found out. */
  get(key: Key): Uint8Array | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    if (value.length > this.#lent.length) this.#lent = new Uint8Array(2 * value.length);
    this.#lent.set(value);
    return this.#lent.subarray(0, value.length);
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    const entries: { key: Key; value: Uint8Array }[] = [];
    if (limit <= 0) return entries;
    for (const key of this.#keys.between(start, end, (candidate) => this.#values.has(candidate))) {
      entries.push({ key, value: this.#values.get(key)!.slice() });
      if (entries.length >= limit) break;
    }
    return entries;
  }

  write(changes: Iterable<StateChange>): void {
    const undo: Undo[] = [];
    for (const { key, value } of changes) {
      undo.push({ key, old: this.#values.get(key) });
      this.#set(key, value === undefined ? undefined : this.#memory.copy(value));
    }
    this.#unflushed.push(undo);
    this.#batchCount += 1;
  }

  /** Of all entries, also those that a crash may take. */
  sizes(): { key: Key; sizeBytes: number }[] {
    return [...this.#values].map(([key, { length }]) => ({ key, sizeBytes: length }));
  }

  /** At rest: nobody is told. */
  flipBit(key: Key, bitIndex: number): void {
    const value = this.#values.get(key);
    assert(value !== undefined && bitIndex < 8 * value.length, 'no content to damage');
    value[bitIndex >> 3]! ^= 1 << (bitIndex & 7);
  }

  flushedThrough(batchCount: number): void {
    const stayCount = Math.min(this.#unflushed.length, this.#batchCount - batchCount);
    this.#unflushed = this.#unflushed.slice(this.#unflushed.length - stayCount);
  }

  crash(fate: UnsyncedFate, random: SimRandom): void {
    this.isOpen = false;
    if (fate === 'keep') return; // the kernel holds them; a later loss of power may still take them
    const count = this.#unflushed.length;
    const keptCount = fate === 'lose' ? 0 : random.between(0, count);
    for (const batch of this.#unflushed.slice(keptCount).toReversed()) {
      for (const { key, old } of batch.toReversed()) this.#set(key, old);
    }
    this.#unflushed = [];
  }

  #set(key: Key, value: Uint8Array | undefined): void {
    const old = this.#values.get(key);
    if (old !== undefined) this.#sizeBytes -= key.length + old.length;
    if (value === undefined) {
      this.#values.delete(key);
      return;
    }
    if (old === undefined) this.#keys.add(key);
    this.#values.set(key, value);
    this.#sizeBytes += key.length + value.length;
  }
}
