/**
 * For each first byte of a key, one above which the tree has none. Most keys that a server looks for before it makes them
 * (chunks, whose handles are ordered by time) lie there, and the tree, at 20 µs a look, need not be asked.
 *
 * A key is noted before the transaction that puts it, and stays noted when it is removed: the answer errs to one side only.
 */
import { bytesToKey, type Key } from '@cairnfs/base';
import type { RootDatabase } from 'lmdb';

export class HighestKeys {
  readonly #byFirst = new Map<string, Key>();

  constructor(database: RootDatabase<Uint8Array, Buffer>) {
    let start: Buffer | undefined;
    while (true) {
      const [last] = database.getKeys({
        reverse: true,
        limit: 1,
        ...(start === undefined ? {} : { start, exclusiveStart: true }),
      });
      if (last === undefined) return;
      const key = bytesToKey(last);
      this.#byFirst.set(key[0]!, key);
      start = Buffer.from(key[0]!, 'latin1');
    }
  }

  /** Whether the tree surely has no such key. */
  isBeyond(key: Key): boolean {
    const highest = this.#byFirst.get(key[0]!);
    return highest === undefined || key > highest;
  }

  /** Whether the tree surely has no key from `start` on and before `end`: of those that begin with the same byte. */
  isRangeBeyond(start: Key, end: Key): boolean {
    return start.length > 0 && start[0] === end[0] && this.isBeyond(start);
  }

  /** It is about to be put. */
  note(key: Key): void {
    if (this.isBeyond(key)) this.#byFirst.set(key[0]!, key);
  }
}
