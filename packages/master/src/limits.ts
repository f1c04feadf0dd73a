/** Limits of the master, with the reason for each number. */

export const OPERATION_CLIENT_BYTES = 16;
/** A client's operations are forgotten in batches of at least this many: one scan for 64 operations. */
export const OPERATIONS_PRUNED_AT = 64;
/** Entries looked at in one step of the sweep: about a millisecond. */
export const OPERATIONS_SWEPT_STEP = 512;

/** Steps of the sweep in one round: 8,000 results, as many as 4,000 operations a second leave. */
export const OPERATION_SWEEPS_PER_ROUND = 16;
/** How long it is known of a silent client which of its operations are too late: six times as long as any call may last. */
export const OPERATION_HEADER_KEPT_MS = 3_600_000;

export const LIST_ENTRIES_DEFAULT = 1000;
export const LIST_ENTRIES_MAX = 10_000;
export const LOCATE_EXTENTS_DEFAULT = 256;
export const LOCATE_EXTENTS_MAX = 1024;
export const CHECK_FILES_DEFAULT = 1000;
export const CHECK_FILES_MAX = 10_000;

/** Decoded inodes and entries kept in each of two generations: together some 30 MB when all are in use. */
export const INODES_CACHED_MAX = 16_384;
export const DIRENTS_CACHED_MAX = 16_384;
/** The largest size of a file: every offset up to a chunk behind it is an exact number. */
export const FILE_BYTES_MAX = 2 ** 52;
/** Extents read at once to find the last of a range: in a range of one chunk there is hardly ever more than one. */
export const EXTENTS_PROBED = 16;
export const OWNER_BYTES_MAX = 255;
export const XATTR_NAME_BYTES_MAX = 255;
/** Attributes in one page of a listing, so that it fits in a frame: a page ends early where names and xattrs are long. */
export const LIST_BYTES_MAX = 4 * 1024 * 1024;
/** Answers of at most so many bytes wait for no room: as many as a connection may have open take 64 MiB. */
export const ANSWER_BYTES_SMALL = 64 * 1024;
/**
 * What one entry of a listing takes in its answer, one extent or planned chunk, one object that Check looks at, one server
 * of the status: no less than usual.
 */
export const LISTED_BYTES = 512;
export const LOCATED_BYTES = 256;
export const PROBLEM_BYTES = 512;
export const SERVER_STATUS_BYTES = 512;
/** Primaries asked at once for the lengths that one listing shows. */
export const LENGTHS_ASKED_AT_ONCE = 32;
/** How long a listing waits for them: less than clients give one attempt, and more than a primary takes that is in reach. */
export const LENGTHS_WAIT_MS = 3000;
/** Chunks of one location that are given a primary before it is told; those behind them wait for the next one. */
export const PRIMARIES_WANTED_MAX = 32;
/** How long a location waits for them: as long as one that is in reach takes to answer. */
export const PRIMARIES_WAIT_MS = 2000;
/** Chunks looked at in one page of Check: under 100 ms. A larger file goes on in the next page. */
export const CHECK_CHUNKS_MAX = 4096;
/** Problems in one page of Check: with the longest paths, half a frame. */
export const CHECK_PROBLEMS_MAX = 1000;

/** Chunks planned by one call: 64 GiB of file. */
export const PLAN_CHUNKS_MAX = 1024;
/** Chunks of one upload, a tebibyte: its confirmation is one record. */
export const UPLOAD_CHUNKS_MAX = 16_384;
/** Chunks whose goal one SetAttributes changes, a tebibyte: it is one record. */
export const GOALS_CHANGED_MAX = 16_384;
/** Uploads under way at once: each holds a plan in the state. */
export const UPLOADS_MAX = 100_000;
/** With so many under way no spare one is begun: clients that leave theirs behind take nobody's place. */
export const UPLOADS_WITH_SPARES_MAX = 25_000;
/** Extents freed within the request that deletes the file; a larger file is reclaimed in the background. */
export const EXTENTS_FREED_AT_ONCE = 64;
/** Inodes looked at, or extents freed, in one background step; the last inode may free `EXTENTS_FREED_AT_ONCE` more. */
export const RECLAIM_STEP = 256;
/** Between two looks at trash, abandoned uploads, detached trees and old operations. */
export const HOUSEKEEPING_INTERVAL_MS = 2000;
/** Calls to chunkservers that change a view or end a lease. */
export const CHUNKSERVER_CALL_TIMEOUT_MS = 4000;
/** Rounds of one OpenExtent or Truncate; each one more means that another client changed the file meanwhile. */
export const OPEN_EXTENT_ROUNDS_MAX = 16;
/** Rounds of one Stat, Locate or entry of List; each one more means that the file was replaced while its length was asked. */
export const SIZE_ROUNDS_MAX = 16;
/** Chunks cut off by one Truncate: a tebibyte. Each needs its replicas told. */
export const TRUNCATE_EXTENTS_MAX = 16_384;
/** Abandoned uploads collected in one step, and how many of them are decided in one go and made durable together. */
export const ABANDONED_PER_STEP = 512;
export const ABANDONED_AT_ONCE = 32;
/** Steps of reclaiming in one round of housekeeping. */
export const RECLAIM_STEPS_PER_ROUND = 64;
/** Past this between two looks at the time, the process stood still: a suspended machine, or one short of memory. */
export const HALT_MS = 5000;
/**
 * When several members of a view are silent, how many times as long as one they are waited for before a view below the
 * minimum goes on without them: together they are rather cut off than lost, and that view is one fault away from the end.
 */
export const PATIENCE_WITH_SEVERAL = 5;
/**
 * How many times as long as a silent server one is waited for that is in touch and may not serve, or does not say what it holds
 * of what it did not show. Its way back takes seconds, and a minute with a very large inventory.
 */
export const KEPT_OUT_PATIENCE = 10;
/** Chunkservers of one cluster. */
export const SERVERS_MAX = 10_000;
/** Replicas of one server known to be wrong: enough for a whole disk of 64 TiB in full chunks. */
export const EXCEPTIONS_MAX = 1_000_000;
export const PROBLEMS_KEPT = 100;
export const PROBLEM_REPEAT_MS = 60_000;
/** The same warning about one chunk is logged again after so long, however often what it tells happens. */
export const CHUNK_WARNING_INTERVAL_MS = 60_000;
/** Orders to quarantine in one heartbeat's answer. */
export const QUARANTINE_ORDERS_MAX = 1000;
/** Orders looked at for that, of each queue. */
export const QUARANTINE_LOOKED_AT_MAX = 1000;
/** Orders waiting in one queue of a server; more are found again by its next inventory. */
export const QUARANTINE_QUEUE_MAX = 100_000;
export const INVENTORY_PART_MAX = 10_000;
/** Members read from the store in one piece. */
export const INVENTORY_COMPARED_AT_ONCE = 1000;
/** Between two parts of an inventory: past this it was broken off, and is asked for again from the beginning. */
export const INVENTORY_PART_MS_MAX = 10_000;
/** A server shows everything so often at least: what nobody reported is found then. */
export const INVENTORY_AGE_MS_MAX = 6 * 3_600_000;
/** Servers take turns at that, so that they do not do it together: ten seconds suffice for a million replicas. */
export const INVENTORY_TURN_MS = 10_000;
export const INVENTORY_TURNS = 60;
/** Leases of uploads after a start within which clients have learned that the one before has lost their plans. */
export const UPLOAD_LEASES_UNTIL_LOST = 3;
/** Servers that have died since are looked for so often; when they were last heard of is told to within a second. */
export const DEAD_NOTED_INTERVAL_MS = 5_000;
/** Replicas of one server that it did not show, judged at once. */
export const UNSHOWN_STEP = 1000;
/** Replicas counted one by one: for the status of a server that reports none, or that is to be forgotten. */
export const REPLICAS_COUNTED_MAX = 1000;
/**
 * Servers drawn at random among which a chunk's are chosen: the best of so many are almost the best of all (the power of
 * several choices), and a plan of 1,024 chunks over 1,000 servers takes 20 ms.
 */
export const PLACEMENT_SAMPLE = 32;
/** A server that had no room for something gets nothing new for so long: by then several heartbeats have told of its disks. */
export const FULL_SERVER_PAUSE_MS = 5000;
/** How long a placement weighs on its server: until heartbeats show the space it took. */
export const RECENT_PLACEMENT_HALF_LIFE_MS = 5000;
/** Attempts of one view change; each leaves out those who failed the one before, so more than members are pointless. */
export const VIEW_ATTEMPTS_MAX = 4;
export const LEASES_PER_CALL_MAX = 1000;
/** Rounds of opening or closing one chunk; each one more means that something else changed it meanwhile. */
export const CHUNK_ROUNDS_MAX = 8;
export const LENGTH_TIMEOUT_MS = 2000;
/** A primary finishes what is in flight before it answers. */
export const REVOKE_TIMEOUT_MS = 5000;
export const PING_TIMEOUT_MS = 1000;
export const RETIRED_AT_ONCE = 16;
export const RECOVERY_INTERVAL_MS = 1000;
/** Unsettled chunks looked at in one step. */
export const RECOVERY_STEP = 1000;
export const RECOVERED_AT_ONCE = 32;
/** Open chunks without a lease of which it is kept since when. */
export const ABANDONED_NOTED_MAX = 100_000;
export const REPAIR_INTERVAL_MS = 500;
/** Of the chunks that wait for a copy, so many are looked at to tell what they wait for. */
export const REPAIR_WAITING_SAMPLE = 16;
/** Chunks found below their goal and waiting; the scans find the others later. */
export const REPAIR_QUEUE_MAX = 10_000;
/** Keys looked at in one step of a scan, each in an event of its own: about 10 ms. */
export const REPAIR_SCAN_STEP = 1000;
export const CLONES_AT_ONCE = 8;
/** In a large cluster there is one at once for so many servers, so that a lost one is replaced as fast as in a small one. */
export const SERVERS_PER_CLONE = 8;
/** Each costs the master two decisions and some calls, about 3 ms. */
export const CLONES_AT_ONCE_MAX = 128;
/** Copies begun in one event: each chooses a target among all servers. */
export const CLONES_BEGUN_AT_ONCE = 8;
/** As source and target together. */
export const CLONES_PER_SERVER = 4;
/** A full chunk over a slow disk and network: 64 MiB at about 1 MiB/s. */
export const CLONE_TIMEOUT_MS = 60_000;
/**
 * A chunk stays closed for so long while it is copied the first time, a full one over disks and a network of 32 MiB/s, or while a
 * copy of it is taken back.
 */
export const COPIED_CLOSED_MS = 2000;
/** Who wants to open it waits for so long, and asks again: within the time that a client gives one try. */
export const KEPT_CLOSED_WAIT_MS = 3000;
/** How many times as long it is left to its writers before the next time: they keep nine tenths of their throughput. */
export const OPEN_TO_CLOSED = 9;
/** Chunks of which that is kept in mind; another one begins anew. */
export const OVERTAKEN_CHUNKS_MAX = 1000;
export const REPAIR_PAUSE_AFTER_FAILURE_MS = 5000;
/** A server that failed to join a view, or was not reached or did not answer in time for a copy: for so long others are asked rather. */
export const FAILING_SERVER_PAUSE_MS = 60_000;
export const GARBAGE_INTERVAL_MS = 1000;
export const GARBAGE_STEP = 1000;
/** Chunks of which some servers have said that they are gone, and others are awaited: some 30 MB. */
export const GARBAGE_AWAITED_MAX = 100_000;
/** Calls to a returning server about views that changed without it: their promises share journal writes. */
export const DEPARTURES_AT_ONCE = 64;
/** Changes of views listed for a server that is away: told within its registration. Past this its inventory says them. */
export const DEPARTURES_LISTED_MAX = 1000;
/** Promises awaited of one returning server before it may show more of its inventory: about 20 MB. */
export const FENCES_WAITING_MAX = 100_000;
/** After so many times its usual wait, safe mode takes a majority for enough: in a small cluster, one lost is over 10%. */
export const SAFE_MODE_PATIENCE = 4;
export const MAJORITY = 0.5;
/** After so long a death a server is not waited for after a start: whoever wanted to look had the time. */
export const SAFE_MODE_DEAD_MS_MAX = 60 * 60_000;
/** Looking at every server costs a millisecond for a thousand of them, and every heartbeat asks. */
export const SAFE_MODE_LOOK_MS = 100;
/** Between two questions to a server whether it still has what it was told to put away. */
export const ORDERS_CHECKED_EVERY_MS = 10_000;
