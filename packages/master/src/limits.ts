/** Limits of the master, with the reason for each number. */

export const OPERATION_CLIENT_BYTES = 16;
/** A client's settled operations are forgotten in batches of at least this many: two more writes for 64 operations. */
export const OPERATIONS_PRUNED_AT = 64;
/** Entries looked at in one step of the sweep: about a millisecond. */
export const OPERATIONS_SWEPT_STEP = 512;

export const LIST_ENTRIES_DEFAULT = 1000;
export const LIST_ENTRIES_MAX = 10_000;
export const LOCATE_EXTENTS_DEFAULT = 256;
export const LOCATE_EXTENTS_MAX = 1024;
export const CHECK_FILES_DEFAULT = 1000;
export const CHECK_FILES_MAX = 10_000;

/** Chunks planned by one call: 64 GiB of file. */
export const PLAN_CHUNKS_MAX = 1024;
/** Uploads under way at once: each holds a plan in the state. */
export const UPLOADS_MAX = 100_000;
/** Extents freed within the request that deletes the file; a larger file is reclaimed in the background. */
export const EXTENTS_FREED_AT_ONCE = 64;
/** Inodes or extents reclaimed in one background step. */
export const RECLAIM_STEP = 256;
/** Between two looks at trash, abandoned uploads, detached trees and old operations. */
export const HOUSEKEEPING_INTERVAL_MS = 2000;
/** Calls to chunkservers that change a view or end a lease. */
export const CHUNKSERVER_CALL_TIMEOUT_MS = 4000;
/** Rounds of one OpenExtent or Truncate; each one more means that another client changed the file meanwhile. */
export const OPEN_EXTENT_ROUNDS_MAX = 16;
/** Chunks cut off by one Truncate: a tebibyte. Each needs its replicas told. */
export const TRUNCATE_EXTENTS_MAX = 16_384;
/** Abandoned uploads collected in one step. */
export const ABANDONED_PER_STEP = 64;
/** Steps of reclaiming in one round of housekeeping. */
export const RECLAIM_STEPS_PER_ROUND = 64;
