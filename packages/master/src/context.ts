/** What the parts of the master know of each other. */
import type { ProcessCalendar, Seams } from '@cairnfs/base';
import type { RpcPool } from '@cairnfs/protocol';
import type { Ledger } from '@cairnfs/storage';
import type { MasterConfig } from './config.ts';
import type { FileLayout } from './namespace/file-layout.ts';
import type { Transaction } from './state/transaction.ts';
import type { UploadPlans } from './upload/upload-plans.ts';

/**
 * Decides and makes durable. `decide` runs at once and synchronously; what it wrote is one record of the operation log.
 * Whoever sees the changes before they are durable waits for them too.
 */
export interface Decisions {
  /** Resolves with what `decide` returned, once everything it wrote, and everything it read, is durable. */
  perform<T>(operation: string, decide: (transaction: Transaction) => T): Promise<T>;
  /**
   * As `perform`, for an answer that promises nothing: it leaves before what was written or read is durable. Whatever is
   * decided later is durable later, so nothing that builds on it can outlive it.
   */
  propose<T>(operation: string, decide: (transaction: Transaction) => T): Promise<T>;
  /** A transaction to read from, in this tick. */
  read(): Transaction;
  /** Resolves when what the transaction has read is durable; synchronously `undefined` when it already is. */
  settled(transaction: Transaction): Promise<void> | undefined;
  /**
   * What `find` finds in the transaction. Its refusal tells of what the transaction has read, too: it is thrown at once, or
   * by the promise, when that is durable.
   */
  find<T>(transaction: Transaction, find: (transaction: Transaction) => T): T | Promise<never>;
}

export interface PlacementRequest {
  /** Chunks to place. */
  readonly count: number;
  /** Copies of each. */
  readonly replicas: number;
  /** Fewer than this: NOT_ENOUGH_SERVERS. */
  readonly minimum: number;
  readonly avoid: ReadonlySet<number>;
  /** Servers that hold the chunk already: their racks and hosts count as taken. */
  readonly besides?: readonly number[];
}

export interface Placement {
  /**
   * Servers for each chunk, primary first; up to `replicas`, at least `minimum`.
   *
   * @throws FsError NOT_ENOUGH_SERVERS, with how many are live and needed; NO_SPACE when they are full.
   */
  place(request: PlacementRequest): number[][];
  /**
   * Of a server just placed on, the disk on which it makes its replica of a chunk that is opened at once: the one with the most
   * room, rather none that did not take one just now. Empty when it has told none.
   */
  disk(server: number): string;
}

/** `unreachable`: out of touch, or not yet reported after a start. */
export type ReplicaCondition = 'live' | 'unreachable' | 'missing' | 'corrupt' | 'stale';

export interface Cluster {
  /** host:port of the server, also of one out of touch; empty when it was never known. */
  address(server: number): string;
  /** In touch: its server lease may hold. */
  isLive(server: number): boolean;
  replica(server: number, handle: string): ReplicaCondition;
}

/** The end of a chunk that may still be open. */
export interface OpenEnd {
  readonly length: number;
  /** When its primary changed it last, by that server's calendar; undefined when it did not. */
  readonly changedMs: number | undefined;
}

/** A chunk that stays closed. */
export interface KeptClosed {
  /** Opens it to those who wait; running it again is fine. */
  end(): void;
}

export interface Views {
  /**
   * A chunk that can be mutated: `open` is logged, its view is confirmed and every member is live.
   *
   * @param suspected servers the client could not reach: checked, not believed.
   * @throws FsError VIEW_TOO_SMALL, UNAVAILABLE (also of one that is kept closed), CHUNK_NOT_FOUND
   */
  open(handle: string, suspected: readonly number[]): Promise<void>;
  /** Ends the chunk's lease and settles its length; the chunk is closed (and sealed) in the state when it resolves. */
  close(handle: string, options: { seal: boolean }): Promise<void>;
  /** From now on, for so long at most, nobody opens the chunk again: who wants to waits. One at a time for each chunk. */
  keepClosed(handle: string, ms: number): KeptClosed;
  /**
   * Where it ends now: asked of the primary when the chunk is open. Undefined when no file has it any more: where it ended
   * when its file was deleted or replaced, nobody asked.
   */
  end(handle: string): Promise<OpenEnd | undefined>;
  /** Whether it is open, its view is confirmed, and its primary, which is live, does not lead it: others may only have promised that view. */
  waitsForPrimary(handle: string): boolean;
  /** From when it resolves, no replica serves the chunk at any version given out before. */
  retire(handles: readonly string[]): Promise<void>;
}

export interface SafeMode {
  readonly isActive: boolean;
  /** What it waits for; empty outside. */
  readonly reason: string;
}

export interface MasterContext {
  readonly seams: Seams;
  readonly config: MasterConfig;
  readonly ledger: Ledger;
  readonly decisions: Decisions;
  readonly pool: RpcPool;
  readonly clusterId: string;
  readonly layout: FileLayout;
  readonly plans: UploadPlans;
  /** Higher than that of any earlier run of this master; sessions and plans are numbered under it. */
  readonly incarnation: number;
  readonly startedAtMs: number; // monotonic
  readonly startedWallMs: number;
  /** For what is remembered across restarts. */
  readonly calendar: ProcessCalendar;
}

/** The parts, each built from the context; namespace and uploads use the others through these interfaces. */
export interface MasterParts {
  readonly placement: Placement;
  readonly cluster: Cluster;
  readonly views: Views;
  readonly safeMode: SafeMode;
}
