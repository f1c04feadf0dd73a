/** Errors as users of `node:fs` know them: `code` is the POSIX code, the message begins with it and names the path. */
import { type ErrorCode, FsError, isFsError } from '@cairnfs/base';

const PHRASES: Partial<Record<ErrorCode, string>> = {
  NOT_FOUND: 'no such file or directory',
  ALREADY_EXISTS: 'file already exists',
  NOT_A_DIRECTORY: 'not a directory',
  IS_A_DIRECTORY: 'illegal operation on a directory',
  NOT_EMPTY: 'directory not empty',
  NAME_TOO_LONG: 'name too long',
};

export class CairnError extends FsError {
  /** The operation, as in `node:fs`: 'open', 'stat', ... */
  readonly syscall: string;
  readonly path: string;
  /** Of an operation with two paths, the second; otherwise not there at all, as in `node:fs`. */
  declare readonly dest?: string;

  constructor(cause: FsError, syscall: string, path: string, dest?: string) {
    super(cause.kind, messageOf(cause, syscall, path, dest), { details: cause.details, cause });
    this.syscall = syscall;
    this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}

function messageOf(cause: FsError, syscall: string, path: string, dest: string | undefined): string {
  const phrase = PHRASES[cause.kind];
  const object = dest === undefined ? `'${path}'` : `'${path}' -> '${dest}'`;
  return phrase === undefined
    ? `${cause.code}: ${syscall} ${object}: ${cause.message}`
    : `${cause.code}: ${phrase}, ${syscall} ${object}`;
}

/**
 * Runs `work`; a failure of the cluster, and a refusal, name the operation and the path. What comes from the caller reaches
 * it as it is: the reason of its signal, whatever that is, and what its own source of bytes throws.
 */
export async function naming<T>(syscall: string, path: string, work: () => Promise<T>, dest?: string): Promise<T> {
  checkIsPath(syscall, path);
  try {
    return await work();
  } catch (error) {
    if (!isFsError(error) || error instanceof CairnError) throw error;
    throw new CairnError(error, syscall, path, dest);
  }
}

/** Runs `work` on a file known by its inode: when that is gone, it is the file that was opened that is gone, not a path. */
export async function ofOpened<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFsError(error, 'NOT_FOUND')) throw error;
    throw new FsError('STALE_HANDLE', 'the file was deleted or replaced since it was opened: open it again', {
      cause: error,
    });
  }
}

/** Programs without types pass anything. @throws FsError INVALID_ARGUMENT */
export function checkIsPath(syscall: string, path: unknown): asserts path is string {
  if (typeof path === 'string') return;
  const found = typeof path === 'object' && path !== null ? (path.constructor?.name ?? 'object') : typeof path;
  const given = path === null ? 'null' : found;
  throw new FsError('INVALID_ARGUMENT', `${syscall}: the path is of type ${given}: expected a string, such as '/a/b'`);
}
