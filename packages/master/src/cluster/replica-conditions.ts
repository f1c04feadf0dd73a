/**
 * What is known of single replicas beyond "as it should be". The logged membership says who should hold a chunk; only what
 * differs from it is kept here, so memory does not grow with the number of chunks.
 */
import { EXCEPTIONS_MAX } from '../limits.ts';

export type Exception = 'missing' | 'corrupt' | 'stale';

export class ReplicaConditions {
  readonly #byServer = new Map<number, Map<string, Exception>>();
  /**
   * Replicas that their servers did not show, of chunks of which the log could not say whether they were ever written: one
   * that was has lost a copy. Those looked at longest ago first.
   */
  readonly #unshown = new Map<number, Set<string>>();
  /** Runs when a replica stops being as it should be, or nobody can tell. */
  onWorse: (handle: string) => void = () => {};

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

  notShown(server: number, handle: string): void {
    let unshown = this.#unshown.get(server);
    if (unshown === undefined) {
      unshown = new Set();
      this.#unshown.set(server, unshown);
    }
    if (unshown.size >= EXCEPTIONS_MAX || unshown.has(handle)) return;
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
    // Past the limit a server is as good as lost; its next inventory says the rest once these are repaired.
    if (known.size >= EXCEPTIONS_MAX && !known.has(handle)) return;
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
  }

  /** Nothing is noted of the server's replicas. */
  isEmpty(server: number): boolean {
    return (this.#byServer.get(server)?.size ?? 0) === 0 && (this.#unshown.get(server)?.size ?? 0) === 0;
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
  }
}
