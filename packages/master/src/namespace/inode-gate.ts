/**
 * Keeps truncations of a file apart from each other and from the calls that give out where its bytes are: while a file is
 * being cut, no location is given out that the cut would have to take back. Held in memory: a truncation that a restart
 * interrupts has changed nothing that anyone can see.
 */
export class InodeGate {
  readonly #holders = new Map<number, Promise<unknown>>();

  isHeld(inode: number): boolean {
    return this.#holders.has(inode);
  }

  /** Resolves when nobody holds the inode, however the holders' work ended; who else waited may hold it by then. */
  async whenFree(inode: number): Promise<void> {
    for (let holder = this.#holders.get(inode); holder !== undefined; holder = this.#holders.get(inode)) {
      await holder.catch(() => undefined); // its own caller hears of it
    }
  }

  /** Runs `work` while nobody else holds the inode. */
  async hold<T>(inode: number, work: () => Promise<T>): Promise<T> {
    // The check and the start are one step: of several that waited, one starts and the others wait again.
    while (this.isHeld(inode)) await this.whenFree(inode);
    const holder = work().finally(() => this.#holders.delete(inode));
    this.#holders.set(inode, holder);
    return holder;
  }
}
