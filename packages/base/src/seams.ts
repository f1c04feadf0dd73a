/**
 * The doors to the outside world. Every component gets them at construction (docs/decisions/0001-seams.md);
 * `runtime` implements them over Node, `sim` over virtual time and memory. Nothing else in the servers and the SDK
 * may reach for a clock, a timer, randomness, a file or a socket.
 */
import type { DiskError } from './errors.ts';
import type { AllocatePages } from './page-aligned.ts';

/** Time. All values are milliseconds; fractions are allowed. */
export interface Clock {
  /** Monotonic: leases, deadlines, intervals. Never compare it across processes. */
  nowMs(): number;
  /** Calendar time since the Unix epoch: file times only. May jump. */
  wallMs(): number;
  /** Runs `callback` once, `delayMs` from now or later. */
  after(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` once, after the I/O events now pending: the point at which a tick's work is sent as one batch. */
  soon(callback: () => void): void;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** One moment, by both of a machine's clocks. Where it may have slept since, both are compared: one of them stood still. */
export interface Moment {
  readonly atMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { atMs: clock.nowMs(), wallMs: clock.wallMs() };
}

export interface Timer {
  cancel(): void;
}

/** Randomness. The production one is cryptographic, the simulated one seeded. */
export interface Random {
  uint32(): number;
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array;
}

/** `read`: must exist. `readWrite`: must exist. `create`: must not exist. `openOrCreate`: either. */
export type OpenMode = 'read' | 'readWrite' | 'create' | 'openOrCreate';

/**
 * Files of one server. Paths are absolute in production and plain keys in the simulator. Errors are `DiskError`s whose
 * `code` is the POSIX one (`ENOENT`, `ENOSPC`, `EIO`, ...).
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in the directory, sorted; throws `ENOENT` when it does not exist. */
  list(directory: string): Promise<string[]>;
  makeDirectory(path: string): Promise<void>; // with parents; fine when it exists
  rename(from: string, to: string): Promise<void>; // replaces `to`
  remove(path: string): Promise<void>; // a file; throws ENOENT
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /** Size and modification time, or undefined when nothing is there. */
  stat(path: string): Promise<{ sizeBytes: number; modifiedWallMs: number } | undefined>;
  /** Space of the file system that holds `path`, and what tells it from others of the machine, where that is known. */
  space(path: string): Promise<{ totalBytes: number; freeBytes: number; fileSystem?: string }>;
  /**
   * Takes the exclusive lock `path` (a file it creates) until the process ends or `release` is called, so that two
   * servers never share a data directory. Throws `EBUSY` when another live process holds it.
   */
  lock(path: string): Promise<{ release(): Promise<void> }>;
}

/** All disks of a machine. */
export interface Disks extends Disk {
  /** The same files, for who works on one device: what hangs there keeps no other waiting, and can be given up. */
  device(): DiskDevice;
}

/** One device. Its operations wait for each other, in turn, and for those of no other. */
export interface DiskDevice extends Disk {
  /** Runs what another library does there: watched and given up like the operations of the disk. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when the device of the directory has answered, and not only a cache of it. */
  probe(directory: string): Promise<void>;
  /** Called at even intervals by whoever watches it. @returns how many calls, with this one, the operation saw that has been under way longest. */
  tick(): number;
  /**
   * Nothing is waited for any more: operations under way and later ones reject with `error`; closing a file does nothing.
   * The system may still read or write the memory of those that were under way: it must not be used again.
   */
  giveUp(error: DiskError): void;
}

export interface DiskFile {
  /** Reads into `target` from `position`; returns the bytes read, fewer than asked only at the end of the file. */
  read(position: number, target: Uint8Array): Promise<number>;
  /** Writes all `buffers`, one after another, at `position`; one system call where the platform can. */
  write(position: number, buffers: readonly Uint8Array[]): Promise<void>;
  /**
   * As `write`, for bulk data that is not expected to be read back soon: where the platform can, whole pages from
   * `allocatePageAligned` go past the page cache, which costs a copy and the memory of the cache.
   */
  writeBulk(position: number, bytes: Uint8Array): Promise<void>;
  /** As `read`, for bulk data that is not expected to be read again soon: past the page cache in the same cases. */
  readBulk(position: number, target: Uint8Array): Promise<number>;
  /** fdatasync: when it resolves, every write that resolved before the call is on stable storage. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** `host:port`. */
export type Address = string;

/**
 * A byte stream both ways, in order, to one peer. Frames are the business of `protocol`; cutting the stream at any byte
 * is the business of the simulator.
 */
export interface Connection {
  /** The peer, for messages to people. */
  readonly peer: string;
  /**
   * Queues the buffers in order; all that one tick queues leaves together. The buffers must not change until `sent`
   * ran (or the connection closed: then `sent` runs too). Dropped silently once closed: the reader side learns it.
   */
  write(buffers: readonly Uint8Array[], sent?: () => void): void;
  /** Bytes queued and not yet taken by the kernel: above a limit of its own the caller stops producing. */
  readonly queuedBytes: number;
  /** Sets the one receiver; nothing is read before. */
  receive(receiver: Receiver): void;
  /** Stops reading from the peer until `resume`: back-pressure by TCP. */
  pause(): void;
  resume(): void;
  /** Closes both ways at once; the receiver's `closed` runs once, also for a local close. */
  close(): void;
}

/** The receiver lends the buffer that the next bytes go into, so that nothing is copied on the way. */
export interface Receiver {
  /** A non-empty buffer to read into. */
  buffer(): Uint8Array;
  /** The first `length` bytes of the buffer last lent were filled. */
  received(length: number): void;
  /** All that was queued has left. */
  drained(): void;
  /** The connection is gone; `error` is absent for an orderly end. Runs once; nothing runs after it. */
  closed(error?: Error): void;
}

export interface Network {
  /**
   * Rejects with an `FsError` when no connection comes about: `CONNECTION_REFUSED` (nobody listens: nothing was sent),
   * `NAME_UNRESOLVED` (the host's name is not known here), `DEADLINE_EXCEEDED` (`timeoutMs` passed), `CONNECTION_LOST` (any other cause).
   */
  connect(to: Address, timeoutMs: number): Promise<Connection>;
  /** Listens; port 0 picks a free one, which `address` then names. */
  listen(at: Address, accept: (connection: Connection) => void): Promise<Listener>;
}

export interface Listener {
  readonly address: Address;
  /** Stops accepting and closes the connections accepted so far. */
  close(): Promise<void>;
}

/**
 * Keys are *binary strings*: one character (code 0 to 255) per byte, so that JavaScript's string order is byte order
 * and a `Map` can hold them. At most `STATE_KEY_BYTES_MAX` characters, at least one.
 */
export type Key = string;

export const STATE_KEY_BYTES_MAX = 480; // LMDB's limit at 4 KiB pages is 511

/** One put, or a removal when `value` is undefined. */
export type StateChange = { key: Key; value: Uint8Array | undefined };

/** An ordered map on disk with atomic batches: LMDB in production, memory in the simulator. Reads are synchronous. */
export interface StateStore {
  /**
   * The value: valid until the next call; copy what must live on.
   *
   * @throws FsError DAMAGED  a bulky value that cannot be found where it was put; the others can.
   */
  get(key: Key): Uint8Array | undefined;
  /**
   * The value as `get` has it, for those who can wait: while its disk is slow it comes later, and the process does other things
   * meanwhile. When the key is written before it comes, it may be any bytes.
   *
   * @throws FsError DAMAGED  as `get`; so does what comes later.
   */
  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Entries with `start` <= key < `end` in byte order, at most `limit`; the values are copies. */
  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[];
  /**
   * Applies all changes in one transaction, one call at a time. Reads see either none or all of it until the promise
   * resolves, all of it afterwards; durable after `flushed`. The values must not change before.
   */
  write(changes: Iterable<StateChange>): Promise<void>;
  /** Resolves when everything written before the call is on stable storage. */
  flushed(): Promise<void>;
  /** Bytes the store takes on disk. */
  sizeBytes(): number;
  close(): Promise<void>;
}

export interface StateStoreOptions {
  /**
   * First characters of keys whose values are read one by one and may be large: the store may keep those values apart.
   * Always the same ones for a directory.
   */
  readonly bulkyPrefixes?: readonly string[];
  /** Through which the store reaches files of its own, where it has some; otherwise a disk of its own. */
  readonly disk?: Disk;
}

/** Opens the store in a directory of its own, creating it when it does not exist. */
export type OpenStateStore = (directory: string, options?: StateStoreOptions) => Promise<StateStore>;

/** One record a call: what happened, and the values that matter as fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose records all carry `fields`. */
  child(fields: LogFields): Log;
}

export type LogFields = Record<string, unknown>;

/** Usage of the machine and of this process on it, for heartbeats and status. */
export interface Machine {
  /** Ratio 0 to 1 of all cores, over the time since the last call. */
  cpuUsedRatio(): number;
  memory(): { totalBytes: number; usedBytes: number };
  /** Resident memory of this process. */
  processMemoryBytes(): number;
}

/** What every server is built from. */
export interface Seams {
  clock: Clock;
  random: Random;
  disk: Disks;
  network: Network;
  openStateStore: OpenStateStore;
  machine: Machine;
  log: Log;
  /** For large buffers. @default `allocatePageAligned`, as disks need it for bulk data */
  allocatePages?: AllocatePages;
  /** Ends the process after a broken invariant or a fatal disk error; never returns in production. */
  fatal(error: Error): void;
}
