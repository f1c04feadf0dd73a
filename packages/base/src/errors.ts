/**
 * The one table of errors. A code exists only where some caller reacts to it differently. The code travels on the wire
 * by its name; `posix` is what the SDK shows as `error.code`; `retry` is the reaction:
 *
 * - `never`: tell the caller.
 * - `later`: the same request, after a pause, within the deadline.
 * - `afterLookup`: what the client knows of locations, versions or the primary is old: ask the master, then again.
 * - `otherReplica`: another copy may answer.
 * - `unknown`: whether it was applied is not known; only a retry with the same operation number can tell.
 */
export type Reaction = 'never' | 'later' | 'afterLookup' | 'otherReplica' | 'unknown';

type Entry = { readonly posix: string; readonly retry: Reaction };

export const ERRORS = {
  // The namespace says no.
  NOT_FOUND: { posix: 'ENOENT', retry: 'never' },
  ALREADY_EXISTS: { posix: 'EEXIST', retry: 'never' },
  NOT_A_DIRECTORY: { posix: 'ENOTDIR', retry: 'never' },
  IS_A_DIRECTORY: { posix: 'EISDIR', retry: 'never' },
  NOT_EMPTY: { posix: 'ENOTEMPTY', retry: 'never' },
  NAME_TOO_LONG: { posix: 'ENAMETOOLONG', retry: 'never' },
  NO_ATTRIBUTE: { posix: 'ENODATA', retry: 'never' },
  INVALID_ARGUMENT: { posix: 'EINVAL', retry: 'never' },
  TOO_LARGE: { posix: 'EFBIG', retry: 'never' },
  STALE_HANDLE: { posix: 'ESTALE', retry: 'never' }, // the file that was opened is gone, whatever has its name now
  BAD_HANDLE: { posix: 'EBADF', retry: 'never' }, // closed, or not opened for this
  READ_ONLY: { posix: 'EROFS', retry: 'never' },
  // An upload or operation whose record is gone: start over (upload), or report the outcome as unknown.
  UPLOAD_NOT_FOUND: { posix: 'ESTALE', retry: 'never' },
  OUTCOME_EXPIRED: { posix: 'ETIMEDOUT', retry: 'never' },
  // Room and strength.
  NO_SPACE: { posix: 'ENOSPC', retry: 'never' },
  NOT_ENOUGH_SERVERS: { posix: 'ENOSPC', retry: 'later' },
  SAFE_MODE: { posix: 'EAGAIN', retry: 'later' },
  OVERLOADED: { posix: 'EAGAIN', retry: 'later' },
  UNAVAILABLE: { posix: 'EHOSTUNREACH', retry: 'later' }, // starting, stopping or cut off
  // Chunks and views.
  STALE_VERSION: { posix: 'ESTALE', retry: 'afterLookup' }, // the request's version is not the replica's
  CHUNK_NOT_FOUND: { posix: 'ESTALE', retry: 'afterLookup' }, // no such replica here
  NOT_PRIMARY: { posix: 'ESTALE', retry: 'afterLookup' }, // not applied here
  LEASE_EXPIRED: { posix: 'EAGAIN', retry: 'afterLookup' }, // the server may not serve until it is back in touch
  CHUNK_FULL: { posix: 'ENOSPC', retry: 'never' }, // not applied; the next chunk takes it
  CHUNK_SEALED: { posix: 'EROFS', retry: 'never' }, // not applied and never will be; the next chunk takes it
  CHECKSUM_MISMATCH: { posix: 'EIO', retry: 'otherReplica' }, // this copy is corrupt
  DISK_FAILED: { posix: 'EIO', retry: 'otherReplica' },
  VIEW_TOO_SMALL: { posix: 'EAGAIN', retry: 'unknown' }, // fewer than the minimum of replicas; repair comes first
  // Identity.
  CLUSTER_MISMATCH: { posix: 'EPERM', retry: 'never' },
  STALE_SESSION: { posix: 'ESTALE', retry: 'never' }, // the chunkserver must register again
  // The transport.
  CONNECTION_LOST: { posix: 'ECONNRESET', retry: 'unknown' },
  CONNECTION_REFUSED: { posix: 'ECONNREFUSED', retry: 'later' }, // nothing was sent
  NAME_UNRESOLVED: { posix: 'ENOTFOUND', retry: 'later' }, // nothing was sent; a name may be made known
  FOREIGN_PROTOCOL: { posix: 'EPROTONOSUPPORT', retry: 'later' }, // nothing was sent; no server of ours listens there
  DEADLINE_EXCEEDED: { posix: 'ETIMEDOUT', retry: 'unknown' },
  CANCELLED: { posix: 'ABORT_ERR', retry: 'unknown' },
  BAD_FRAME: { posix: 'EPROTO', retry: 'never' },
  UNKNOWN_METHOD: { posix: 'ENOSYS', retry: 'never' },
  PROTOCOL_MISMATCH: { posix: 'EPROTONOSUPPORT', retry: 'never' },
  DAMAGED: { posix: 'EIO', retry: 'never' }, // a journal, index or identity on disk that must not be guessed at
  INTERNAL: { posix: 'EIO', retry: 'unknown' },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;

/** Whoever was asked was not reached, or gave no answer: another server may. */
export const UNREACHABLE = [
  'CONNECTION_REFUSED',
  'NAME_UNRESOLVED',
  'FOREIGN_PROTOCOL',
  'CONNECTION_LOST',
  'DEADLINE_EXCEEDED',
] as const satisfies readonly ErrorCode[];

/** Facts that go with an error: names, sizes, versions. They travel on the wire. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** A fault of the world, or a refusal. `message` reads: what failed, on which object, why, and what to do. */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly kind: ErrorCode;
  readonly details: ErrorDetails;

  constructor(kind: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.details = options.details ?? {};
  }

  /** The POSIX code, as users of `node:fs` expect it in `code`. */
  get code(): string {
    return ERRORS[this.kind].posix;
  }

  get reaction(): Reaction {
    return ERRORS[this.kind].retry;
  }
}

export function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERRORS, name);
}

export function isFsError(error: unknown, ...kinds: ErrorCode[]): error is FsError {
  return error instanceof FsError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** What was thrown as an `Error`: anything can be thrown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Wraps anything thrown as an `FsError`, keeping one that already is. */
export function toFsError(error: unknown): FsError {
  if (error instanceof FsError) return error;
  return new FsError('INTERNAL', toError(error).message, { cause: error });
}

/** A fault of a file system call; `code` is the POSIX one. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path;
  }

  /** There is no room for what was asked for: it may be asked for again. */
  get isFull(): boolean {
    return this.code === 'ENOSPC' || this.code === 'EDQUOT';
  }

  /** The process or its machine is short of open files or memory, which says nothing of the disk: ask again shortly. */
  get isShortage(): boolean {
    return this.code === 'EMFILE' || this.code === 'ENFILE' || this.code === 'ENOMEM';
  }
}
