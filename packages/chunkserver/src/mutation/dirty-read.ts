/**
 * Reads of a chunk that is being changed (CRAQ): a replica that has staged bytes in the range asks the primary which of
 * them are committed. What was acknowledged is staged at every member, so a range without staged bytes needs no question.
 */

import { FsError, toFsError } from '@cairnfs/base';
import { ChunkserverPeerMethods } from '@cairnfs/protocol';
import { commitReplica } from './commit.ts';
import { PEER_CALL_TIMEOUT_MS } from './limits.ts';
import type { MutationContext } from './mutation-context.ts';
import type { Primaries } from './primaries.ts';
import type { MutableReplica } from './replica-port.ts';

export interface ReadRange {
  readonly offset: number;
  readonly length: number;
}

/** Whether the committed bytes of the range, as this replica knows them now, are all that was acknowledged of it. */
export function isSettled(replica: MutableReplica, primaries: Primaries, { offset, length }: ReadRange): boolean {
  if (replica.log.staged.length === 0) return true;
  return primaries.isServing(replica.handle) || !replica.log.isDirty(offset, offset + length);
}

/**
 * Brings the replica's commit point up to the primary's as of some moment after the call. Afterwards the range may be
 * read up to `log.committedLength`.
 *
 * @throws FsError STALE_VERSION  the view changed meanwhile; UNAVAILABLE  the primary does not tell.
 */
export async function settleRead(
  context: MutationContext,
  primaries: Primaries,
  replica: MutableReplica,
): Promise<void> {
  const { handle, log, view } = replica;
  const { version } = log;
  const address = view?.addresses[0];
  if (view?.members[0] === context.serverId()) {
    await primaries.untilServing(handle, version);
    log.checkVersion(version);
    return;
  }
  if (address === undefined) throw primarySilent(handle, 'its address is not known here');
  try {
    const channel = context.peers.channel(address);
    const options = { timeoutMs: PEER_CALL_TIMEOUT_MS };
    const { message } = await channel.call(ChunkserverPeerMethods.getCommitPoint, { handle, version }, options);
    log.checkVersion(version);
    commitReplica(replica, Math.min(message.committedSequence, log.durableSequence));
  } catch (error) {
    const cause = toFsError(error);
    if (cause.kind === 'STALE_VERSION') throw cause;
    throw primarySilent(handle, cause.message);
  }
}

function primarySilent(handle: string, why: string): FsError {
  return new FsError(
    'UNAVAILABLE',
    `chunk ${handle}: bytes of the range are staged here and its primary does not say whether they are committed (${why}); ` +
      'read another replica, or try again',
  );
}
