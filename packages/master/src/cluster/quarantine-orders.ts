/**
 * Orders to quarantine that wait for a server's word that the replica is gone. Those about surplus copies are found by
 * their chunk too: while it has too few sound members, such a copy may be what is left of it (policy/repair.ts).
 */
import type { QuarantineOrder } from '@cairnfs/protocol';
import { QUARANTINE_QUEUE_MAX } from '../limits.ts';

export interface WaitingOrder {
  readonly order: QuarantineOrder;
  /** Of a surplus copy: it was asked for, and cannot be shown to hold what the chunk holds. */
  isRefused: boolean;
  /** Of a surplus copy: another one is to take its place. */
  isInTheWay: boolean;
}

export class QuarantineOrders {
  readonly #byServer = new Map<number, Map<string, WaitingOrder>>();
  /** Servers with a surplus copy, by chunk. */
  readonly #surplus = new Map<string, Set<number>>();

  /**
   * In place of an earlier one about the same replica; what was found out about a surplus copy holds as long as it is one, for
   * each attempt to take it back changes what it reports. Past the limit nothing is added.
   */
  add(server: number, order: QuarantineOrder): void {
    let queue = this.#byServer.get(server);
    if (queue === undefined) {
      queue = new Map();
      this.#byServer.set(server, queue);
    }
    const { handle, reason } = order;
    if (queue.size >= QUARANTINE_QUEUE_MAX && !queue.has(handle)) return;
    const before = queue.get(handle);
    const known = before?.order.reason === reason ? before : undefined;
    this.delete(server, handle);
    const { isRefused = false, isInTheWay = false } = known ?? {};
    queue.set(handle, { order, isRefused, isInTheWay });
    if (reason === 'surplus') this.#surplus.set(handle, (this.#surplus.get(handle) ?? new Set()).add(server));
  }

  delete(server: number, handle: string): void {
    this.#byServer.get(server)?.delete(handle);
    const holders = this.#surplus.get(handle);
    if (holders?.delete(server) && holders.size === 0) this.#surplus.delete(handle);
  }

  forget(server: number): void {
    for (const { order } of this.of(server)) this.delete(server, order.handle);
    this.#byServer.delete(server);
  }

  get(server: number, handle: string): WaitingOrder | undefined {
    return this.#byServer.get(server)?.get(handle);
  }

  isEmpty(server: number): boolean {
    return (this.#byServer.get(server)?.size ?? 0) === 0;
  }

  /** In the order they were given. */
  of(server: number): Iterable<WaitingOrder> {
    return this.#byServer.get(server)?.values() ?? [];
  }

  /** Servers that have a surplus copy of the chunk. */
  holdersOf(handle: string): readonly number[] {
    return [...(this.#surplus.get(handle) ?? [])];
  }
}
