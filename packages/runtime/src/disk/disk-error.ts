import { DiskError } from '@cairnfs/base';

/**
 * Puts the operation and the path before what Node says. Errors without a POSIX code are our own mistakes: unchanged.
 */
export function diskError(operation: string, path: string, error: unknown): Error {
  if (error instanceof DiskError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || code.startsWith('ERR_')) return error as Error;
  return new DiskError(code, path, `${operation} of ${path}: ${message}`, error);
}

/** Runs `work`, turning its error into a `DiskError`. */
export async function asDiskError<T>(operation: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw diskError(operation, path, error);
  }
}
