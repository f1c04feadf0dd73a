/** Bounds of the chunkserver around its mutations (those are in mutation/limits.ts), each with the sketch behind it. */
import { MiB } from '@cairnfs/base';

/** Replicas held in memory beside those at work: about 1 KiB each, block checksums of a full chunk 4 KiB more. */
export const REPLICAS_CACHED_MAX = 16_384;
/** A replica that a view or a mutation touched stays in memory for longer than a chunk lease lasts. */
export const REPLICA_PINNED_MS = 70_000;
/** Replicas of a disk looked over at a time at the start: some 10 ms, 1 MiB of memory. */
export const STOCK_PAGE_REPLICAS = 1_024;
/** How long a start waits for a journal that refuses for the moment: far longer than one takes for its next segment. */
export const STOCK_PATIENCE_MS = 10_000;
/** Chunks of one disk whose bulk reads are remembered: 1 TiB of data read lately, some 2 MiB of memory. */
export const READ_HISTORY_CHUNKS_MAX = 16_384;
/**
 * Calls that read from one disk, those that wait for it included, and the memory they hold. Half of what all answers of a
 * server may hold (`SERVER_ANSWER_BYTES_MAX`), so that a disk that hangs leaves the other half to the others; a slow one
 * (50 MB/s) reads as much in 1.3 s.
 */
export const DISK_READS_MAX = 4_096;
export const DISK_READ_BYTES_MAX = 64 * MiB;
/** Frames of uploads that one disk writes, or that wait for it. Their bytes are bounded where they are received. */
export const DISK_FRAMES_MAX = 4_096;
/** Chunk files open at a time on one disk, with up to two descriptors each. */
export const OPEN_FILES_MAX = 512;

/** Frames of an upload that arrive before those below them (docs/protocol.md, "Uploads"). */
export const UPLOAD_WINDOW_BYTES = 16 * MiB;
/** Uploads under way: a frame of each in memory at most. */
export const UPLOADS_MAX = 4_096;
/** An upload without a frame for so long is forgotten in memory; what is durable stays. Twice the master's patience. */
export const UPLOAD_IDLE_MS = 120_000;
/** What forwarding a frame may take: less than a client's patience, so that the client learns which member failed. */
export const FORWARD_TIMEOUT_MS = 15_000;

/** Committed bytes of one replica that wait to be put in place; past it they are at once. */
export const UNSETTLED_BYTES_MAX = 8 * MiB;
/**
 * The same of all replicas: where the disk finds places more slowly than its journal takes mutations, these are refused for
 * the moment. What they hold in memory stays well below 300 MiB with all else.
 */
export const UNSETTLED_BYTES_TOTAL_MAX = 128 * MiB;
/** What one of them takes beside its bytes. */
export const UNSETTLED_MUTATION_BYTES = 256;
/** Put in place at a time of one replica, so that room comes free bit by bit. At least one mutation. */
export const SETTLED_AT_ONCE_BYTES = 8 * MiB;
/** How long committed bytes wait for more of them: one sync of the chunk file then covers all. */
export const SETTLE_DELAY_MS = 500;
/** Replicas settled at a time on one disk. */
export const SETTLING_MAX = 4;
/** A journal that refuses for the moment is asked again so often. */
export const JOURNAL_RETRY_MS = 20;
/** Entries of an operation table in one record of the journal. */
export const OPERATIONS_PER_RECORD_MAX = 4_096;

/** Changes that wait for a heartbeat; past it a full inventory replaces them. */
export const CHANGES_MAX = 100_000;
/** As one heartbeat takes them (control.proto). */
export const CHANGES_PER_HEARTBEAT_MAX = 1_000;
export const INVENTORY_PART_MAX = 10_000;
/** A call to the master. Shorter than the server lease, so that another master is tried within it. */
export const MASTER_TIMEOUT_MS = 3_000;
/** Pause before the next master is tried: doubles from the first to the last. */
export const MASTER_PAUSE_MS_MIN = 100;
export const MASTER_PAUSE_MS_MAX = 2_000;
/** Replicas being moved into the quarantine of one disk at a time, and chunks looked for there: the orders of one heartbeat. */
export const QUARANTINE_MOVES_MAX = 1_000;
/** Chunks of one disk remembered to have a file without a record: as many as there may be uploads. Some 100 bytes each. */
export const QUARANTINE_STRAYS_MAX = 4_096;
/** Between two looks for quarantined replicas whose time is up. */
export const QUARANTINE_SWEEP_MS = 60_000;
/** Records on their way by which quarantined chunks are forgotten. */
export const QUARANTINE_ENDED_AT_ONCE = 1_000;

/** One item of a clone, and how long one may take. */
export const CLONE_ITEM_TIMEOUT_MS = 15_000;
/** Clones received at a time. */
export const CLONES_MAX = 8;
/**
 * Copies sent at a time, each with memory for `COPY_READS_AHEAD` frames: the master has four made of one server's replicas,
 * others are of an earlier master or go on unheard.
 */
export const COPIES_SENT_MAX = 16;
/** Reads of one copy at a time: behind a full queue of its disk each takes 5 s, so that the 64 of a full chunk take 40 s. */
export const COPY_READS_AHEAD = 8;
