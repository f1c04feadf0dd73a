/** Limits of the SDK, with the reason for each number. */
import { OPERATION_MEMORY_MS, OPERATION_WINDOW } from '@cairnfs/protocol';

export const TIMEOUT_DEFAULT_MS = 60_000;
/** One attempt of a call to the master; a server that answers later than this is asked again. */
export const MASTER_ATTEMPT_MS = 5000;
/** Connections that one address closes without a word before it is taken for no master: some two seconds of trying. */
export const CLOSED_UNHEARD_MAX = 6;
/** One attempt of a mutation: the primary may wait for a dead member's server lease to run out. */
export const MUTATION_ATTEMPT_MS = 15_000;
/** One frame of 1 MiB, or one small read. */
export const DATA_ATTEMPT_MS = 5000;
/** A frame that asks for stable storage: 16 MiB may have to be written first, on three busy disks. */
export const SYNC_ATTEMPT_MS = 20_000;
/**
 * Operations of one client from the oldest under way to the newest: half of what servers remember, since they forget many
 * at once.
 */
export const OPERATION_SPAN_MAX = OPERATION_WINDOW / 2;
/**
 * An operation that may have been applied is sent again for so long, whatever time its caller gives it: half of what servers
 * remember, for what is sent last may be on its way for a while.
 */
export const OUTCOME_OPEN_MS_MAX = OPERATION_MEMORY_MS / 2;
export const BACKOFF_MS_MIN = 20;
export const BACKOFF_MS_MAX = 1000;

/** Frames under way for one read: hides the round trip at loopback and LAN speed. */
export const READ_FRAMES_IN_FLIGHT = 8;
/** How long a replica that failed is asked last. */
export const REPLICA_SHUNNED_MS = 5000;
export const EXTENTS_PER_LOCATE = 256;

/**
 * Of all uploads together, under way to one chunkserver: half of what a connection queues, since mutations go there too;
 * enough for two uploads at full speed.
 */
export const BYTES_TO_SERVER_MAX = 32 * 1024 * 1024;
/** The same in frames: half of the calls that a server takes at once. */
export const FRAMES_TO_SERVER_MAX = 512;

/** Frames under way for one chunk of an upload: 8 MiB. */
export const UPLOAD_FRAMES_IN_FLIGHT = 8;
/** Bytes between two requests for stable storage; the client keeps that much for sending again. */
export const UPLOAD_SYNC_BYTES = 16 * 1024 * 1024;
/** Chunks of one file under way: one is being synced while the next is being sent. */
export const UPLOAD_CHUNKS_IN_FLIGHT = 2;
/** Chunks planned ahead for a source of unknown length. */
export const UPLOAD_CHUNKS_AHEAD = 4;
/** Crashes of the master that one upload of known bytes outlives. */
export const UPLOAD_RESTARTS_MAX = 8;
/** How long an upload asks for no chunks on a server that failed it: many times what the failure of one cost. */
export const UPLOAD_AVOIDED_MS = 120_000;
export const UPLOAD_RENEWAL_MS = 20_000;
/** Small files that begin so soon after each other come in a row: worth a spare upload for the next. */
export const SPARE_WITHIN_MS = 1000;
/** As many as files may be under way at once with profit. */
export const SPARE_UPLOADS_MAX = 64;
/** How long `close` waits for the master to take back the spare uploads that are left; it ends them itself otherwise. */
export const SPARE_RETURN_MS = 1000;
/** Replacements of chunks in one upload, beyond those made up for by chunks stored since, before it is given up. */
export const UPLOAD_REPLACEMENTS_MAX = 64;

/** Pieces of one write under way, of 1 MiB each: hides the way to three disks and back. */
export const WRITE_PIECES_IN_FLIGHT = 8;

/** Files whose last extent is remembered for appends by path. */
export const APPEND_TARGETS_MAX = 256;
export const LIST_PAGE_ENTRIES = 1000;
export const PARALLEL_FILES_DEFAULT = 16;
/** A piece of a stream, and how many are read ahead of the one the caller works on. */
export const PIECE_BYTES = 2 * 1024 * 1024;
export const PIECES_AHEAD = 4;
