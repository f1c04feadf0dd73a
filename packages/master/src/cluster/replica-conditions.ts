/**
 * What is known of single replicas beyond "as it should be". The logged membership says who should hold a chunk; only what
 * differs from it is kept here, so memory does not grow with the number of chunks.
 *
 * There is room for so many of each server. What finds none is not forgotten: an inventory goes in order of handle, so of all
 * the server's replicas from that handle on it is only kept that nobody can tell. They count as no copy and as no loss, and
 * the server is asked for its inventory again when there is room.
 */
export type Exception = 'missing' | 'corrupt' | 'stale';

export class ReplicaConditions {
  readonly #byServer = new Map<number, Map<string, Exception>>();
  /** Replicas that their servers did not show, and may have (unshown-replicas.ts). Those looked at longest ago first. */
  readonly #unshown = new Map<number, Set<string>>();
  /** The lowest handle for which there was no room: from it on nobody can tell of any. */
  readonly #untoldFrom = new Map<number, string>();
  readonly #limit: number;
  /** Runs when a replica stops being as it should be, or nobody can tell. */
  onWorse: (handle: string) => void = () => {};

  /** @param limit  replicas of one server of which something is known, and as many that it did not show. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(server: number, handle: string): Exception | undefined {
    return this.#byServer.get(server)?.get(handle);
  }

  /** Nobody can tell yet whether it is there. */
  isUnshown(server: number, handle: string): boolean {
    return this.#unshown.get(server)?.has(handle) ?? false;
  }

  /** Something is noted of the replica, whatever it comes to. */
  isMarked(server: number, handle: string): boolean {
    return (this.#byServer.get(server)?.has(handle) ?? false) || this.isUnshown(server, handle);
  }

  /** False past the limit: whether it is as it should be is not kept. */
  isTold(server: number, handle: string): boolean {
    const from = this.#untoldFrom.get(server);
    return from === undefined || handle < from;
  }

  /**
   * There is room again for what an inventory of the server would tell. It also makes what is known to be missing count as not
   * shown, until the server has been asked again: while that is still under way for others, none could ever be replaced.
   */
  wantsInventory(server: number): boolean {
    if (!this.#untoldFrom.has(server)) return false;
    const count = (this.#byServer.get(server)?.size ?? 0) + (this.#unshown.get(server)?.size ?? 0);
    return count <= this.#limit / 2;
  }

  notShown(server: number, handle: string): void {
    let unshown = this.#unshown.get(server);
    if (unshown === undefined) {
      unshown = new Set();
      this.#unshown.set(server, unshown);
    }
    if (unshown.has(handle)) return;
    if (unshown.size >= this.#limit) {
      this.#leaveUntold(server, handle);
      return;
    }
    unshown.add(handle);
    this.onWorse(handle);
  }

  /** Up to `count` of each server. */
  unshown(count: number): { server: number; handle: string }[] {
    return [...this.#unshown].flatMap(([server, handles]) => {
      const first: { server: number; handle: string }[] = [];
      for (const handle of handles.keys()) {
        if (first.length === count) break;
        first.push({ server, handle });
      }
      return first;
    });
  }

  /** The replica is looked at again after all others. */
  leftUnshown(server: number, handle: string): void {
    const unshown = this.#unshown.get(server);
    if (unshown?.delete(handle)) unshown.add(handle);
  }

  set(server: number, handle: string, exception: Exception): void {
    let known = this.#byServer.get(server);
    if (known === undefined) {
      known = new Map();
      this.#byServer.set(server, known);
    }
    if (known.size >= this.#limit && !known.has(handle)) {
      this.#leaveUntold(server, handle);
      return;
    }
    const before = known.get(handle);
    known.set(handle, exception);
    this.#unshown.get(server)?.delete(handle);
    if (before !== exception) this.onWorse(handle);
  }

  clear(server: number, handle: string): void {
    this.#byServer.get(server)?.delete(handle);
    this.#unshown.get(server)?.delete(handle);
  }

  forget(server: number): void {
    this.#byServer.delete(server);
    this.#unshown.delete(server);
    this.#untoldFrom.delete(server);
  }

  /** Nothing is noted of the server's replicas. */
  isEmpty(server: number): boolean {
    const count = (this.#byServer.get(server)?.size ?? 0) + (this.#unshown.get(server)?.size ?? 0);
    return count === 0 && !this.#untoldFrom.has(server);
  }

  /** Chunks with something wrong on a server, one server after the other; goes on through what changes meanwhile. */
  *handles(): Generator<string> {
    for (const known of this.#byServer.values()) yield* known.keys();
  }

  /**
   * An inventory has come to the handles behind `after` and up to `through`, or to the last: what it finds there replaces
   * what was known, except rot, which it may not have met again.
   */
  reviewed(server: number, after: string, through: string | undefined): void {
    const isReviewed = (handle: string) => handle > after && (through === undefined || handle <= through);
    for (const [handle, exception] of this.#byServer.get(server) ?? []) {
      if (exception !== 'corrupt' && isReviewed(handle)) this.#byServer.get(server)?.delete(handle);
    }
    for (const handle of this.#unshown.get(server)?.keys() ?? []) {
      if (isReviewed(handle)) this.#unshown.get(server)?.delete(handle);
    }
    // Parts come one behind the other, so those before this one have been told.
    const from = this.#untoldFrom.get(server);
    if (from === undefined || from <= after) return;
    if (through === undefined) this.#untoldFrom.delete(server);
    else if (from <= through) this.#untoldFrom.set(server, `${through}\0`);
  }

  #leaveUntold(server: number, handle: string): void {
    if (this.isTold(server, handle)) this.#untoldFrom.set(server, handle);
  }
}
