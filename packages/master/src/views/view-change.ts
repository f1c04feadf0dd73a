/**
 * The change of a chunk's view: the one way in which its version, members or primary change (PacificA; docs/spec/views.md).
 *
 *     log pending -> PrepareView to all who stay and all who leave -> log confirmed
 *
 * A version number is used for one attempt only; the same members go on with the one that is pending. Those who stay
 * promise it and refuse the old one; those who leave either promise too or have lost their server lease. Then what is
 * acknowledged later is acknowledged under the new view alone.
 */
import { assert, FsError } from '@cairnfs/base';
import type { Exception, ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import { minimumOf } from '../config.ts';
import type { MasterContext, SafeMode } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { PATIENCE_WITH_SEVERAL, VIEW_ATTEMPTS_MAX } from '../limits.ts';
import { closeChunk } from '../state/close-chunk.ts';
import type { Transaction } from '../state/transaction.ts';
import { judgeAnswers } from './answers.ts';
import { chooseMembers } from './choose-members.ts';
import type { Departures } from './departures.ts';
import { baseOf, mayHide } from './holdings.ts';
import { JoinFailure } from './join-failure.ts';
import type { LeaseTable } from './lease-table.ts';
import { MemberCalls } from './member-calls.ts';
import { checkUnchanged, type Rejoins } from './spare-copy.ts';

export interface ViewWish {
  /** Members that must not stay, whatever they answer. */
  readonly without?: readonly number[];
  /** A server that holds a clone at the current version and joins; without it there is no new view. */
  readonly joining?: number;
  /** The one that joins is no clone, but is taken back. */
  readonly rejoins?: Rejoins;
  /** All members leave: the chunk is garbage. */
  readonly retire?: boolean;
  /** If it is open it is closed and sealed at its base, in the same record. */
  readonly ends?: boolean;
}

type Outcome =
  | { readonly kind: 'confirmed'; readonly chunk: Chunk }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      readonly failed: readonly number[];
      /** They count as empty under another version than the one that went on. */
      readonly withoutReplica?: readonly Absent[];
      /** What became of the one that was to join. */
      readonly joinFailure: JoinFailure | undefined;
    };

/** Without a replica, by what it said in this session. */
interface Absent {
  readonly member: number;
  readonly session: number | undefined;
}

export class ViewChanges {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #conditions: ReplicaConditions;
  readonly #leases: LeaseTable;
  readonly #departures: Departures;
  readonly #safeMode: SafeMode;
  readonly #calls: MemberCalls;
  readonly #running = new Map<string, Promise<Chunk>>();
  /** Runs when a server that still has a replica is no member any more. */
  onLeft: (server: number, handle: string, version: number) => void = () => {};

  constructor(
    context: MasterContext,
    parts: {
      servers: ServerTable;
      conditions: ReplicaConditions;
      leases: LeaseTable;
      departures: Departures;
      safeMode: SafeMode;
    },
  ) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#conditions = parts.conditions;
    this.#leases = parts.leases;
    this.#departures = parts.departures;
    this.#safeMode = parts.safeMode;
    this.#calls = new MemberCalls(context, parts);
  }

  isRunning(handle: string): boolean {
    return this.#running.has(handle);
  }

  /** Resolves when no change of this chunk is under way, however it ended. */
  async whenIdle(handle: string): Promise<void> {
    while (this.#running.has(handle)) await this.#running.get(handle)?.catch(() => undefined); // its callers hear of it
  }

  /**
   * Changes the view; one change of a chunk at a time. Resolves with the chunk as confirmed. When the one that is to join
   * fails, what is pending stays so, and is settled without it (views/recovery.ts).
   *
   * @throws FsError VIEW_TOO_SMALL  too few members are in reach; CHUNK_NOT_FOUND  it is gone.
   * @throws FsError UNAVAILABLE  a copy was to be taken back, and the chunk was opened again meanwhile.
   * @throws JoinFailure STALE_VERSION or CHUNK_NOT_FOUND  the copy that was to join is not what the chunk is; others tell
   * why its server did not answer.
   */
  async change(handle: string, wish: ViewWish = {}): Promise<Chunk> {
    // The check and the start are one step: of several callers that waited, one starts and the others wait again.
    while (this.#running.has(handle)) await this.#running.get(handle)?.catch(() => undefined); // its callers hear of it
    const work = this.#attempts(handle, wish).finally(() => this.#running.delete(handle));
    this.#running.set(handle, work);
    return work;
  }

  async #attempts(handle: string, wish: ViewWish): Promise<Chunk> {
    const failed = new Set(wish.without ?? []);
    let reason = 'no attempt was made';
    let withoutReplica: readonly Absent[] = [];
    for (let attempt = 0; attempt < VIEW_ATTEMPTS_MAX; attempt += 1) {
      const outcome = await this.#attempt(handle, wish, { failed, isAnew: withoutReplica.length > 0 });
      if (outcome.kind === 'confirmed') return outcome.chunk;
      if (outcome.joinFailure !== undefined) throw outcome.joinFailure;
      reason = outcome.reason;
      // Another one's slow disk is not in time for a version of its own: what goes on then has to do without them. Where all
      // are without a replica nobody is slow for having one, and there is nothing to go on with.
      const isSlowToPromise = outcome.failed.some(
        (failing) => !withoutReplica.some(({ member }) => member === failing),
      );
      if (isSlowToPromise) {
        for (const { member, session } of withoutReplica) this.#note(member, session, { handle, exception: 'missing' });
      }
      withoutReplica = outcome.withoutReplica ?? [];
      for (const member of outcome.failed) failed.add(member);
    }
    throw new FsError('VIEW_TOO_SMALL', `the view of chunk ${handle} could not be changed: ${reason}`, {
      details: { handle },
    });
  }

  async #attempt(
    handle: string,
    wish: ViewWish,
    { failed, isAnew }: { failed: ReadonlySet<number>; isAnew: boolean },
  ): Promise<Outcome> {
    const before = this.#chunk(handle);
    assert(before.state !== ChunkState.CHUNK_STATE_UPLOADING, () => `${handle}: a view change while it is uploaded`);
    const proposed = wish.retire ? [] : this.#propose(handle, before, wish, failed);
    const { pending, goesOn } = await this.#context.decisions.perform('viewPending', (transaction) => {
      const chunk = transaction.chunk(handle);
      if (chunk === undefined) throw gone(handle);
      if (wish.rejoins !== undefined) checkUnchanged(handle, chunk, wish.rejoins);
      if (wish.joining === undefined && !isAnew && isPending(chunk, proposed)) return { pending: chunk, goesOn: true };
      const version = chunk.highestVersion + 1;
      const logged = { ...chunk, highestVersion: version, pendingVersion: version, pendingMembers: proposed };
      transaction.putChunk(handle, logged);
      return { pending: logged, goesOn: false };
    });
    const { pendingVersion: version, pendingMembers: members } = pending;
    const leaving = pending.members.filter((member) => !members.includes(member));
    const sessions = new Map(members.map((member) => [member, this.#servers.get(member)?.session]));
    const askedAtMs = this.#context.seams.clock.nowMs();
    const [stayed, left] = await Promise.all([
      Promise.all(
        members.map((member) =>
          this.#calls.stays(handle, pending, member, member === wish.joining ? wish.rejoins : undefined),
        ),
      ),
      Promise.all(leaving.map((member) => this.#calls.leaves(handle, pending, member))),
    ]);
    const minimum = minimumOf(this.#context.config, pending.goal);
    // One that is taken back tells nothing of the others.
    const rejoining = wish.rejoins === undefined ? undefined : wish.joining;
    const answers = judgeAnswers({ handle, pending, minimum, rejoining }, { stayed, left });
    const { known, said, replies, empty, behind, outdated, untouched, isEmpty } = answers;
    if (behind.length > 0) await this.#logBehind(handle, behind);
    let { silent } = answers;
    if (empty.length > 0) {
      const others = silent.filter((one) => !empty.includes(one));
      // It may have promised this very version with a replica that it has lost since: should that turn up, it would pass for
      // in sync. Of another version it does not.
      if (goesOn) {
        const withoutReplica = empty.map(({ member }) => ({ member, session: sessions.get(member) }));
        const ids = empty.map(({ member }) => member).join(', ');
        const reason = `without a replica are servers ${ids}, which may have had one when the attempt began`;
        const failed = others.map(({ member }) => member);
        return { kind: 'failed', reason, failed, joinFailure: undefined, withoutReplica };
      }
      silent = others;
    }
    for (const { member, error } of silent) {
      if (!pending.members.includes(member)) continue;
      const note = (exception: Exception) => this.#note(member, sessions.get(member), { handle, exception });
      // It has lost its replica, or cannot reach it for as long as a disk is out of service; should that return, it is looked at.
      if (error.kind === 'CHUNK_NOT_FOUND' && !untouched) note('missing');
      if (outdated.includes(member)) note('stale'); // it is replaced
    }
    if (silent.length > 0) {
      const reason = silent.map(({ member, error }) => `server ${member}: ${error.message}`).join('; ');
      const joining = silent.find(({ member }) => member === wish.joining);
      const joinFailure = joining === undefined ? undefined : new JoinFailure(joining.member, joining.error);
      return { kind: 'failed', reason, failed: silent.map(({ member }) => member), joinFailure };
    }
    // Whether they leave, or stay as empty ones.
    const absent = [
      ...empty.map((one) => ({ ...one, session: sessions.get(one.member) })),
      ...left.flatMap((leave, index) => (leave.kind === 'absent' ? [{ ...leave, member: leaving[index]! }] : [])),
    ];
    const chunk = await this.#context.decisions.perform('viewConfirmed', (transaction) => {
      const current = transaction.chunk(handle);
      if (current === undefined) throw gone(handle);
      assert(current.pendingVersion === version, () => `${handle}: pending ${current.pendingVersion}, not ${version}`);
      if (wish.joining !== undefined) this.#checkNotShownSince(handle, wish.joining, askedAtMs);
      // Who was started anew since may have the disk again that held it, and serves the old version since it is back.
      if (absent.some(({ member, session }) => this.#servers.get(member)?.session !== session)) return undefined;
      // Where nothing will be acknowledged any more, what nobody was told of is left out: a copy that returns has the rest.
      const isTooSmall = members.length < minimumOf(this.#context.config, current.goal);
      const end = isTooSmall && said.some(({ hasLed }) => hasLed) ? known : undefined;
      const base = baseOf(current, replies, end);
      // All that a primary committed, each member of its view has staged.
      const reachedAt = end === undefined ? version : current.version;
      const settledVersion = base.sequence > current.sequence ? reachedAt : current.settledVersion;
      // Should a replica turn up after all, with something in it, it has no part in what comes now.
      const isTakenForEmpty = current.state === ChunkState.CHUNK_STATE_OPEN && replies.length === 0;
      const beganVersion = isTakenForEmpty ? version : current.beganVersion;
      const decided = { version, members, settledVersion, beganVersion, disks: [], ...base };
      const confirmed = { ...current, ...decided, pendingVersion: 0, pendingMembers: [], behindMembers: [] };
      transaction.putChunk(handle, confirmed);
      this.#closeIfOver(transaction, handle, confirmed, wish);
      for (const [index, member] of leaving.entries()) {
        const leave = left[index]!;
        if (leave.kind === 'runOut') this.#departures.confirm(transaction, member, handle, leave.departure);
      }
      const mayReturn = absent.filter(({ error }) => !isEmpty || mayHide(error));
      for (const { member } of mayReturn) this.#departures.confirmLost(transaction, member);
      return transaction.chunk(handle)!;
    });
    if (chunk === undefined) {
      const reason = 'a server without a replica registered again meanwhile, and may have one now';
      return { kind: 'failed', reason, failed: [], joinFailure: undefined };
    }
    this.#leases.free(handle);
    for (const [index, member] of leaving.entries()) {
      this.#conditions.clear(member, handle);
      // A copy that is not in sync is there all the same, and in the way of a better one.
      if (left[index]!.kind !== 'absent') this.onLeft(member, handle, version);
    }
    this.#context.seams.log.info('view changed', { handle, version, members, left: leaving });
    return { kind: 'confirmed', chunk };
  }

  /**
   * Who holds more may be out of reach in the next attempt, and after a start: without it nothing else tells that what these
   * hold is not all that was acknowledged.
   */
  #logBehind(handle: string, behind: readonly number[]): Promise<void> {
    return this.#context.decisions.perform('membersBehind', (transaction) => {
      const chunk = transaction.chunk(handle);
      if (chunk === undefined) throw gone(handle);
      transaction.putChunk(handle, { ...chunk, behindMembers: [...chunk.behindMembers, ...behind] });
    });
  }

  /**
   * What an answer says of a member's replica. A server that has registered since may have a disk back, and its inventory tells
   * of it: nothing older counts.
   */
  #note(
    member: number,
    session: number | undefined,
    { handle, exception }: { handle: string; exception: Exception },
  ): void {
    if (this.#servers.get(member)?.session === session) this.#conditions.set(member, handle, exception);
  }

  /**
   * An inventory of the server that joins, also one on its way in, is compared with the view before, which it is no member of: a
   * copy that went with a disk since it promised would be missed by nobody.
   */
  #checkNotShownSince(handle: string, joining: number, askedAtMs: number): void {
    const shownAtMs = this.#servers.get(joining)?.inventoryBegunAtMs ?? askedAtMs; // one that was forgotten has no copy that counts
    if (shownAtMs < askedAtMs) return;
    const message = 'it has shown anew what it holds meanwhile, and may not have the copy any more';
    throw new JoinFailure(joining, new FsError('UNAVAILABLE', message, { details: { handle } }));
  }

  /** A view below the minimum acknowledges nothing: the chunk ends at its base, and the log knows that from the start. */
  #closeIfOver(transaction: Transaction, handle: string, chunk: Chunk, { ends = false }: ViewWish): void {
    const { config, seams } = this.#context;
    if (chunk.state !== ChunkState.CHUNK_STATE_OPEN) return;
    if (!ends && chunk.members.length >= minimumOf(config, chunk.goal)) return;
    const { length, sequence } = chunk;
    const sealed = ends || chunk.sealed;
    closeChunk(transaction, handle, chunk, { length, sequence, sealed }, seams.clock.wallMs());
  }

  /** Who is in the new view: all in reach and sound, the primary first. */
  #propose(handle: string, chunk: Chunk, { joining }: ViewWish, failed: ReadonlySet<number>): number[] {
    const isBad = (member: number) =>
      chunk.behindMembers.includes(member) || this.#conditions.get(member, handle) !== undefined;
    const isSound = (member: number) => !failed.has(member) && this.#servers.isLive(member) && !isBad(member);
    const counts = this.#leases.countByPrimary();
    const candidates = joining === undefined ? chunk.members : [...chunk.members, joining];
    const members = chooseMembers({ chunk, candidates: candidates.filter(isSound), primaryCounts: counts });
    if (joining !== undefined && !members.includes(joining)) {
      const error = new FsError('UNAVAILABLE', `it is out of touch, or its copy of chunk ${handle} is not sound`);
      throw new JoinFailure(joining, error);
    }
    const minimum = minimumOf(this.#context.config, chunk.goal);
    if (members.length >= minimum) return members;
    // A smaller view acknowledges nothing, but it can be read and repaired: better than waiting for servers that are lost.
    const silent = chunk.members.filter((member) => !members.includes(member) && !isBad(member));
    const patience = silent.length > 1 ? PATIENCE_WITH_SEVERAL : 1;
    const isLost = (member: number) => this.#servers.isDead(member, patience) || this.#servers.isKeptOut(member);
    const waitsForNobody = silent.every(isLost);
    if (members.length > 0 && waitsForNobody && !this.#safeMode.isActive) return members;
    const message = `chunk ${handle} has ${copiesInReach(members.length)}, at least ${minimum} are needed to change it`;
    throw new FsError('VIEW_TOO_SMALL', message, { details: { handle, inReach: members.length, minimum } });
  }

  #chunk(handle: string): Chunk {
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined) throw gone(handle);
    return chunk;
  }
}

/**
 * The attempt that is pending is of these members, in whatever order: it goes on. So a promise counts that became durable
 * only when nobody waited for it any more; under a new version each time, a member with a slow disk would never be in time.
 */
function isPending({ pendingVersion, pendingMembers }: Chunk, members: readonly number[]): boolean {
  if (pendingVersion === 0 || pendingMembers.length !== members.length) return false;
  return members.every((member) => pendingMembers.includes(member));
}

export const copiesInReach = (count: number): string => `${count} sound ${count === 1 ? 'copy' : 'copies'} in reach`;

function gone(handle: string): FsError {
  return new FsError('CHUNK_NOT_FOUND', `chunk ${handle} is gone`, { details: { handle } });
}
