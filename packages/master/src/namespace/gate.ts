/**
 * Keeps work on the same key apart. Truncations take two: one by the operation, so that a retry is judged when its first
 * attempt has ended, and one by the inode, which keeps them apart from each other and from the calls that give out where
 * the file's bytes are: while a file is being cut, no location is given out that the cut would have to take back. Held in
 * memory: a truncation that a restart interrupts has changed nothing that anyone can see. They come in turn, so the attempt that
 * somebody still waits for is the last of its operation.
 */
export class Gate<K extends number | string> {
  /** Of those who hold it or wait to, the one who came last. */
  readonly #last = new Map<K, Promise<unknown>>();

  isHeld(key: K): boolean {
    return this.#last.has(key);
  }

  /** Resolves when nobody holds the key or waits to, however their work ended. */
  async whenFree(key: K): Promise<void> {
    for (let last = this.#last.get(key); last !== undefined; last = this.#last.get(key)) {
      await last.catch(() => undefined); // its own caller hears of it
    }
  }

  /** Runs `work` when all that came before it have ended, in whatever way; at once where there are none. */
  hold<T>(key: K, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before === undefined ? work() : before.then(work, work);
    const last = running.finally(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    this.#last.set(key, last);
    return last;
  }
}
