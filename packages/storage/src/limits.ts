/** Limits of the ledger: each with the sketch behind the number. Formats stand in docs/spec/journal.md. */
import { KiB, MiB } from '@cairnfs/base';

/**
 * One record, data included: eight times the largest frame's data, so that a batch of mutations fits, and small enough
 * that one record never holds the disk for more than some tens of milliseconds.
 */
export const MAX_RECORD_BYTES = 8 * MiB + 64 * KiB;

/**
 * A segment file, written full of zeros before its first record, so that a sync need not commit file system metadata.
 * A server at rest takes two, one of them the reserve; a busy one has one or two more and drops them as the store catches up.
 */
export const SEGMENT_BYTES = 16 * MiB;

/**
 * Prepared segments that only records of the class `reserve` may begin, so that a full disk takes deletions: 16 MiB are
 * tens of thousands of them, and each segment that the store has taken over makes room for another.
 */
export const RESERVED_SEGMENTS = 1;

/** Room written in one step while a segment is prepared: a few milliseconds of disk between two appends. */
export const PREPARE_STEP_BYTES = 1 * MiB;

/** The next segment is prepared when less room than this is left before the reserve: more than a record, and 20 ms at 600 MB/s. */
export const ROOM_AHEAD_BYTES = 12 * MiB;

/** Pause before preparing a segment is tried again on a full disk. */
export const PREPARE_RETRY_MS = 1_000;

/** Journal bytes waiting for the disk; past it appends are refused. About 100 ms of a good disk. */
export const JOURNAL_QUEUE_BYTES_MAX = 32 * MiB;

/** A part of a record up to this size is copied into the batch: cheaper than one more buffer for the system call. */
export const COPIED_PART_BYTES_MAX = 4 * KiB;

/** Headers and small parts of records are laid out in slabs of this size; a journal begins with a smaller one. */
export const SLAB_BYTES = 256 * KiB;
export const FIRST_SLAB_BYTES = 16 * KiB;

/** Durable records are folded into the store this often: long enough that hot keys coalesce, short for a replay. */
export const FOLD_INTERVAL_MS = 1_000;

/** Changes or bytes in the overlay at which folding does not wait for the interval. */
export const FOLD_EARLY_CHANGES = 50_000;
export const FOLD_EARLY_BYTES = 16 * MiB;

/** One transaction of folding: at 480,000 puts/s about 4 ms without other work. At least one record, whatever its size. */
export const FOLD_TRANSACTION_CHANGES = 2_000;
export const FOLD_TRANSACTION_BYTES = 2 * MiB;

/** What waits to be folded: changes and bytes in the overlay, and records, whether or not they changed anything. */
export interface Backlog {
  readonly changes: number;
  readonly bytes: number;
  readonly records: number;
}

/** Past any of these common records are refused: some 100 MiB of heap at 200 bytes a change. */
export const BACKLOG_MAX: Backlog = { changes: 400_000, bytes: 128 * MiB, records: 1_000_000 };

/**
 * How much more records of the class `reserve` may bring, so that a full disk takes deletions until the journal's reserve is
 * used up: its 16 MiB hold at most 350,000 records, and of the master's 30,000 deletions some 200,000 changes. Only those
 * that set aside chunks of up to 64 KiB from the index bring more bytes than they have: 2,000 of the largest.
 */
export const BACKLOG_RESERVE: Backlog = { changes: 400_000, bytes: 128 * MiB, records: 400_000 };

/** What an entry costs beside key and value: map slot, object, place in the order. */
export const OVERLAY_ENTRY_BYTES = 120;

/** Maps that the overlay's entries are spread over, a power of two: each has some 6,000 when the overlay is full. */
export const KEY_MAP_SHARDS = 64;

/** Keys of one block of the ordered key set: an insertion moves at most this many. */
export const KEY_BLOCK_LENGTH_MAX = 512;

/** Entries asked of the store at once when removals in the overlay hide what it returned: doubles up to this. */
export const RANGE_PAGE_MAX = 1_024;

/** How often a device is asked whether it still answers. */
export const DISK_TICK_MS = 1_000;

/** So many ticks pass between two probes of a device: one that nobody uses is noticed as well, and none is kept busy. */
export const DISK_PROBE_TICKS = 30;

/**
 * How long an operation of a disk may take unless the configuration says otherwise. A disk that is well takes milliseconds,
 * at the end of a long queue or for a transaction of folding seconds; one that repairs itself, or that the network
 * keeps away for a moment, may be back within half a minute. Readers do not wait for it: they ask another replica.
 */
export const DISK_TIMEOUT_MS = 60_000;

/** Sizes of a journal's files. Smaller ones than the default serve tests and simulations. */
export interface JournalSizing {
  segmentBytes: number;
  /** At most a segment minus its largest record, or a record may never fit. */
  roomAheadBytes: number;
}

export const DEFAULT_SIZING: JournalSizing = { segmentBytes: SEGMENT_BYTES, roomAheadBytes: ROOM_AHEAD_BYTES };
