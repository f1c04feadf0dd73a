/**
 * Exactly once (docs/protocol.md): which operations of which clients this chunk holds, staged or committed, and where
 * their bytes went. A retry finds its first try here. Plain data in memory; it is persisted, replicated and cloned with
 * the mutations themselves, and an operation leaves it when its mutation is dropped.
 *
 * That a result was forgotten is kept longer than the result: wherever entries are written down or cloned, what is known of
 * their clients goes along, so that an operation settled before a restart or a clone cannot be applied again after it.
 *
 * Invariants: at most `OPERATION_WINDOW` results of one client, whose numbers lie within one window below its highest; a
 * client is forgotten only after `OPERATION_MEMORY_MS` without an operation, so a number that is neither present nor
 * below the client's window was never applied here.
 */
import { FsError } from '@cairnfs/base';
import { OPERATION_MEMORY_MS, OPERATION_WINDOW } from '@cairnfs/protocol';
import { OPERATION_CLIENTS_MAX, OPERATION_RESULTS_MAX } from './limits.ts';

/** 16 bytes of a client, one character each, so that a `Map` can hold them. */
export type ClientKey = string;

export interface Operation {
  readonly client: ClientKey;
  /** Counts from 1. */
  readonly number: number;
  readonly settledBelow: number;
}

export interface OperationResult {
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
}

/** A result with its owner, as it is persisted and cloned; `atMs` is on the clock of `now` below. */
export interface OperationEntry extends OperationResult {
  readonly client: ClientKey;
  readonly number: number;
  readonly atMs: number;
}

/** What is known of a client beside its results, as it is persisted and cloned. */
export interface ClientWindow {
  readonly client: ClientKey;
  /** Results of numbers below were forgotten. */
  readonly forgottenBelow: number;
  readonly atMs: number;
}

interface ClientOperations {
  /** Numbers below are outside the window or settled at the client. */
  forgottenBelow: number;
  highest: number;
  lastAtMs: number;
  readonly results: Map<number, OperationResult>;
}

/** An operation table as it is persisted and cloned. */
export interface StoredOperations {
  readonly entries: readonly OperationEntry[];
  readonly windows: readonly ClientWindow[];
}

export class OperationTable {
  /** In order of last use, the oldest first. */
  readonly #clients = new Map<ClientKey, ClientOperations>();
  #resultCount = 0;

  get clientCount(): number {
    return this.#clients.size;
  }

  get resultCount(): number {
    return this.#resultCount;
  }

  /**
   * The result of an earlier try (staged or committed: its sequence tells), or undefined when the operation is new.
   *
   * @throws FsError OUTCOME_EXPIRED  the result may have been forgotten.
   */
  lookup({ client, number }: Operation): OperationResult | undefined {
    const operations = this.#clients.get(client);
    if (operations === undefined) return undefined;
    const result = operations.results.get(number);
    if (result !== undefined) return result;
    if (number >= operations.forgottenBelow) return undefined;
    throw new FsError(
      'OUTCOME_EXPIRED',
      `the outcome of operation ${number} is no longer known: this chunk remembers the client's operations from ` +
        `${operations.forgottenBelow} on; read the file to see whether it was applied`,
      { details: { number, rememberedFrom: operations.forgottenBelow } },
    );
  }

  /** Whether it is staged or committed here. */
  has({ client, number }: Operation): boolean {
    return this.#clients.get(client)?.results.has(number) ?? false;
  }

  /** Whether one more operation of this client fits. Forgets clients whose memory ended to make room. */
  hasRoom(client: ClientKey, nowMs: number): boolean {
    this.#forget(nowMs);
    const clientFits = this.#clients.has(client) || this.#clients.size < OPERATION_CLIENTS_MAX;
    return clientFits && this.#resultCount < OPERATION_RESULTS_MAX;
  }

  /**
   * Records an operation with its staged mutation. Where the primary has forgotten the client, and it is still known here, the
   * operation takes the place of the one that had its number before: which of them are new the primary alone decides.
   */
  add(operation: Operation, result: OperationResult, nowMs: number): void {
    const { client, number, settledBelow } = operation;
    let operations = this.#clients.get(client);
    if (operations === undefined) {
      this.#forget(nowMs); // who never leads the chunk is not asked for room
      operations = { forgottenBelow: 0, highest: 0, lastAtMs: nowMs, results: new Map() };
    } else this.#clients.delete(client); // put back behind the others: it is the one used last
    this.#clients.set(client, operations);
    if (operations.results.delete(number)) this.#resultCount -= 1;
    operations.results.set(number, result);
    this.#resultCount += 1;
    operations.lastAtMs = nowMs;
    operations.highest = Math.max(operations.highest, number);
    const windowStart = operations.highest - OPERATION_WINDOW + 1;
    // A client that calls an operation settled while it sends it contradicts itself; its own result stays.
    const settled = Math.min(settledBelow, number);
    if (Math.max(windowStart, settled) <= operations.forgottenBelow) return;
    operations.forgottenBelow = Math.max(windowStart, settled);
    this.#trim(operations);
  }

  /** Forgets the operation of a mutation that was dropped: a retry is new again. */
  drop({ client, number }: { client: ClientKey; number: number }, sequence: number): void {
    const operations = this.#clients.get(client);
    if (operations?.results.get(number)?.sequence !== sequence) return;
    operations.results.delete(number);
    this.#resultCount -= 1;
  }

  /** Results up to `committedSequence`, in no particular order: what a clone takes along. */
  entries(committedSequence: number): OperationEntry[] {
    const entries: OperationEntry[] = [];
    for (const [client, { results, lastAtMs }] of this.#clients) {
      for (const [number, result] of results) {
        if (result.sequence <= committedSequence) entries.push({ client, number, ...result, atMs: lastAtMs });
      }
    }
    return entries;
  }

  window(client: ClientKey): ClientWindow | undefined {
    const operations = this.#clients.get(client);
    return operations && { client, forgottenBelow: operations.forgottenBelow, atMs: operations.lastAtMs };
  }

  /** Of every client of which results were forgotten: what a clone takes along. */
  windows(): ClientWindow[] {
    const windows: ClientWindow[] = [];
    for (const [client, { forgottenBelow, lastAtMs: atMs }] of this.#clients) {
      if (forgottenBelow > 0) windows.push({ client, forgottenBelow, atMs });
    }
    return windows;
  }

  /** Takes over what was persisted or cloned. What is of a future clock counts as of now. */
  load({ entries, windows }: StoredOperations, nowMs: number): void {
    // Clients come in order of last use: `#forget` ends at the first that is remembered.
    const ordered = [...entries, ...windows].sort((a, b) => a.atMs - b.atMs);
    for (const item of ordered) {
      const { client } = item;
      const atMs = Math.min(item.atMs, nowMs);
      if (!('number' in item)) this.#loadWindow(item, atMs);
      else if (!this.#clients.get(client)?.results.has(item.number)) {
        const { number, sequence, offset, length } = item;
        this.add({ client, number, settledBelow: 0 }, { sequence, offset, length }, atMs);
      }
    }
  }

  #loadWindow({ client, forgottenBelow }: ClientWindow, atMs: number): void {
    const operations = this.#clients.get(client) ?? {
      forgottenBelow: 0,
      highest: 0,
      lastAtMs: atMs,
      results: new Map(),
    };
    this.#clients.delete(client);
    this.#clients.set(client, operations);
    operations.lastAtMs = atMs;
    operations.forgottenBelow = Math.max(operations.forgottenBelow, forgottenBelow);
    this.#trim(operations);
  }

  #trim(operations: ClientOperations): void {
    for (const number of operations.results.keys()) {
      if (number >= operations.forgottenBelow) {
        // Numbers mostly come in order, so the old ones lie in front.
        if (operations.results.size <= OPERATION_WINDOW) return;
        continue;
      }
      operations.results.delete(number);
      this.#resultCount -= 1;
    }
  }

  #forget(nowMs: number): void {
    for (const [client, operations] of this.#clients) {
      if (operations.lastAtMs + OPERATION_MEMORY_MS > nowMs) return;
      this.#clients.delete(client);
      this.#resultCount -= operations.results.size;
    }
  }
}
