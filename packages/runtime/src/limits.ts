/** Bounds of the real seams. */
import { KiB, MiB } from '@cairnfs/base';

/**
 * Writes of at most so many bytes go to the page cache by a synchronous call: measured at 3 µs for 512 bytes and 11 µs
 * for 64 KiB, against 20-32 µs through the thread pool, whose threads then stay free for reads and syncs. A kernel
 * that throttles writers (too many dirty pages) blocks the event loop for as long; large writes, which bring it about,
 * do not come this way.
 */
export const SYNC_WRITE_BYTES_MAX = 64 * KiB;
/** Bulk accesses shorter than this take the page cache: the device's latency counts for more than a copy. */
export const DIRECT_BYTES_MIN = 256 * KiB;
/** Direct accesses start and end at multiples of it: the logical block of any disk in use. */
export const DIRECT_UNIT_BYTES = 4 * KiB;
/** Buffers one `writev` takes: IOV_MAX of Linux. */
export const WRITEV_BUFFERS_MAX = 1024;
/**
 * Operations of one of several devices in libuv's thread pool at a time, one of them kept for syncs: a hanging disk never takes the
 * threads of the others, and the sync that acknowledgements wait for is not behind bulk reads. Four as all disks together
 * have without `UV_THREADPOOL_SIZE`.
 *
 * Cached reads, 32 at a time, cost more than with a single disk, whose four threads find the next one in the pool's queue without
 * sleeping: 12 µs of processor against 4 for 4 KiB, 19 against 13 for 64 KiB, 208 against 179 for 1 MiB (2 cores, two disks).
 * One to three operations on fewer threads cost about the same for 64 KiB and more and move less of it (66,000 a second at
 * most, against 84,000), and a longer queue in the pool would be a hanging disk's.
 */
export const DEVICE_OPERATIONS_MAX = 5;
/**
 * Operations of one device that wait for a place: never more, since everybody who asks for one has a bound and waits for
 * its end before the next. Of a chunkserver's disk 4,096 reads, 4,096 frames of uploads and the syncs of 4,096 uploads,
 * 1,000 replicas on their way into quarantine, and some tens for copies, settling and the journal (chunkserver/src/limits.ts).
 */
export const DEVICE_WAITING_MAX = 16_384;
/** Threads of libuv's pool where `UV_THREADPOOL_SIZE` says nothing. */
export const POOL_THREADS_DEFAULT = 4;
/**
 * Ticks of its watch that an operation has seen when its disk counts as stalled: small writes, too, go through the pool then,
 * since the kernel might let them wait on the spot. Two, because the first may come at once.
 */
export const STALLED_TICKS = 2;

/**
 * Bytes handed to the kernel in one batch of a connection; `sent` runs for each batch, so it must not grow too late.
 */
export const SEND_BATCH_BYTES_MAX = 2 * MiB;
/** Buffers smaller than this are copied together before sending: cheaper than an entry of their own in the `writev`. */
export const GATHER_BYTES_MAX = 4 * KiB;
/** A connection silent for so long is probed by TCP; the protocol's pings notice a dead peer much earlier. */
export const KEEP_ALIVE_DELAY_MS = 30_000;
/** A peer must say which protocol it speaks within this time of connecting. */
export const PREFACE_TIMEOUT_MS = 10_000;
/** Connections that have not said it yet; further ones are closed at once. */
export const UNDETECTED_CONNECTIONS_MAX = 1024;
/** Connections the kernel may hold ready for `accept`: a burst of clients after a restart. */
export const LISTEN_BACKLOG = 1024;

/** Random bytes fetched from the system at once: one call for about 250 UUIDs. */
export const RANDOM_POOL_BYTES = 4 * KiB;
