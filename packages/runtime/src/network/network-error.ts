import { type ErrorCode, FsError } from '@cairnfs/base';

const KINDS: Record<string, ErrorCode> = {
  ECONNREFUSED: 'CONNECTION_REFUSED',
  ETIMEDOUT: 'DEADLINE_EXCEEDED',
  EADDRINUSE: 'UNAVAILABLE',
  EACCES: 'UNAVAILABLE',
  EADDRNOTAVAIL: 'INVALID_ARGUMENT',
};

/** @param what the sentence's beginning, for example "No connection to master:9000". */
export function networkError(what: string, error: unknown): FsError {
  if (error instanceof FsError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const why = code === 'ECONNREFUSED' ? 'nobody listens there (ECONNREFUSED)' : message || code;
  return new FsError(KINDS[code] ?? 'CONNECTION_LOST', `${what}: ${why}`, { cause: error });
}
