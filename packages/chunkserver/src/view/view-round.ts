/**
 * A primary brings its view to every member, itself included, before it serves (docs/protocol.md, "Views", step 4).
 *
 * A version that had no primary yet starts at the base that the master logged. A version that had one is taken under a higher term:
 * first every member refuses the earlier term and says what it has staged; then what not every member has, and what
 * therefore was never acknowledged, is dropped under one more term (docs/spec/mutations.md, "Taking a lease again").
 */
import { FsError, isFsError, toFsError } from '@cairnfs/base';
import type { ChunkView, InstallViewReply } from '@cairnfs/protocol';
import type { MutationContext } from '../mutation/mutation-context.ts';
import type { MutableReplica } from '../mutation/replica-port.ts';
import { isUnmade } from '../mutation/secondary.ts';
import { hidden, makeReplica, mayHideOf, notMade, withoutRoom } from './not-made.ts';
import { takeView } from './take-view.ts';
import { type Member, ViewCalls } from './view-calls.ts';

export type ViewRoundResult =
  /** Every member has staged exactly up to `sequence`, in `term`. */
  | { readonly kind: 'installed'; readonly replica: MutableReplica; readonly term: number; readonly sequence: number }
  | { readonly kind: 'membersFailed'; readonly failed: ReadonlyMap<number, FsError> }
  /** The state moved on while members were asked, or the server lease left them too little time: none is known to have failed. */
  | { readonly kind: 'superseded' };

/**
 * @param isCurrent whether the chunk lease that the round is for, and the server lease, still count; asked after every wait.
 * @param signal aborts when it does not: what still waits for a connection then would reach a server that was started anew, and
 * knows nothing of what was asked of it before.
 * @throws FsError when this server itself cannot take the view, or acknowledged data is missing somewhere.
 */
export async function runViewRound(
  context: MutationContext,
  view: ChunkView,
  isCurrent: () => boolean,
  signal: AbortSignal,
): Promise<ViewRoundResult> {
  const calls = new ViewCalls(context, signal);
  const isOver = (): boolean => calls.wereCutShort || !isCurrent();
  const found = context.replicas.find(view.handle);
  const create = view.baseSequence === 0 && (view.baseLength ?? 0) === 0 && isEmpty(found, view);
  if (found === undefined || isUnmade(found)) {
    if (!create) return failedHere(context, lostReplica(view));
    // The answer that brought the view may be late; what is promised while the others are asked ends the round.
    context.absences.check(view.handle, view.version);
    // Before an empty replica is made anywhere: afterwards nothing tells a member that lost its replica from one that
    // never had any.
    const others = await askOthers(context, calls, view);
    if (isOver()) return { kind: 'superseded' };
    if (others.failed.size > 0) return { kind: 'membersFailed', failed: others.failed };
    if (others.haveData) return failedHere(context, lostReplica(view));
    if (mayHideOf(context, view)) {
      return unmadeHere(context, view, view.sealed ? lostReplica(view) : hidden(context, view));
    }
  }
  let replica: MutableReplica;
  try {
    replica = found === undefined || isUnmade(found) ? makeReplica(context, view, found) : found;
  } catch (error) {
    if (!isFsError(error, 'NO_SPACE', 'DISK_FAILED')) throw error;
    return unmadeHere(context, view, error);
  }
  // A version without a term here has had no primary: stored by an upload, or taken because a read proved it, which the
  // other members may not have heard of.
  const isNew = view.version !== replica.log.version || replica.log.term === 0;
  let firstTerm = isNew ? 1 : replica.log.term + 1;
  let first = await installEverywhere(context, calls, { replica, view, term: firstTerm, fence: !isNew, create });
  if (isOver()) return { kind: 'superseded' };
  // The replica here is a copy, made since the version was taken that often: nobody has staged anything since either.
  const laterTerm = latestTerm(view, first.failed);
  const isCopy = laterTerm >= firstTerm;
  if (isCopy) {
    firstTerm = laterTerm + 1;
    first = await installEverywhere(context, calls, { replica, view, term: firstTerm, fence: true, create: false });
    if (isOver()) return { kind: 'superseded' };
  }
  const endsAtBase = isNew || isCopy;
  if (first.failed.size > 0) {
    return { kind: 'membersFailed', failed: create ? withoutRoom(view, first.failed) : first.failed };
  }
  const holdings = first.holdings;
  checkLengths(view, holdings);
  const sequence = endsAtBase ? view.baseSequence : lowestStaged(holdings);
  const lost = membersBelowCommit(holdings);
  if (lost.length > 0) {
    const error = lostData(view, holdings, sequence);
    return { kind: 'membersFailed', failed: new Map(lost.map((id) => [id, error])) };
  }
  if ([...holdings.values()].every(({ stagedSequence }) => stagedSequence === sequence)) {
    return { kind: 'installed', replica, term: firstTerm, sequence };
  }
  // Nobody has staged anything that is new to this server, unless it led the version and lost what it knew of it.
  if (endsAtBase) return failedHere(context, lostData(view, holdings, sequence));

  const term = firstTerm + 1;
  const base = { ...view, baseSequence: sequence };
  const second = await installEverywhere(context, calls, { replica, view: base, term, fence: false, create: false });
  if (isOver()) return { kind: 'superseded' };
  if (second.failed.size > 0) return { kind: 'membersFailed', failed: second.failed };
  return { kind: 'installed', replica, term, sequence };
}

/** The members other than this server. */
export function otherMembers(context: MutationContext, view: ChunkView): Member[] {
  const members = view.members.map((id, index) => ({ id, address: view.addresses[index] ?? '' }));
  return members.filter(({ id }) => id !== context.serverId());
}

interface Installation {
  readonly replica: MutableReplica;
  readonly view: ChunkView;
  readonly term: number;
  readonly fence: boolean;
  readonly create: boolean;
}

interface Holdings {
  readonly holdings: ReadonlyMap<number, InstallViewReply>;
  readonly failed: ReadonlyMap<number, FsError>;
}

async function installEverywhere(
  context: MutationContext,
  calls: ViewCalls,
  { replica, view, term, fence, create }: Installation,
): Promise<Holdings> {
  const holdings = new Map<number, InstallViewReply>();
  const failed = new Map<number, FsError>();
  const installThere = async (member: Member): Promise<void> => {
    try {
      holdings.set(member.id, await calls.install(member, { view, term, fence, create }));
    } catch (error) {
      failed.set(member.id, toFsError(error));
    }
  };
  const installHere = async (): Promise<void> => {
    try {
      holdings.set(context.serverId(), await takeView(replica, { view, term, fence }));
    } catch (error) {
      if (!isFsError(error, 'DISK_FAILED')) throw error;
      failed.set(context.serverId(), create ? notMade(context, view, error) : error); // it cannot lead: the view changes without it
    }
  };
  await Promise.all([installHere(), ...otherMembers(context, view).map(installThere)]);
  return { holdings, failed };
}

/** What the others hold of a chunk that this server has no replica of, by a view that makes none. */
async function askOthers(
  context: MutationContext,
  calls: ViewCalls,
  view: ChunkView,
): Promise<{
  readonly haveData: boolean;
  readonly failed: ReadonlyMap<number, FsError>;
}> {
  const failed = new Map<number, FsError>();
  let haveData = false;
  const ask = async (member: Member): Promise<void> => {
    try {
      const reply = await calls.install(member, { view, term: 1, fence: false, create: false });
      if (reply.stagedSequence > 0 || reply.committedLength > 0) haveData = true;
    } catch (error) {
      const cause = toFsError(error);
      if (cause.kind === 'CHUNK_NOT_FOUND') return;
      // A later term of this very version: it was served before.
      if (cause.kind === 'STALE_VERSION' && Number(cause.details.promisedVersion) === view.version) haveData = true;
      else failed.set(member.id, cause);
    }
  };
  await Promise.all(otherMembers(context, view).map(ask));
  return { haveData, failed };
}

/** This server cannot lead: the view changes without it. */
function failedHere(context: MutationContext, error: FsError): ViewRoundResult {
  return { kind: 'membersFailed', failed: new Map([[context.serverId(), error]]) };
}

/** It cannot make its replica of an empty chunk: the chunk ends. */
function unmadeHere(context: MutationContext, view: ChunkView, error: FsError): ViewRoundResult {
  return { kind: 'membersFailed', failed: withoutRoom(view, new Map([[context.serverId(), error]])) };
}

/**
 * Nothing was ever staged here at the version, which begins empty, so nothing was acknowledged: every member stages before
 * an acknowledgement. What an earlier version has left staged is in no base, and dropped.
 */
function isEmpty(replica: MutableReplica | undefined, { version }: ChunkView): boolean {
  if (replica === undefined) return true;
  const { log } = replica;
  const hasStaged = log.staged.length > 0 && log.version === version;
  return log.committedSequence === 0 && log.committedLength === 0 && !hasStaged;
}

/** The latest term of this very version for which members refuse an earlier one; 0 when none does. */
function latestTerm({ version }: ChunkView, failed: ReadonlyMap<number, FsError>): number {
  const terms = [...failed.values()].map(({ kind, details }) => {
    const isOfVersion = Number(details.version) === version && Number(details.promisedVersion) === version;
    return kind === 'STALE_VERSION' && isOfVersion ? Number(details.term ?? 0) : 0;
  });
  return Math.max(0, ...terms);
}

function lowestStaged(holdings: ReadonlyMap<number, InstallViewReply>): number {
  return Math.min(...[...holdings.values()].map(({ stagedSequence }) => stagedSequence));
}

/** Every member had staged what any of them committed; one that has less now has lost it. */
function membersBelowCommit(holdings: ReadonlyMap<number, InstallViewReply>): number[] {
  const committed = Math.max(...[...holdings.values()].map(({ committedSequence }) => committedSequence));
  return [...holdings].filter(([, { stagedSequence }]) => stagedSequence < committed).map(([id]) => id);
}

/** Uploads have no sequence numbers: the same sequence 0 may stand for different lengths. */
function checkLengths(view: ChunkView, holdings: ReadonlyMap<number, InstallViewReply>): void {
  const all = [...holdings.values()];
  if (all.some(({ stagedSequence }) => stagedSequence !== 0)) return;
  const lengths = all.map(({ committedLength }) => committedLength);
  if (lengths.every((length) => length === lengths[0])) return;
  throw new FsError(
    'DAMAGED',
    `chunk ${view.handle}: its members hold ${lengths.join(', ')} bytes and the view of version ${view.version} names no ` +
      'length; it is not opened on a guess',
  );
}

function lostReplica({ handle, version }: ChunkView): FsError {
  return new FsError('CHUNK_NOT_FOUND', `this server has lost its replica of chunk ${handle}, version ${version}`);
}

function lostData(view: ChunkView, holdings: ReadonlyMap<number, InstallViewReply>, sequence: number): FsError {
  const held = [...holdings].map(([id, { committedSequence, stagedSequence }]) => {
    return `server ${id}: committed ${committedSequence}, staged ${stagedSequence}`;
  });
  return new FsError(
    'DAMAGED',
    `chunk ${view.handle}: the view of version ${view.version} would start at sequence ${sequence}, but its members hold ` +
      `other data (${held.join('; ')}); a member has lost acknowledged mutations, so the chunk is not opened`,
  );
}
