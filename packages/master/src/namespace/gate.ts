/**
 * Keeps work on the same key apart. Truncations take two: one by the operation, so that a retry is judged when its first
 * attempt has ended, and one by the inode, which keeps them apart from each other and from the calls that give out where
 * the file's bytes are: while a file is being cut, no location is given out that the cut would have to take back. Held in
 * memory: a truncation that a restart interrupts has changed nothing that anyone can see.
 */
export class Gate<K extends number | string> {
  readonly #holders = new Map<K, Promise<unknown>>();

  isHeld(key: K): boolean {
    return this.#holders.has(key);
  }

  /** Resolves when nobody holds the key, however the holders' work ended; who else waited may hold it by then. */
  async whenFree(key: K): Promise<void> {
    for (let holder = this.#holders.get(key); holder !== undefined; holder = this.#holders.get(key)) {
      await holder.catch(() => undefined); // its own caller hears of it
    }
  }

  /** Runs `work` while nobody else holds the key. */
  async hold<T>(key: K, work: () => Promise<T>): Promise<T> {
    // The check and the start are one step: of several that waited, one starts and the others wait again.
    while (this.isHeld(key)) await this.whenFree(key);
    const holder = work().finally(() => this.#holders.delete(key));
    this.#holders.set(key, holder);
    return holder;
  }
}
