/** What a caller can know of a peer that is not the server it was taken for: facts that travel in the details of errors. */
import { type ErrorDetails, type FsError, isFsError } from '@cairnfs/base';

const CLOSED_UNHEARD: ErrorDetails = { closedUnheard: true };

/** Details of a CONNECTION_REFUSED: the peer took the connection and closed it before it said a word. */
export function closedUnheard(): ErrorDetails {
  return CLOSED_UNHEARD;
}

/** A server of ours closes a connection so while it starts or stops; what goes on doing so is none. */
export function isClosedUnheard(error: FsError): boolean {
  return isFsError(error, 'CONNECTION_REFUSED') && error.details.closedUnheard === true;
}

/** Details of an UNKNOWN_METHOD: the services that have methods here. */
export function served(methods: readonly { readonly name: string }[]): ErrorDetails {
  return { services: [...new Set(methods.map(serviceOf))].join(',') };
}

/** Which server an UNKNOWN_METHOD came from, when it is one of the other kind; undefined when it is only of another version. */
export function otherKindOfServer(
  error: FsError,
  method: { readonly name: string },
): 'master' | 'chunkserver' | undefined {
  const { services } = error.details;
  if (!isFsError(error, 'UNKNOWN_METHOD') || typeof services !== 'string') return undefined;
  const names = services.split(',');
  if (names.includes(serviceOf(method))) return undefined;
  if (names.includes('Master')) return 'master';
  return names.includes('ChunkserverData') ? 'chunkserver' : undefined;
}

/** 'Master' of 'Master.Stat'. */
function serviceOf({ name }: { readonly name: string }): string {
  return name.slice(0, name.indexOf('.'));
}
