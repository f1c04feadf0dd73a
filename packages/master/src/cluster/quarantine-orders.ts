/**
 * Orders to quarantine that wait for a server's word that the replica is gone. Those about surplus copies are found by
 * their chunk too: while it has too few sound members, such a copy may be what is left of it (policy/repair.ts).
 *
 * Surplus copies may have to be kept for as long as repair takes, and there may be as many as a server has replicas: they
 * wait in a queue of their own, where they neither hold up other orders nor take their room.
 *
 * An order for which its queue has no room is not kept: until it is given the replica stays where it is, and an inventory of
 * its server, for which that is asked when there is room, brings the order again.
 */
import type { QuarantineOrder } from '@cairnfs/protocol';

export interface WaitingOrder {
  readonly order: QuarantineOrder;
  /** Of a surplus copy: it was asked for, and cannot be shown to hold what the chunk holds. */
  isRefused: boolean;
  /** Of a surplus copy: another one is to take its place. */
  isInTheWay: boolean;
}

type Queue = Map<string, WaitingOrder>;

/** The orders that wait for one server. */
interface Queues {
  /** Those about surplus copies that are in nobody's way. */
  readonly surplus: Queue;
  readonly others: Queue;
  /** Those of the two that had no room for an order. */
  readonly overfull: Set<Queue>;
}

export class QuarantineOrders {
  readonly #queueMax: number;
  readonly #byServer = new Map<number, Queues>();
  /** Servers with a surplus copy, by chunk. */
  readonly #surplus = new Map<string, Set<number>>();

  /** @param queueMax  orders in one queue of a server. */
  constructor(queueMax: number) {
    this.#queueMax = queueMax;
  }

  /**
   * In place of an earlier one about the same replica: given again for the same reason it keeps its turn. What was found out about a
   * surplus copy holds as long as it is one, for each attempt to take it back changes what it reports. Past the limit nothing is
   * added, and the earlier one stays.
   */
  add(server: number, order: QuarantineOrder): void {
    let queues = this.#byServer.get(server);
    if (queues === undefined) {
      queues = { surplus: new Map(), others: new Map(), overfull: new Set() };
      this.#byServer.set(server, queues);
    }
    const { handle, reason } = order;
    const before = this.get(server, handle);
    const known = before?.order.reason === reason ? before : undefined;
    const { isRefused = false, isInTheWay = false } = known ?? {};
    const queue = reason === 'surplus' && !isInTheWay ? queues.surplus : queues.others;
    if (queue.size >= this.#queueMax && !queue.has(handle)) {
      queues.overfull.add(queue);
      return;
    }
    if (known === undefined || !queue.has(handle)) this.delete(server, handle);
    queue.set(handle, { order, isRefused, isInTheWay });
    if (reason === 'surplus') this.#surplus.set(handle, (this.#surplus.get(handle) ?? new Set()).add(server));
  }

  delete(server: number, handle: string): void {
    const queues = this.#byServer.get(server);
    queues?.others.delete(handle);
    queues?.surplus.delete(handle);
    const holders = this.#surplus.get(handle);
    if (holders?.delete(server) && holders.size === 0) this.#surplus.delete(handle);
  }

  forget(server: number): void {
    const queues = this.#byServer.get(server);
    if (queues === undefined) return;
    for (const handle of [...queues.others.keys(), ...queues.surplus.keys()]) this.delete(server, handle);
    this.#byServer.delete(server);
  }

  get(server: number, handle: string): WaitingOrder | undefined {
    const queues = this.#byServer.get(server);
    return queues?.others.get(handle) ?? queues?.surplus.get(handle);
  }

  /** There is room again for what an inventory of the server would bring. */
  wantsInventory(server: number): boolean {
    const overfull = this.#byServer.get(server)?.overfull ?? [];
    return [...overfull].some((queue) => queue.size <= this.#queueMax / 2);
  }

  /** An inventory of the server begins: what there was no room for comes again. */
  reviewed(server: number): void {
    this.#byServer.get(server)?.overfull.clear();
  }

  isEmpty(server: number): boolean {
    const queues = this.#byServer.get(server);
    return queues === undefined || queues.surplus.size + queues.others.size === 0;
  }

  /** So many of each queue, the surplus copies last; of a queue those that were given, or put off, longest ago. */
  next(server: number, count: number): WaitingOrder[] {
    const queues = this.#byServer.get(server);
    return queues === undefined ? [] : [...front(queues.others, count), ...front(queues.surplus, count)];
  }

  /** It cannot be carried out yet: the rest of its queue goes before it. */
  putOff(server: number, handle: string): void {
    const queues = this.#byServer.get(server);
    const waiting = this.get(server, handle);
    if (queues === undefined || waiting === undefined) return;
    const queue = queues.others.has(handle) ? queues.others : queues.surplus;
    queue.delete(handle);
    queue.set(handle, waiting);
  }

  /**
   * Another copy is to take the place of the surplus one: it waits among the other orders. Where these have no room it keeps
   * its turn among the surplus copies, and is not kept back when that comes.
   */
  makeWay(server: number, handle: string): void {
    const queues = this.#byServer.get(server);
    const waiting = queues?.surplus.get(handle);
    if (queues === undefined || waiting === undefined) return;
    waiting.isInTheWay = true;
    if (queues.others.size >= this.#queueMax) return;
    queues.surplus.delete(handle);
    queues.others.set(handle, waiting);
  }

  /** Servers that have a surplus copy of the chunk. */
  holdersOf(handle: string): readonly number[] {
    return [...(this.#surplus.get(handle) ?? [])];
  }
}

function front(queue: Queue, count: number): WaitingOrder[] {
  const found: WaitingOrder[] = [];
  for (const waiting of queue.values()) {
    if (found.length === count) break;
    found.push(waiting);
  }
  return found;
}
