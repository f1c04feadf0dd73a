import { type ErrorCode, FsError } from '@cairnfs/base';

const KINDS: Record<string, ErrorCode> = {
  ECONNREFUSED: 'CONNECTION_REFUSED',
  ENOTFOUND: 'NAME_UNRESOLVED',
  EAI_AGAIN: 'NAME_UNRESOLVED',
  ETIMEDOUT: 'DEADLINE_EXCEEDED',
  EADDRINUSE: 'UNAVAILABLE',
  EACCES: 'UNAVAILABLE',
  EADDRNOTAVAIL: 'INVALID_ARGUMENT',
};

/** @param what the sentence's beginning, for example "No connection to master:9000". */
export function networkError(what: string, error: unknown): FsError {
  if (error instanceof FsError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  return new FsError(KINDS[code] ?? 'CONNECTION_LOST', `${what}: ${reasonOf(code, error as Error)}`, { cause: error });
}

function reasonOf(code: string, error: Error): string {
  const { hostname = '' } = error as Error & { hostname?: string };
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there (ECONNREFUSED)';
    case 'ENOTFOUND':
      return `the name ${hostname} does not resolve on this machine (ENOTFOUND): check its spelling, and DNS or /etc/hosts here`;
    case 'EAI_AGAIN':
      return `no name server tells where ${hostname} is (EAI_AGAIN): check the DNS settings and the network of this machine`;
    default:
      return error.message || code;
  }
}
