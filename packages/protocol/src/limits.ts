/** Limits of the contract. Both sides check them; changing one changes the protocol. */

/** The largest chunk, and the usual one. A cluster may be made with smaller ones (chunk-bytes.ts). */
export const CHUNK_BYTES_MAX = 64 * 1024 * 1024;
/** The checksum unit, and the largest chunk that lives inside the index. */
export const BLOCK_BYTES = 64 * 1024;
/** The smallest chunk a cluster can be made with: it must not live inside the index as a whole. */
export const CHUNK_BYTES_MIN = 2 * BLOCK_BYTES;
/** Raw data in one frame: large enough to amortise a system call, small enough to pipeline 64 of them in a chunk. */
export const FRAME_DATA_BYTES_MAX = 1024 * 1024;
/** The protobuf message of one frame: a listing page of 10,000 long names, or 10,000 inventory entries. */
export const FRAME_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** One record append: a quarter of a chunk wastes at most a quarter at a chunk's end (GFS §3.3). Sent whole, so bounded by a frame. */
export const RECORD_BYTES_MAX = 1024 * 1024;

export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 4096;
export const XATTRS_BYTES_MAX = 64 * 1024;
export const REPLICATION_MAX = 10;

/** No call may ask for longer. */
export const CALL_DEADLINE_MS_MAX = 10 * 60 * 1000;

/** A settled operation is remembered for this long, and at most this many for each client. */
export const OPERATION_MEMORY_MS = 10 * 60 * 1000;
export const OPERATION_WINDOW = 1024;

// ---- The framed RPC layer: bounds of one process, not of the contract ----

/** Characters of an error's message, and of each of its details, on the wire. */
export const ERROR_TEXT_LENGTH_MAX = 4096;
/** Connection, preface, hello and welcome. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A try to connect: less than a server lease, so that a client finds another replica within one. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Pause before connecting again: doubles from the first to the last, times a random 0.5 to 1. */
export const RECONNECT_PAUSE_MS_MIN = 20;
export const RECONNECT_PAUSE_MS_MAX = 2_000;
/** Silence with calls open that is answered by a ping, and how long the pong may take. */
export const PING_AFTER_SILENCE_MS = 15_000;
export const PONG_TIMEOUT_MS = 10_000;
/** A client closes a connection unused for this long; a server one that is silent for twice as long. */
export const CONNECTION_IDLE_MS = 60_000;
/** Deadlines are checked no finer than this: one timer serves all calls of a connection. */
export const DEADLINE_GRAIN_MS = 10;

/** Unary calls a server works on for one connection; past it the connection is not read. */
export const SERVER_OPEN_CALLS_MAX = 1024;
/** What a client's hello calls the series of its connections. */
export const SERIES_NAME_BYTES_MAX = 64;
/**
 * Calls of clients that a server works on, over all connections; a further one is refused with OVERLOADED. Whatever waits for
 * a lease, a view or a disk is one of them, a few KiB each. Those of other servers are what they wait for, and pass.
 */
export const SERVER_CALLS_MAX = 32_768;
/**
 * Connections of a server: as many chunkservers as a cluster may have (10,000), and clients beside them, some 20 KiB each. A
 * client beyond is refused with OVERLOADED; at twice as many everybody is.
 */
export const SERVER_CONNECTIONS_MAX = 16_384;
/** Server streams open on one connection; past it a further one is refused with OVERLOADED. */
export const SERVER_OPEN_STREAMS_MAX = 64;
/** Request data held for the unary calls a server works on for one connection; past it the connection is not read. */
export const SERVER_OPEN_DATA_BYTES_MAX = 128 * 1024 * 1024;
/**
 * Memory that the requests of all connections of a server hold; past it frames of clients wait. Twice what one
 * connection may hold.
 */
export const SERVER_RECEIVED_BYTES_MAX = 256 * 1024 * 1024;
/** Response bytes a peer has not taken: past it its connection is not read until they left. Sixteen bulk reads. */
export const SERVER_UNSENT_BYTES_MAX = 16 * 1024 * 1024;
/** The same while the answers of all connections have taken all of their room. */
export const SERVER_UNSENT_BYTES_SHORT = 64 * 1024;
/**
 * Memory that the answers of all connections of a server hold, from before they are made until they have left: past it
 * bulk answers wait. Far more than disks and network have under way at full speed.
 */
export const SERVER_ANSWER_BYTES_MAX = 128 * 1024 * 1024;
/** The same of one connection: twice the bulk reads that one reader of the SDK has under way. */
export const SERVER_ANSWER_SHARE_BYTES_MAX = 16 * 1024 * 1024;
/**
 * A peer that has taken nothing of its answers for so long loses its connection. What is taken is seen in steps of 2 MiB at
 * most, so at 70 KB/s a peer keeps it.
 */
export const ANSWERS_UNTAKEN_MS_MAX = 30_000;
/**
 * So much a peer over gRPC has to take in that time while an answer is not taken as a whole. What is seen there is what the
 * kernel took, and it takes the next when a third to half of its buffer is free again: in steps of 2 MiB at most too, one
 * of which has to be enough.
 */
export const ANSWERS_TAKEN_BYTES_MIN = 1024 * 1024;
/** Between two looks at it. */
export const ANSWERS_LOOKED_AT_MS = 3_000;
/** So many of them are enough once others wait for the memory that its answers hold, and still wait. */
export const ANSWERS_UNTAKEN_LOOKS_SHORT = 2;

/** Calls under way on one channel: a client with 64 chunks of 64 frames in flight, to one server. */
export const CHANNEL_OPEN_CALLS_MAX = 4096;
/** Addresses that one process calls at once: all chunkservers of a cluster (10,000), some hundred bytes each. */
export const POOL_CHANNELS_MAX = 16_384;
/** Request bytes queued on one channel: a chunk, so that a slow server costs a client no more than that. */
export const CHANNEL_QUEUED_BYTES_MAX = 64 * 1024 * 1024;

/** Items a stream's server may send before the first credit frame. */
export const STREAM_CREDIT_INITIAL = 4;
/** Credit a caller may have outstanding; more is a broken peer. */
export const STREAM_CREDIT_MAX = 1024;

/** Free 1 MiB buffers a process keeps for frames to come: the bulk reads and writes it has in flight at full speed. */
export const POOL_FREE_BUFFERS_MAX = 32;
