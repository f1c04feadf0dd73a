/**
 * What is known of single replicas beyond "as it should be". The logged membership says who should hold a chunk; only what
 * differs from it is kept here, so memory does not grow with the number of chunks.
 */
import { EXCEPTIONS_MAX } from '../limits.ts';

export type Exception = 'missing' | 'corrupt' | 'stale';

export class ReplicaConditions {
  readonly #byServer = new Map<number, Map<string, Exception>>();
  /** Runs when a replica stops being as it should be. */
  onWorse: (handle: string) => void = () => {};

  get(server: number, handle: string): Exception | undefined {
    return this.#byServer.get(server)?.get(handle);
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
    if (before !== exception) this.onWorse(handle);
  }

  clear(server: number, handle: string): void {
    this.#byServer.get(server)?.delete(handle);
  }

  /** Nothing is wrong on the server. */
  isEmpty(server: number): boolean {
    return (this.#byServer.get(server)?.size ?? 0) === 0;
  }

  /** Chunks with something wrong on a server. */
  handles(server: number): Iterable<string> {
    return this.#byServer.get(server)?.keys() ?? [];
  }

  /** A new inventory begins: what it finds replaces what was known, except rot, which it may not have met again. */
  restart(server: number): void {
    const known = this.#byServer.get(server);
    if (known === undefined) return;
    for (const [handle, exception] of known) if (exception !== 'corrupt') known.delete(handle);
  }
}
