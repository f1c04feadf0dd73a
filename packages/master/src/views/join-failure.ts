/** The server that was to join a view failed at it, whatever the others did: it does not answer, or refuses. */
import { FsError } from '@cairnfs/base';

export class JoinFailure extends FsError {
  constructor(server: number, { kind, message, details }: FsError) {
    super(kind, `server ${server} did not join: ${message}`, { details: { ...details, server } });
  }
}
