/**
 * Copies beside the members of a closed chunk: of a member that was left out and came back, or a clone that never joined.
 * Which of them holds what the chunk holds is told by versions and sequence numbers (docs/spec/views.md, "A copy is taken
 * back").
 */
import { FsError } from '@cairnfs/base';
import { ReplicaCondition as Condition, type PrepareViewReply, type ReplicaReport } from '@cairnfs/protocol';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';

/** A copy that holds all of the chunk up to where it was closed. */
export interface Rejoins {
  /** The last version that it was in sync at. */
  readonly inSyncAt: number;
  /** Where the chunk ended when it was looked at. */
  readonly sequence: number;
  /** What the copy must know to be committed, because that version alone proves nothing. */
  readonly committedSequence: number;
}

/**
 * Whether the copy holds all of the closed chunk, so that it may be taken back. Either it was in sync when the chunk got its
 * last mutation, or later; or it knows by itself that this mutation was committed: there is only one history. A clone that
 * never joined was in sync at no version, and has nothing but what it knows to be committed.
 *
 * @returns undefined when that cannot be told.
 */
export function asSpare(chunk: Chunk, report: ReplicaReport): Rejoins | undefined {
  const { sequence, length } = chunk;
  const isKnown = chunk.state === ChunkState.CHUNK_STATE_CLOSED && (sequence > 0 || length > 0);
  if (!isKnown || !isWhole(report)) return undefined;
  if (report.isLearner && report.sequence !== sequence) return undefined; // what its chunk got since did not reach it
  const settledVersion = chunk.settledVersion || chunk.version;
  const beganVersion = chunk.beganVersion || settledVersion;
  const inSyncAt = inSyncVersion(report);
  if (inSyncAt >= settledVersion) return { inSyncAt, sequence, committedSequence: 0 };
  const isCommitted = sequence > 0 && report.sequence === sequence && report.length === length;
  return isCommitted && inSyncAt >= beganVersion ? { inSyncAt, sequence, committedSequence: sequence } : undefined;
}

/** The last version that the replica was in sync at: installed, or promised as one that stays. */
export function inSyncVersion({ version, pendingVersion, removed, keptVersion }: ReplicaReport): number {
  return removed ? Math.max(version, keptVersion) : Math.max(version, pendingVersion);
}

function isWhole({ condition }: ReplicaReport): boolean {
  return condition === Condition.REPLICA_CONDITION_PRESENT || condition === Condition.REPLICA_CONDITION_UPLOADING;
}

/** @throws FsError UNAVAILABLE  the chunk was opened, or mutated, since the copy was looked at. */
export function checkUnchanged(handle: string, { state, sequence }: Chunk, rejoins: Rejoins): void {
  if (state === ChunkState.CHUNK_STATE_CLOSED && sequence === rejoins.sequence) return;
  const message = `chunk ${handle} was opened again: no copy beside its members can be taken back now`;
  throw new FsError('UNAVAILABLE', message, { details: { handle } });
}

/** The copy ends where the log says that the chunk does; an upload may have left more bytes than were confirmed. */
export function endsAs({ sequence, length }: Chunk, reply: PrepareViewReply): boolean {
  const { stagedSequence, committedSequence, committedLength, lengthsAfter } = reply;
  if (stagedSequence < sequence || committedSequence > sequence) return false;
  if (sequence === 0) return committedLength >= length;
  const lengthThere = sequence === committedSequence ? committedLength : lengthsAfter[sequence - committedSequence - 1];
  return lengthThere === length;
}
