/** What the answers of an attempt to change a view say together: who holds what, who is silent, and who never had anything. */
import type { FsError } from '@cairnfs/base';
import type { PrepareViewReply } from '@cairnfs/protocol';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import {
  type CommittedEnd,
  checkHoldings,
  countedOf,
  isUntouched,
  isWhole,
  ledTo,
  mayHide,
  mostCommitted,
  type Prepared,
} from './holdings.ts';
import type { Leave } from './member-calls.ts';

type Silent = Extract<Prepared, { error: FsError }>;

export interface Answers {
  /** Where the chunk ends at least, as far as anybody knows. */
  readonly known: CommittedEnd;
  /** Of those who know what was committed under the view that ends. */
  readonly said: readonly Pick<PrepareViewReply, 'committedSequence' | 'committedLength' | 'hasLed'>[];
  /** Of those who stay and hold what is committed. */
  readonly replies: readonly PrepareViewReply[];
  /** Those who are to stay and do not, or hold less. */
  readonly silent: readonly Silent[];
  /** Those of them who have no replica, and are as good as empty ones. */
  readonly empty: readonly Silent[];
  /** Members that hold less than is committed. */
  readonly behind: readonly number[];
  /** Those whose replica is not what the chunk is, and has to be replaced: made late, or less than is committed. */
  readonly outdated: readonly number[];
  /** No mutation that counts ever reached the chunk. */
  readonly untouched: boolean;
  /** Nor one that does not count: what a lost replica may hold, and would show. */
  readonly isEmpty: boolean;
}

/**
 * @param question.pending the chunk, its view pending.
 * @param question.minimum members that never lose their replicas together.
 * @param question.rejoining who is taken back: it tells nothing of the others.
 */
export function judgeAnswers(
  question: { handle: string; pending: Chunk; minimum: number; rejoining: number | undefined },
  { stayed, left }: { stayed: readonly Prepared[]; left: readonly Leave[] },
): Answers {
  const { handle, pending, minimum, rejoining } = question;
  const counted = <T extends Prepared | Leave>(one: T): T =>
    'reply' in one ? { ...one, reply: countedOf(pending, one.reply) } : one;
  const staying = stayed.map(counted);
  const held = left.flatMap((leave) => (leave.kind === 'promised' ? [counted(leave).reply] : []));
  const inSync = staying.filter(({ member }) => member !== rejoining);
  const said = [
    ...inSync.flatMap((one) => ('reply' in one ? [one.reply] : [])),
    ...left.flatMap((leave) => {
      if (leave.kind === 'promised') return [leave.reply];
      return leave.kind === 'absent' ? ledTo(leave.error) : [];
    }),
  ];
  const known = mostCommitted(pending, said);
  const answered = staying.map((prepared) => checkHoldings(handle, known, prepared));
  const replies = answered.filter((prepared) => 'reply' in prepared).map(({ reply }) => reply);
  const silent = answered.filter((prepared) => 'error' in prepared);
  const isEveryoneHeard =
    left.every((leave) => leave.kind === 'behind' || (leave.kind === 'absent' && !mayHide(leave.error))) &&
    silent.every(({ error }) => isAbsent(error) || isLate(pending, error));
  // Nothing is acknowledged without each of its members. A member's copy is ordered away only of a closed chunk.
  const hasNeverStaged =
    left.some((leave) => leave.kind === 'absent' && isWhole(leave.error)) ||
    silent.some(({ member, error }) => pending.members.includes(member) && isAbsent(error) && isWhole(error));
  // Of a chunk that is not open the log knows the end.
  const isProven =
    pending.state !== ChunkState.CHUNK_STATE_OPEN ||
    replies.length + held.length > 0 ||
    isEveryoneHeard ||
    hasNeverStaged ||
    silent.filter(({ error }) => isAbsent(error)).length >= minimum;
  const untouched = isUntouched(pending, [...replies, ...held]);
  const empty = silent.filter(({ error }) => isProven && untouched && error.kind === 'CHUNK_NOT_FOUND');
  const answering = staying.flatMap((one) => ('reply' in one ? [one.member] : []));
  const silentIds = new Set(silent.map(({ member }) => member));
  const behind = answering.filter((member) => silentIds.has(member) && pending.members.includes(member));
  const late = silent.filter(({ error }) => isLate(pending, error)).map(({ member }) => member);
  const outdated = [...behind, ...late];
  const isEmpty = untouched && [...stayed, ...left].every((one) => !('reply' in one) || one.reply.stagedSequence === 0);
  return { known, said, replies, silent, empty, behind, outdated, untouched, isEmpty };
}

/** The replica was made late, by a message of a view that ended before anything was acknowledged; also when it has promised to leave since. */
function isLate({ version }: Chunk, { kind, details }: FsError): boolean {
  return kind === 'STALE_VERSION' && Number(details.keptVersion ?? details.promisedVersion) < version;
}

const isAbsent = (error: FsError): boolean => error.kind === 'CHUNK_NOT_FOUND' && !mayHide(error);
