/**
 * What the answers to `PrepareView` prove of a chunk: where it ends, who has lost what is committed, and whether a mutation ever
 * reached it (docs/spec/views.md).
 */
import { assert, FsError } from '@cairnfs/base';
import type { PrepareViewReply } from '@cairnfs/protocol';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';

/** What a member said, or why it said nothing. */
export type Prepared =
  | { readonly member: number; readonly reply: PrepareViewReply }
  | { readonly member: number; readonly error: FsError };

/**
 * Of what a member says, all that may ever have been acknowledged. What it has staged and not committed does not count when
 * it was staged before the view that ends, which it has only promised: it was left out of the base of that view, or lies
 * below it; and nothing can have been acknowledged under a view that not every member installed. Of a chunk that is not open
 * the log knows the end anyway.
 */
export function countedOf({ state, version, sequence }: Chunk, reply: PrepareViewReply): PrepareViewReply {
  const { installedVersion, stagedSequence, committedSequence, committedLength } = reply;
  const isOfView = installedVersion === 0 || installedVersion >= version; // 0: a server of before does not say
  if (state !== ChunkState.CHUNK_STATE_OPEN || isOfView) return reply;
  const end = Math.max(sequence, committedSequence);
  if (stagedSequence <= end) return reply;
  const lengthsAfter = reply.lengthsAfter.slice(0, end - committedSequence);
  return { ...reply, stagedSequence: end, stagedLength: lengthsAfter.at(-1) ?? committedLength, lengthsAfter };
}

/**
 * Everything acknowledged was staged by every member, so the least that a member has staged covers it. Of a closed chunk
 * the log knows the end: what was staged behind it was never acknowledged.
 *
 * @param replies as `countedOf` has them.
 * @param end where all ends that was ever acknowledged, when that is known and nothing is to go beyond.
 */
export function baseOf(
  chunk: Chunk,
  replies: readonly PrepareViewReply[],
  end?: CommittedEnd,
): Pick<Chunk, 'baseSequence' | 'sequence' | 'length'> {
  const { sequence, length } = chunk;
  if (chunk.state !== ChunkState.CHUNK_STATE_OPEN || replies.length === 0)
    return { baseSequence: sequence, sequence, length };
  const least = Math.min(...replies.map(({ stagedSequence }) => stagedSequence));
  assert(least >= sequence, () => `a member that ends at ${least} counts in a chunk that reaches ${sequence}`);
  if (end !== undefined) {
    assert(least >= end.sequence, () => `a member that ends at ${least} counts where ${end.sequence} is committed`);
    return { baseSequence: end.sequence, ...end };
  }
  if (least === sequence) return { baseSequence: least, sequence, length };
  for (const { committedSequence, committedLength, lengthsAfter } of replies) {
    if (least === committedSequence) return { baseSequence: least, sequence: least, length: committedLength };
    const after = least > committedSequence ? lengthsAfter[least - committedSequence - 1] : undefined;
    if (after !== undefined) return { baseSequence: least, sequence: least, length: after };
  }
  throw new FsError('DAMAGED', `no member could tell the length of the chunk at sequence ${least}`);
}

export type CommittedEnd = Pick<Chunk, 'sequence' | 'length'>;

type Committed = Pick<PrepareViewReply, 'committedSequence' | 'committedLength' | 'hasLed'>;

/** Where the chunk ends at least: what the log knows, or one of its replicas. Each commit needed READY from all of them. */
export function mostCommitted({ sequence, length }: CommittedEnd, said: readonly Committed[]): CommittedEnd {
  let most: CommittedEnd = { sequence, length };
  for (const { committedSequence, committedLength } of said) {
    if (committedSequence > most.sequence) most = { sequence: committedSequence, length: committedLength };
  }
  return most;
}

/** What a primary without its replica says that it committed at the version which ends; nothing when it does not know. */
export function ledTo({ details }: FsError): Committed[] {
  const { ledSequence, ledLength } = details;
  if (ledSequence === undefined) return [];
  return [{ committedSequence: Number(ledSequence), committedLength: Number(ledLength), hasLed: true }];
}

/** A member that has less than is known to be committed has lost it, and counts as one that failed. */
export function checkHoldings(handle: string, { sequence, length }: CommittedEnd, prepared: Prepared): Prepared {
  if (!('reply' in prepared)) return prepared;
  const { stagedSequence, committedLength } = prepared.reply;
  const isBehind = stagedSequence < sequence || (stagedSequence === 0 && committedLength < length);
  if (!isBehind) return prepared;
  const held = `sequence ${stagedSequence} and ${committedLength} bytes`;
  const message = `server ${prepared.member} holds ${held} of chunk ${handle}, committed are sequence ${sequence} and ${length} bytes`;
  return { member: prepared.member, error: new FsError('DAMAGED', message, { details: { handle } }) };
}

/**
 * No mutation ever reached the chunk, as far as those who answered know: then members without a replica are as good as
 * any, because the first mutation makes it. Where anyone has staged, every member had a replica, and who has none lost it.
 * Of an open chunk one empty replica proves it, so does one member without a replica that never lost a disk, and so do as
 * many without one as never lose theirs together; another single one proves nothing while one that is unheard may hold it all.
 */
export function isUntouched(chunk: Chunk, replies: readonly PrepareViewReply[]): boolean {
  if (hasData(chunk)) return false;
  // Of one that is not open the log knows the end: what was staged behind it was never acknowledged, and is dropped.
  if (chunk.state !== ChunkState.CHUNK_STATE_OPEN) return true;
  return replies.every(({ stagedSequence, committedLength }) => stagedSequence === 0 && committedLength === 0);
}

/** The member says that it has no replica, and has a disk out of service that may hold one: that proves nothing. */
export const mayHide = ({ details }: FsError): boolean => Number(details.hidden ?? 0) > 0;

/** The member says that it has no replica, and never lost a disk: it never had one. */
export const isWhole = ({ kind, details }: FsError): boolean =>
  kind === 'CHUNK_NOT_FOUND' && Number(details.whole ?? 0) > 0;

/** Each of its members has a replica, or has lost it. */
const hasData = ({ sequence, length }: Chunk): boolean => sequence > 0 || length > 0;
