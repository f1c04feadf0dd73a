/**
 * The durable state machine under master and chunkserver: a journal of records, and an ordered map that is what the
 * records made of it. Effects not yet durable, and durable ones not yet folded into the store, sit in an overlay.
 */
import type { FsError, Key } from '@cairnfs/base';

/** Position in the journal: 1 for the first record, then consecutive. 0: before all. */
export type Sequence = number;

/**
 * Which room of the journal a record may take. `common`: what lies before the reserve. `reserve`: that, and the reserve, which
 * is on the disk before any common record is taken, and survives a restart: for records that free space, or without which
 * none could be freed. More of them may wait to be folded, too, since a full disk may take nothing into the state.
 */
export type JournalRoom = 'common' | 'reserve';

/** What a transition reads and writes. Synchronous; reads see the overlay, then the store. */
export interface StateView {
  /** The value; must not be changed, and copied if it is to outlive this tick. */
  get(key: Key): Uint8Array | undefined;
  /** Entries with `start` <= key < `end`, in byte order, at most `limit`. */
  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[];
  /**
   * The highest sequence number among the effects this view has read, 0 when all it saw was folded: an answer made from
   * it may leave once `whenDurable(readSequence)` resolved. `Ledger.view()` makes a fresh one for each request.
   */
  readonly readSequence: Sequence;
}

export interface StateTransaction extends StateView {
  /** The ledger keeps `value`: do not change it afterwards. */
  put(key: Key, value: Uint8Array): void;
  remove(key: Key): void;
}

/**
 * Applies one record to the state: no clock, no I/O, no randomness, so that a replay gives the same state. A record
 * appended in several parts comes as one array here. `data` is what `append` was given as such.
 */
export type Apply = (transaction: StateTransaction, record: Uint8Array, sequence: Sequence, data?: Uint8Array) => void;

export interface LedgerOptions {
  /** Holds `journal/` and `state/`; the ledger owns it. */
  directory: string;
  apply: Apply;
  /**
   * Runs before records up to `through` are folded into the store, so that side effects they stand for elsewhere (chunk
   * files) are on disk first: after folding, a replay no longer repeats them.
   */
  beforeFold?: (through: Sequence) => Promise<void>;
  /** Called for each record replayed at open, after `apply`: to rebuild what lives only in memory. */
  onReplay?: (record: Uint8Array, sequence: Sequence, data?: Uint8Array) => void;
  /** Keys whose values are bulky (`StateStoreOptions`). */
  bulkyPrefixes?: readonly string[];
  /** The directory belongs to this purpose and format, for example 'master' 1: refused when it says otherwise. */
  format: { name: string; version: number };
}

/**
 * Invariants: records become durable in order; the store never holds effects of a record that is not durable; a segment
 * is removed only when the store has flushed everything in it.
 */
export interface Ledger {
  /** For one request's reads. */
  view(): StateView;
  /** One bulky value, without holding up the process while its disk is slow (`StateStore.load`). */
  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /**
   * Appends the record and applies it at once. Its effects are visible to every later view; the answer must wait for
   * `whenDurable` of the sequence returned. When it throws an `FsError`, nothing was applied: `OVERLOADED` when too much
   * is waiting for the disk (see limits.ts), `NO_SPACE` when the journal has no such room and cannot grow, `TOO_LARGE` past
   * `MAX_RECORD_BYTES`, `DISK_FAILED` after a failure, `UNAVAILABLE` when closed.
   *
   * @param record one part, or several parts that are one record. `apply` gets them copied together, the journal does
   *   not copy them: leave them unchanged until the record is durable.
   * @param data bytes that go with the record and are never copied: `apply` and `onReplay` get them apart from the
   *   record. Leave them unchanged until the record is durable.
   * @param room `common` unless told.
   */
  append(record: Uint8Array | readonly Uint8Array[], data?: Uint8Array, room?: JournalRoom): Sequence;
  /**
   * Resolves once every record up to `sequence` is on stable storage. Never rejects, and after a failure never resolves: for
   * a server whose process ends with its disk (`failed`), so that nothing is answered in between.
   */
  whenDurable(sequence: Sequence): Promise<void>;
  /**
   * As `whenDurable`, for a server that outlives its disk: runs exactly one of both, `durable` at once when it already is,
   * `failed` with `DISK_FAILED` when it will never be known to be. Then the record may be on the disk all the same.
   */
  onDurable(sequence: Sequence, durable: () => void, failed: (failure: FsError) => void): void;
  /** The caller found the disk failing elsewhere: from now on nothing becomes durable, and whoever waits is told. */
  fail(cause: unknown): void;
  readonly lastSequence: Sequence;
  readonly durableSequence: Sequence;
  readonly foldedSequence: Sequence;
  /** Folds everything durable, flushes the store and drops journal segments no longer needed. */
  checkpoint(): Promise<void>;
  /** Resolves with the error when the disk under it failed; nothing is acknowledged after that. */
  readonly failed: Promise<Error>;
  statistics(): LedgerStatistics;
  close(): Promise<void>;
}

/** Sizes at one moment. */
export interface LedgerStatistics {
  readonly journalBytes: number;
  readonly segmentCount: number;
  /** Records that wait for the disk. */
  readonly undurableRecords: number;
  /** Durable records that the store does not hold yet. */
  readonly unfoldedRecords: number;
  readonly overlayEntries: number;
  readonly overlayBytes: number;
  readonly stateBytes: number;
}
