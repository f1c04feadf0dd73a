/**
 * Servers that left a view, or whose chunk was forgotten, without a word of theirs: they do not know it. Before such a
 * server gets a lease again it promises what it missed: otherwise it would serve the old version to whoever still knows it.
 *
 * That a server missed something is logged, in the record by which it did; what it missed is listed in memory, up to a bound.
 * A list that is not whole, because it grew too long or a master before this one kept it, is made good by the server's
 * inventory (cluster/readmission.ts).
 */
import { FsError, isFsError } from '@cairnfs/base';
import { ChunkserverControlMethods, decodeMessage } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { Server } from '../gen/cairn/master/v1/state.ts';
import { CHUNKSERVER_CALL_TIMEOUT_MS, SERVERS_MAX } from '../limits.ts';
import { idOfServerKey, serverRange } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { mayHide } from './holdings.ts';

export interface Departure {
  readonly oldVersion: number;
  readonly newVersion: number;
}

export class Departures {
  readonly #context: MasterContext;
  readonly #byServer = new Map<number, Map<string, Departure>>();
  /** Servers that missed more than is listed here. */
  readonly #unlisted = new Set<number>();

  constructor(context: MasterContext) {
    this.#context = context;
    for (const { key, value } of context.decisions.read().range(serverRange, SERVERS_MAX)) {
      if (decodeMessage(Server, value).changedWhileAway) this.#unlisted.add(idOfServerKey(key));
    }
  }

  /** The server is to hear of this before it gets a lease; with what it missed of the chunk before, if that waits too. */
  add(server: number, handle: string, { oldVersion, newVersion }: Departure): void {
    let missed = this.#byServer.get(server);
    if (missed === undefined) {
      missed = new Map();
      this.#byServer.set(server, missed);
    }
    const before = missed.get(handle);
    missed.set(handle, {
      oldVersion: Math.min(oldVersion, before?.oldVersion ?? oldVersion),
      newVersion: Math.max(newVersion, before?.newVersion ?? newVersion),
    });
  }

  /**
   * What was added becomes so with the record of `transaction`: that the server has not heard of it is logged with it.
   * Nothing is, when the server was told meanwhile.
   */
  confirm(transaction: Transaction, server: number, handle: string, departure: Departure): void {
    const missed = this.#byServer.get(server);
    const waiting = missed?.get(handle);
    if (missed === undefined || waiting === undefined || waiting.newVersion < departure.newVersion) {
      // Told, while it could not find the replica.
      if (this.#unlisted.has(server)) mark(transaction, server);
      return;
    }
    mark(transaction, server);
    if (missed.size <= this.#context.config.bounds.departuresListedMax) return;
    // Nothing is lost by that: a server whose list is not whole gets no lease before its whole inventory was compared.
    missed.delete(handle);
    this.#unlisted.add(server);
  }

  /**
   * The server left a view and said that it has no replica, where there was one: a disk is lost. Should it come back, what
   * it holds has to be looked at first.
   */
  confirmLost(transaction: Transaction, server: number): void {
    mark(transaction, server);
    this.#unlisted.add(server);
  }

  /** The server cannot show all that it may hold: what it is told it may not find. */
  concealed(server: number): void {
    this.#unlisted.add(server);
  }

  /** The server missed more than `settle` tells it: only what it holds says the rest. */
  isUnlisted(server: number): boolean {
    return this.#unlisted.has(server);
  }

  /** All that the server holds was compared, and what is old was added here. */
  listed(server: number): void {
    this.#unlisted.delete(server);
  }

  /** The server is off the list; should it come back, what it missed is found by its inventory. */
  forget(server: number): void {
    this.#byServer.delete(server);
    this.#unlisted.delete(server);
  }

  /** What the server is still to be told. */
  count(server: number): number {
    return this.#byServer.get(server)?.size ?? 0;
  }

  /**
   * Tells the server all that is listed.
   *
   * @param onHidden  runs at once when it could not look for a replica: one on a disk that has failed it did not find, and has
   * promised nothing with it. It counts as one that missed more than is listed then, whatever comes of the others.
   * @throws FsError UNAVAILABLE  it did not answer; it stays without a lease.
   */
  async settle(server: number, address: string, onHidden: () => void = () => {}): Promise<void> {
    const missed = this.#byServer.get(server);
    if (missed === undefined) return;
    const queue = [...missed];
    const worker = async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const [handle, departure] = next;
        const isFound = await this.#tell(server, address, handle, departure);
        if (!isFound) {
          this.#unlisted.add(server);
          onHidden();
        }
        if (missed.get(handle) === departure) missed.delete(handle);
      }
    };
    await Promise.all(Array.from({ length: this.#context.config.bounds.departuresAtOnce }, worker));
  }

  /** @throws FsError UNAVAILABLE  a view changed without the server since `settle`. */
  checkSettled(server: number): void {
    const count = this.count(server);
    if (count === 0) this.#byServer.delete(server);
    else throw unsettled(server, `${count} views changed without it`);
  }

  /** @returns false: its replica may be where the server does not find it. */
  async #tell(server: number, address: string, handle: string, departure: Departure): Promise<boolean> {
    const { incarnation: masterSession, pool } = this.#context;
    const request = { handle, ...departure, removed: true, masterSession, serverId: server, committedSequence: 0 };
    try {
      const options = { timeoutMs: CHUNKSERVER_CALL_TIMEOUT_MS };
      await pool.channel(address).call(ChunkserverControlMethods.prepareView, request, options);
      return true;
    } catch (error) {
      // It has no replica and will make none, or has promised as much.
      if (isFsError(error, 'CHUNK_NOT_FOUND', 'STALE_VERSION')) return !mayHide(error);
      throw unsettled(server, `it could not be told that it left the view of chunk ${handle}: ${String(error)}`, error);
    }
  }
}

function mark(transaction: Transaction, server: number): void {
  const record = transaction.server(server);
  if (record === undefined || record.changedWhileAway) return;
  transaction.putServer(server, { ...record, changedWhileAway: true });
}

function unsettled(server: number, reason: string, cause?: unknown): FsError {
  return new FsError('UNAVAILABLE', `server ${server} gets no lease yet: ${reason}; register again`, { cause });
}
