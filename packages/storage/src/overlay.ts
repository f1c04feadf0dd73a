/**
 * The effects of records that the store does not hold yet. The newest value of each key is found through a map and an
 * ordered key set; every change also waits, in order of its record, to be folded. So folding a durable record writes what
 * that record made, even when a later record, not yet durable, has changed the key again.
 */
import { assert, type Key, type StateChange, type StateStore } from '@cairnfs/base';
import { KeyMap } from './key-map.ts';
import { FOLD_TRANSACTION_BYTES, FOLD_TRANSACTION_CHANGES, OVERLAY_ENTRY_BYTES, RANGE_PAGE_MAX } from './limits.ts';
import { OrderedKeys } from './ordered-keys.ts';
import type { Sequence } from './types.ts';

/** One change by one record; `value` undefined is a removal. The same object is the key's entry while it is the newest. */
export interface OverlayEntry {
  readonly key: Key;
  readonly value: Uint8Array | undefined;
  readonly sequence: Sequence;
}

/** What one transaction of folding writes, and the last record it completes. */
export interface FoldBatch {
  readonly through: Sequence;
  readonly changes: Map<Key, StateChange>;
  readonly changeCount: number;
}

export class Overlay {
  readonly #newest = new KeyMap<OverlayEntry>();
  readonly #order = new OrderedKeys();
  #changes: OverlayEntry[] = [];
  #firstChange = 0;
  #bytes = 0;

  /** Changes waiting to be folded. */
  get changeCount(): number {
    return this.#changes.length - this.#firstChange;
  }

  get entryCount(): number {
    return this.#newest.size;
  }

  /** Keys, values and a flat cost for each change waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: Key): OverlayEntry | undefined {
    return this.#newest.get(key);
  }

  /** Entries from `start` on in byte order, removals included. The overlay must not change during the walk. */
  *from(start: Key): Generator<OverlayEntry, undefined> {
    for (const key of this.#order.from(start)) yield this.#newest.get(key)!;
  }

  /** Records come in order: `sequence` is at or above all earlier ones. */
  set(key: Key, value: Uint8Array | undefined, sequence: Sequence): void {
    const entry: OverlayEntry = { key, value, sequence };
    if (!this.#newest.has(key)) this.#order.add(key);
    this.#newest.set(key, entry);
    this.#changes.push(entry);
    this.#bytes += entryBytes(entry);
  }

  /**
   * The changes of the oldest records up to `through`, as many as fit one transaction, whole records only, the last
   * change of each key. Stays in the overlay until `drop`.
   */
  takeBatch(through: Sequence): FoldBatch {
    const changes = new Map<Key, StateChange>();
    let bytes = 0;
    let index = this.#firstChange;
    let last: Sequence = 0;
    for (; index < this.#changes.length; index++) {
      const entry = this.#changes[index]!;
      if (entry.sequence > through) break;
      const isFull = index - this.#firstChange >= FOLD_TRANSACTION_CHANGES || bytes >= FOLD_TRANSACTION_BYTES;
      if (isFull && entry.sequence !== last) return { through: last, changes, changeCount: index - this.#firstChange };
      changes.set(entry.key, entry);
      bytes += entryBytes(entry);
      last = entry.sequence;
    }
    return { through, changes, changeCount: index - this.#firstChange };
  }

  /** Forgets a batch that the store now holds. */
  drop(batch: FoldBatch): void {
    const end = this.#firstChange + batch.changeCount;
    assert(end <= this.#changes.length, () => `dropping ${batch.changeCount} of ${this.changeCount} changes`);
    for (let index = this.#firstChange; index < end; index++) {
      const entry = this.#changes[index]!;
      this.#bytes -= entryBytes(entry);
      if (this.#newest.get(entry.key) !== entry) continue; // a later record changed the key again
      this.#newest.delete(entry.key);
      this.#order.remove(entry.key);
    }
    this.#firstChange = end;
    if (this.#firstChange * 2 < this.#changes.length) return;
    this.#changes = this.#changes.slice(this.#firstChange); // amortised: at least half of it was dropped
    this.#firstChange = 0;
  }
}

/**
 * Live entries of overlay over store with `start` <= key < `end`, at most `limit`.
 *
 * @param seen runs with the sequence of every overlay entry that shaped the answer, removals included.
 */
export function mergeRange(
  { overlay, store }: { overlay: Overlay; store: Pick<StateStore, 'range'> },
  { start, end, limit }: { start: Key; end: Key; limit: number },
  seen: (sequence: Sequence) => void,
): { key: Key; value: Uint8Array }[] {
  const found: { key: Key; value: Uint8Array }[] = [];
  const above = overlay.from(start);
  let upper = above.next().value;
  let from = start;
  let wanted = limit;
  for (; found.length < limit && from < end; wanted = Math.min(wanted * 2, RANGE_PAGE_MAX)) {
    wanted = Math.max(wanted, limit - found.length);
    const page = store.range(from, end, wanted);
    // Beyond the last key of a full page the store may hold more, so overlay entries up to it only are in order yet.
    const pageEnd = page.length < wanted ? end : `${page.at(-1)!.key}\0`;
    for (const lower of page) {
      while (upper !== undefined && upper.key < lower.key && found.length < limit) upper = takeUpper(upper);
      if (found.length === limit) return found;
      if (upper?.key === lower.key) upper = takeUpper(upper);
      else found.push(lower);
    }
    while (upper !== undefined && upper.key < pageEnd && found.length < limit) upper = takeUpper(upper);
    from = pageEnd;
  }
  return found;

  function takeUpper({ key, value, sequence }: OverlayEntry): OverlayEntry | undefined {
    seen(sequence);
    if (value !== undefined) found.push({ key, value });
    return above.next().value;
  }
}

function entryBytes({ key, value }: OverlayEntry): number {
  return OVERLAY_ENTRY_BYTES + key.length + (value === undefined ? 0 : value.length);
}
