/**
 * What an error of the state store says about its disk: full, which loses nothing and ends when there is room again, or
 * failed.
 *
 * LMDB calls a write that the system cut short EIO, like one that the disk refused and like a sync that failed. The first
 * comes of a full disk or quota: nothing was committed. After a failed sync nobody knows what the disk holds, however
 * full it is (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). They are told apart by how
 * far the commit came: LMDB counts its page flushes when all pages are written, before the sync.
 */
import { constants } from 'node:os';
import { DiskError, isFsError } from '@cairnfs/base';

const { EDQUOT, EIO, ENOSPC } = constants.errno;
const MDB_MAP_FULL = -30_792;
/** Added by LMDB to the error of a write that the system refused; one that was cut short has none. */
const REFUSED_WRITE = 'Attempting to write page';

/** An error of any call but a commit. */
export function storeError(directory: string, operation: string, error: unknown): Error {
  if (!(error instanceof Error) || error.name === 'AssertionError' || isFsError(error)) return error as Error;
  const code = isFull(error) ? 'ENOSPC' : 'EIO';
  if (error instanceof DiskError && code !== 'ENOSPC') return error;
  return new DiskError(code, directory, `${operation} of the state store ${directory}: ${error.message}`, error);
}

/** @param isFlushed whether all pages of the commit that failed had been written. */
export function commitError(directory: string, error: unknown, isFlushed: boolean): Error {
  if (error instanceof Error && !isFlushed && isCutShort(error)) {
    const message = `write of the state store ${directory}: no room for the pages of a commit (${error.message})`;
    return new DiskError('ENOSPC', directory, message, error);
  }
  return storeError(directory, 'write', error);
}

/** LMDB's errors have the system's number, or its own; those of files have the name. */
function isFull(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return [ENOSPC, EDQUOT, MDB_MAP_FULL, 'ENOSPC', 'EDQUOT'].includes(code as number | string);
}

function isCutShort(error: Error): boolean {
  return (error as { code?: unknown }).code === EIO && !error.message.includes(REFUSED_WRITE);
}
