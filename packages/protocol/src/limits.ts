/** Limits of the contract. Both sides check them; changing one changes the protocol. */

export const CHUNK_BYTES_MAX = 64 * 1024 * 1024;
/** The checksum unit, and the largest chunk that lives inside the index. */
export const BLOCK_BYTES = 64 * 1024;
/** Raw data in one frame: large enough to amortise a system call, small enough to pipeline 64 of them in a chunk. */
export const FRAME_DATA_BYTES_MAX = 1024 * 1024;
/** The protobuf message of one frame: a listing page of 10,000 long names, or 10,000 inventory entries. */
export const FRAME_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** One record append: a quarter of a chunk wastes at most a quarter at a chunk's end (GFS §3.3). Sent whole, so bounded by a frame. */
export const RECORD_BYTES_MAX = FRAME_DATA_BYTES_MAX;

export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 4096;
export const XATTRS_BYTES_MAX = 64 * 1024;
export const REPLICATION_MAX = 10;

/** No call may ask for longer. */
export const CALL_DEADLINE_MS_MAX = 10 * 60 * 1000;

/** A settled operation is remembered for this long, and at most this many for each client. */
export const OPERATION_MEMORY_MS = 10 * 60 * 1000;
export const OPERATION_WINDOW = 1024;
