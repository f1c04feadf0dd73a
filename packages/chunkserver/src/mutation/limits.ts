/** Bounds of mutations and views, each with the sketch behind it. */
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';

/** Mutations of one chunk between staging and commit. At 1 ms for a round of READY that is 1,000,000 a second. */
export const IN_FLIGHT_MUTATIONS_MAX = 1024;
/** Their bytes: what a primary holds in memory to run them again under a new view. */
export const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
/** Mutations of one chunk that wait for a lease or a view; past it clients are told to come later. */
export const WAITING_MUTATIONS_MAX = 1024;
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;

/** Mutations that arrive before a lower sequence number at a secondary (docs/protocol.md, "Mutations"). */
export const EARLY_MUTATIONS_MAX = 256;
/** The memory those of all chunks of a server hold: two chunks whose primaries have all they may in flight. */
export const EARLY_MUTATION_BYTES_MAX = 64 * 1024 * 1024;
/** A secondary that does not answer for so long is reported (docs/protocol.md, "Mutations", step 5). */
export const STAGE_TIMEOUT_MS = 3_000;
/** A secondary that has too much to do for the moment is asked again so often, for as long as one that is silent. */
export const STAGE_RETRY_MS = 20;
/** What it is sent then at a time: at most so many mutations, and one that goes past the bytes. */
export const STAGE_RETRY_MUTATIONS_MAX = 256;
export const STAGE_RETRY_BYTES_MAX = 8 * 1024 * 1024;
/** How long the commit point waits for a further mutation to carry it. */
export const COMMIT_DELAY_MS = 3;
/** A `Commit`, `GetCommitPoint` or `InstallView` between chunkservers. */
export const PEER_CALL_TIMEOUT_MS = 3_000;
/** A call to the master that changes a view: it waits out the server lease of a member that is gone (10 s). */
export const VIEW_CHANGE_TIMEOUT_MS = 20_000;
/** A call to the master that does not wait for others. */
export const MASTER_CALL_TIMEOUT_MS = 5_000;
/** View changes a primary asks for in a row before it fails what waits: each leaves out at least one of 10 members. */
export const VIEW_CHANGES_IN_ROW_MAX = 10;
/** What is in flight when a lease is revoked, a chunk released or a version promised has so long to finish. */
export const DRAIN_TIMEOUT_MS = 5_000;

/** A chunk without a mutation for so long is given back to the master. */
export const LEASE_IDLE_MS = 5_000;
/** How often idle and expired leases are looked for. */
export const LEASE_SWEEP_MS = 1_000;
/** The end of a chunk lease as this server sees it comes earlier by so much: drift of clocks over 60 s. */
export const LEASE_MARGIN_MS = 500;
/** The same warning about one chunk is logged again after so long, however often what it tells happens. */
export const CHUNK_WARNING_INTERVAL_MS = 60_000;
/** Leases asked for in one call. */
export const LEASES_PER_CALL_MAX = 1_000;
/** Chunks one server leads at a time; past it the least recently used idle ones are given back first. */
export const LEASES_MAX = 100_000;

/** Clients remembered by one chunk; past it appends go to the next chunk. About 200 bytes each without results. */
export const OPERATION_CLIENTS_MAX = 8_192;
/** Results remembered by one chunk: as many as appends of 1 KiB fit into it. */
export const OPERATION_RESULTS_MAX = CHUNK_BYTES_MAX / 1024;
