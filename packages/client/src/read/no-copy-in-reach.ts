/** What a reader is told when none of a chunk's servers answers: of all of them, not of the one that was asked last. */
import { FsError } from '@cairnfs/base';

export function noCopyInReach(
  chunk: { readonly handle: string; readonly replicas: readonly { readonly address: string }[] },
  lastFailure: FsError | undefined,
): FsError {
  const { handle, replicas } = chunk;
  // The master knows no address of one that has not come back since the master started.
  const known = replicas.map(({ address }) => address).filter((address) => address !== '');
  const where = known.length === 0 ? '' : ` (${known.join(', ')})`;
  return new FsError('UNAVAILABLE', `no copy of chunk ${handle} is in reach: none of ${replicas.length}${where}`, {
    details: { copiesOutOfReach: replicas.length },
    ...(lastFailure !== undefined && { cause: lastFailure }),
  });
}
