/**
 * One chunk at the server that leads it, or wants to (GFS §3.1; docs/spec/mutations.md): takes the chunk's lease, brings
 * its view to every member, and gives both back. What happens between is a `PrimaryTerm`; this decides when one begins and
 * ends, and what becomes of the mutations that it leaves.
 *
 * Invariants: there is at most one term that has not ended; every mutation is settled in the end.
 */
import { assert, FsError, isFsError, type RepeatedWarnings, toFsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import { askForNextView, type FailedMembers } from '../view/failed-members.ts';
import type { LeaseAnswer, LeaseCalls } from '../view/lease-calls.ts';
import { notPrimary } from '../view/lease-calls.ts';
import { type LeaseEvent, type LeaseState, nextLeaseState } from '../view/lease-state.ts';
import { runViewRound } from '../view/view-round.ts';
import { answerWithoutLease } from './closed-chunk.ts';
import { commitReplica } from './commit.ts';
import { InFlight } from './in-flight.ts';
import { DRAIN_TIMEOUT_MS, LEASE_IDLE_MS, LEASE_MARGIN_MS, VIEW_CHANGES_IN_ROW_MAX } from './limits.ts';
import { type MutationCall, outcomeUnknown } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import type { MutationLog } from './mutation-log.ts';
import { PrimaryTerm } from './primary-term.ts';
import type { MutableReplica } from './replica-port.ts';
import { WaitingMutations } from './waiting-mutations.ts';

export interface PrimaryChunkOptions {
  readonly context: MutationContext;
  readonly leases: LeaseCalls;
  readonly warnings: RepeatedWarnings;
  readonly handle: string;
  /** The commit point moved: `commitPointDue` is to be called `COMMIT_DELAY_MS` from now. */
  readonly committed: (chunk: PrimaryChunk) => void;
}

/** A view that every member has: staged exactly up to `sequence`, in `term`. */
interface InstalledView {
  readonly view: ChunkView;
  readonly term: number;
  readonly replica: MutableReplica;
  readonly sequence: number;
}

export interface LedTo {
  readonly ledSequence: number;
  readonly ledLength: number;
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: FsError) => void };

export class PrimaryChunk {
  readonly handle: string;
  readonly #context: MutationContext;
  readonly #leases: LeaseCalls;
  readonly #warnings: RepeatedWarnings;
  readonly #committed: (chunk: PrimaryChunk) => void;

  #state: LeaseState = 'idle';
  /** Raised by every change of state: what was asked in an earlier round is answered in vain. */
  #round = 0;
  /** Of the installed view, from then until another is granted or the lease ends. */
  #term: PrimaryTerm | undefined;
  /** Of the last term, also when that has ended and the disk of the replica went. */
  #ledLog: MutationLog | undefined;
  #leaseUntilMs = Number.NEGATIVE_INFINITY;
  /** Of the view last granted. */
  #viewVersion = 0;
  #lease = 0;
  #viewChangesInRow = 0;

  readonly #inFlight = new InFlight();
  readonly #waiting: WaitingMutations;
  #servingWaiters: Waiter[] = [];
  #drainWaiters: Waiter[] = [];
  #reportedSequence = 0;
  /** Of the last commit, for the file's modification time. */
  #changedMs: number | undefined;

  constructor({ context, leases, warnings, handle, committed }: PrimaryChunkOptions) {
    this.#context = context;
    this.#leases = leases;
    this.#warnings = warnings;
    this.handle = handle;
    this.#committed = committed;
    this.#waiting = new WaitingMutations(handle);
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** Nothing is held, under way or waited for. */
  get isAtRest(): boolean {
    return this.#state === 'idle' && this.#waiting.count === 0 && this.#servingWaiters.length === 0;
  }

  get view(): ChunkView | undefined {
    return this.#term?.view;
  }

  /** The lease is wanted on. */
  get wantsRenewal(): boolean {
    return this.#state === 'serving' || this.#state === 'installing' || this.#state === 'changing';
  }

  /** The grant of the lease held last. */
  get lease(): number {
    return this.#lease;
  }

  /** Mutations staged here and not answered. */
  get inFlightCount(): number {
    return this.#inFlight.count;
  }

  isServing(): boolean {
    return this.#state === 'serving' && this.#leasesHold();
  }

  /** @param sentAtMs when the request that renewed the lease was sent. */
  renewed(sentAtMs: number): void {
    if (this.#state === 'idle' || this.#state === 'acquiring') return;
    this.#leaseUntilMs = Math.max(this.#leaseUntilMs, this.#leaseEnd(sentAtMs));
  }

  /** What a heartbeat tells the master: undefined unless the commit point moved since the last one told. */
  commitMoved(): { version: number; committedLength: number; sequence: number } | undefined {
    if (this.#state !== 'serving' || this.#term === undefined) return undefined;
    const { log } = this.#term.replica;
    if (log.committedSequence === this.#reportedSequence) return undefined;
    this.#reportedSequence = log.committedSequence;
    return { version: log.version, committedLength: log.committedLength, sequence: log.committedSequence };
  }

  /** When this run of the primary changed the chunk last, by the calendar; undefined when it did not. */
  get changedMs(): number | undefined {
    return this.#changedMs;
  }

  /** Where everything ends that this server committed as primary at `version`; undefined when it does not know. */
  ledTo(version: number): LedTo | undefined {
    if (this.#ledLog?.ledVersion !== version) return undefined;
    const { committedSequence, committedLength } = this.#ledLog;
    return { ledSequence: committedSequence, ledLength: committedLength };
  }

  /** Tells the members the commit point when no further mutation carried it. @returns whether one is still owed. */
  commitPointDue(nowMs: number): boolean {
    return this.#state === 'serving' && this.#term !== undefined && this.#term.commitPointDue(nowMs);
  }

  /** Takes a mutation on its way; the call is settled in every case. */
  submit(call: MutationCall): void {
    try {
      this.#checkExpiry();
      this.#checkArrival(call);
      const mayGo = this.#state === 'serving' && this.#waiting.count === 0 && this.#inFlight.hasRoomFor(call);
      if (mayGo) this.#admit(call);
      else this.#waiting.add(call);
    } catch (error) {
      call.fail(toFsError(error));
      return;
    }
    if (this.#state === 'idle') this.#acquire(call.request.version);
  }

  /** Resolves when this server serves the chunk with both leases; takes the lease when needed. */
  untilServing(version: number): Promise<void> {
    this.#checkExpiry();
    if (this.isServing()) return Promise.resolve();
    const serving = new Promise<void>((resolve, reject) => this.#servingWaiters.push({ resolve, reject }));
    if (this.#state === 'idle') this.#acquire(version);
    return serving;
  }

  /** Another server leads the chunk: it brought a view here. */
  deposed(): void {
    this.#end('deposed', outcomeUnknown(this.handle, 'another server leads it'));
  }

  /** A new version was promised here; the one that this server asked for itself comes by here too. */
  promised(): void {
    if (this.#state !== 'changing') this.#end('promised', outcomeUnknown(this.handle, 'a new view was prepared'));
  }

  /** Looks for the end of the lease and for idleness. */
  sweep(): void {
    this.#checkExpiry();
    const replica = this.#term?.replica;
    if (replica !== undefined && this.#context.replicas.find(this.handle) !== replica) {
      this.#end('expired', outcomeUnknown(this.handle, 'the disk of its replica went'));
    }
    if (this.#state !== 'serving' || this.#inFlight.count > 0 || this.#waiting.count > 0) return;
    if (this.#context.clock.nowMs() - this.#serving().lastMutationMs < LEASE_IDLE_MS) return;
    this.#to('idleForLong');
    void this.#giveBack();
  }

  /**
   * Ends the lease for the master: admits nothing more, finishes what is in flight, makes the commit point durable
   * everywhere.
   *
   * @returns whether it led the chunk, so that what it has is all that every member has.
   * @throws FsError UNAVAILABLE  a member did not follow, or it took too long: only a view change can settle the chunk.
   */
  async revoke(): Promise<boolean> {
    this.#checkExpiry();
    const wasServing = this.#state === 'serving' || this.#state === 'releasing';
    if (!wasServing && this.#state !== 'revoking') {
      this.#end('revoked', outcomeUnknown(this.handle, 'the lease was revoked'));
      return false;
    }
    const drained = new Promise<void>((resolve, reject) => this.#drainWaiters.push({ resolve, reject }));
    if (wasServing) {
      this.#to('revoked');
      const round = this.#round;
      for (const call of this.#waiting.takeAll()) call.fail(notPrimary(this.handle));
      this.#context.clock.after(DRAIN_TIMEOUT_MS, () => {
        if (this.#round === round) this.#end('memberFailed', outcomeUnknown(this.handle, 'the lease was revoked'));
      });
      if (this.#inFlight.count === 0) void this.#giveBack();
    }
    await drained;
    return true;
  }

  // ---- Mutations ----

  #checkArrival({ request }: MutationCall): void {
    if (this.#state === 'revoking') throw notPrimary(this.handle);
    const log = this.#context.replicas.find(this.handle)?.log;
    if (log === undefined) return;
    if (this.#state === 'serving') log.checkVersion(request.version);
    // While this server changes the view itself, the version that clients know is the one about to end.
    const oldest = this.#state === 'idle' || this.#state === 'acquiring' ? log.promisedVersion : log.version;
    if (request.version < oldest) log.checkVersion(request.version);
  }

  #admit(call: MutationCall): void {
    try {
      this.#serving().admit(call);
    } catch (error) {
      if (!isFsError(error, 'NO_SPACE')) throw error;
      // Nothing was staged. The master, told of it, says where it goes instead.
      this.#waiting.add(call);
      this.#membersFailed(new Map([[this.#context.serverId(), error]]));
    }
  }

  #admitWaiting(): void {
    const mayGo = (call: MutationCall) => this.#state === 'serving' && this.#inFlight.hasRoomFor(call);
    this.#waiting.release(mayGo, (call) => {
      try {
        if (call.request.deadlineMs <= this.#context.clock.nowMs()) throw waitedTooLong(this.handle);
        this.#admit(call);
      } catch (error) {
        call.fail(toFsError(error));
      }
    });
  }

  #serving(): PrimaryTerm {
    assert(this.#term !== undefined, () => `${this.handle}: no term while ${this.#state}`);
    return this.#term;
  }

  /** The term has answered what it committed. */
  #advanced(): void {
    this.#changedMs = Math.round(this.#context.clock.wallMs());
    this.#viewChangesInRow = 0;
    this.#committed(this);
    if (this.#state === 'serving') this.#admitWaiting();
    else if (this.#inFlight.count === 0) void this.#giveBack();
  }

  // ---- Taking the lease ----

  #acquire(version: number): void {
    this.#to('mutationArrived');
    const round = this.#round;
    this.#leases.acquire({ handle: this.handle, version }, (answer) => {
      if (this.#round === round) this.#acquired(answer);
    });
  }

  #acquired(answer: LeaseAnswer): void {
    if (answer.kind === 'refused') {
      this.#end('refused', answer.error);
      return;
    }
    void this.#install(answer.view, answer.sentAtMs);
  }

  /** Brings the view everywhere, then serves. In flight are mutations of the view before, if this server led it. */
  async #install(view: ChunkView, sentAtMs: number): Promise<void> {
    this.#to('granted');
    this.#leaseUntilMs = this.#leaseEnd(sentAtMs);
    this.#viewVersion = view.version;
    this.#lease = view.lease;
    this.#term = undefined;
    this.#ledLog = undefined; // members may commit by the round that begins, whatever becomes of this one's replica
    if (view.members[0] !== this.#context.serverId()) {
      this.#end('refused', notPrimary(this.handle));
      return;
    }
    if (view.members.length < view.minimum) {
      this.#end('refused', viewTooSmall(view));
      return;
    }
    const round = this.#round;
    try {
      const result = await runViewRound(this.#context, view, () => this.#round === round);
      if (result.kind === 'superseded' || this.#round !== round) return;
      if (result.kind === 'membersFailed') this.#membersFailed(result.failed);
      else this.#serve({ ...result, view });
    } catch (error) {
      if (this.#round !== round) return;
      this.#context.log.error('view not installed', { handle: this.handle, version: view.version, error });
      this.#end('refused', toFsError(error));
    }
  }

  #serve({ view, term, replica, sequence }: InstalledView): void {
    const { log } = replica;
    assert(
      log.durableSequence === sequence && log.stagedSequence === sequence,
      () => `${this.handle}: view starts at ${sequence}, staged ${log.stagedSequence}`,
    );
    const interrupted = this.#inFlight.takeAll();
    if (commitReplica(replica, sequence).length > 0) this.#changedMs = Math.round(this.#context.clock.wallMs());
    log.lead();
    this.#ledLog = log;
    this.#to('installed');
    const serving = new PrimaryTerm({
      ...{ context: this.#context, view, term, replica, sequence, inFlight: this.#inFlight },
      leasesHold: () => this.#leasesHold(),
      committed: () => this.#advanced(),
      membersFailed: (failed) => this.#membersFailed(failed),
      diskFailed: (failure) => this.#diskFailed(failure),
    });
    this.#term = serving;
    this.#committed(this);
    // Those the base covers are committed by it, the others run again in their old order.
    for (const call of interrupted) serving.resume(call);
    for (const { resolve } of this.#servingWaiters.splice(0)) resolve();
    this.#admitWaiting();
  }

  // ---- Members that fail ----

  #membersFailed(failed: ReadonlyMap<number, FsError>): void {
    const version = this.#viewVersion;
    for (const error of failed.values()) {
      // A member that follows a later version: this server was deposed, and has no say in views any more.
      if (error.kind !== 'STALE_VERSION' || Number(error.details.promisedVersion) <= version) continue;
      this.deposed();
      return;
    }
    const wasRevoking = this.#state === 'revoking';
    const reason = [...failed].map(([id, { kind, message }]) => `server ${id}: ${kind}: ${message}`).join('; ');
    if (wasRevoking) {
      this.#end('memberFailed', outcomeUnknown(this.handle, `the lease was revoked and a member failed (${reason})`));
      return;
    }
    this.#to('memberFailed');
    if (this.#state !== 'changing') return;
    const fullMembers = [...failed].filter(([, { kind }]) => kind === 'NO_SPACE').map(([id]) => id);
    void this.#changeView({ failedMembers: [...failed.keys()], fullMembers, reason });
  }

  /** The view changes without this server; whoever waits for what was in flight asks the next primary. */
  #diskFailed(failure: FsError): void {
    const calls = this.#inFlight.takeAll();
    this.#membersFailed(new Map([[this.#context.serverId(), failure]]));
    for (const call of calls) call.fail(outcomeUnknown(this.handle, failure.message));
  }

  async #changeView(failed: Pick<FailedMembers, 'failedMembers' | 'fullMembers' | 'reason'>): Promise<void> {
    const { handle } = this;
    const { failedMembers, reason } = failed;
    const round = this.#round;
    const version = this.#viewVersion;
    this.#viewChangesInRow += 1;
    this.#warnings.warn(`${handle} ${failedMembers}`, 'members of a view failed', {
      handle,
      version,
      failedMembers,
      reason,
    });
    try {
      if (this.#viewChangesInRow > VIEW_CHANGES_IN_ROW_MAX) throw outcomeUnknown(handle, 'no view held');
      const { view, sentAtMs } = await askForNextView(this.#context, { handle, version, ...failed });
      if (this.#round === round) await this.#install(view, sentAtMs);
    } catch (error) {
      if (this.#round !== round) return;
      const cause = toFsError(error);
      // These tries were staged nowhere, and there is no room for them.
      if (cause.kind === 'NO_SPACE') for (const call of this.#waiting.takeAll()) call.fail(cause);
      if (cause.kind === 'VIEW_TOO_SMALL' || cause.kind === 'DEADLINE_EXCEEDED') {
        // Why the member failed is what the caller can do something about: its disk may be full.
        const { kind, message, details } = cause;
        this.#end('refused', new FsError(kind, `${message}: ${reason}`, { details, cause }));
      } else this.#end('refused', outcomeUnknown(handle, `a member failed (${reason}; ${cause.message})`));
    }
  }

  // ---- The end of the lease ----

  /** Nothing is in flight: the last commit point becomes durable everywhere, then the lease ends. */
  async #giveBack(): Promise<void> {
    const serving = this.#term;
    const isLast = this.#state === 'releasing' || this.#state === 'revoking';
    if (serving === undefined || !isLast) return;
    const round = this.#round;
    const failed = await serving.commitEverywhere();
    if (this.#round !== round) return;
    if (failed.size > 0) {
      this.#membersFailed(failed);
      return;
    }
    if (this.#state === 'revoking') {
      this.#end('drained', notPrimary(this.handle));
      return;
    }
    const { version, committedLength, committedSequence } = serving.replica.log;
    const end = { version, committedLength, sequence: committedSequence, changedMs: this.#changedMs };
    this.#leases.release({ handle: this.handle, ...end, lease: this.#lease }, () => {
      if (this.#round !== round) return;
      const waiting = this.#waiting.takeAll();
      this.#end('drained', notPrimary(this.handle));
      for (const call of waiting) this.submit(call);
    });
  }

  #checkExpiry(): void {
    if (this.#state === 'idle' || this.#context.clock.nowMs() < this.#leaseUntilMs) return;
    if (nextLeaseState(this.#state, 'expired') === this.#state) return;
    this.#end('expired', outcomeUnknown(this.handle, 'the lease ended'));
  }

  /** Ends in `idle`: what is in flight fails as unknown, what waits as not applied. */
  #end(event: LeaseEvent, error: FsError): void {
    const before = this.#state;
    this.#to(event);
    if (this.#state !== 'idle') return;
    if (before !== 'idle') this.#newRound();
    this.#term = undefined;
    this.#leaseUntilMs = Number.NEGATIVE_INFINITY;
    this.#viewChangesInRow = 0;
    const unknown = error.reaction === 'unknown' ? error : outcomeUnknown(this.handle, error.message);
    for (const call of this.#inFlight.takeAll()) call.fail(unknown);
    const notApplied =
      error.reaction === 'unknown' && error.kind !== 'VIEW_TOO_SMALL' ? notPrimary(this.handle) : error;
    for (const call of this.#waiting.takeAll()) answerWithoutLease(this.#context, call, notApplied);
    for (const { reject } of this.#servingWaiters.splice(0)) reject(notApplied);
    for (const { resolve, reject } of this.#drainWaiters.splice(0)) {
      if (event === 'drained') resolve();
      else reject(notDrained(this.handle, error));
    }
  }

  #to(event: LeaseEvent): void {
    const state = nextLeaseState(this.#state, event);
    if (state === this.#state) return;
    // In `releasing` and `revoking` what is in flight goes on in the same term.
    const goesOn = event === 'idleForLong' || event === 'revoked';
    if (!goesOn) this.#newRound();
    this.#state = state;
  }

  #newRound(): void {
    this.#round += 1;
    this.#term?.end();
  }

  #leasesHold(): boolean {
    return this.#context.clock.nowMs() < this.#leaseUntilMs && this.#context.mayServe();
  }

  #leaseEnd(sentAtMs: number): number {
    return sentAtMs + this.#context.chunkLeaseMs() - LEASE_MARGIN_MS;
  }
}

function viewTooSmall({ handle, members, minimum }: ChunkView): FsError {
  return new FsError(
    'VIEW_TOO_SMALL',
    `chunk ${handle} has ${members.length} members, ${minimum} are needed to acknowledge; wait for its repair`,
    { details: { members: members.length, minimum } },
  );
}

function waitedTooLong(handle: string): FsError {
  return new FsError('UNAVAILABLE', `chunk ${handle}: no lease came before the call's time ran out; try again`);
}

function notDrained(handle: string, cause: FsError): FsError {
  return new FsError(
    'UNAVAILABLE',
    `chunk ${handle}: its lease ended before all in flight was settled (${cause.message}); a view change settles it`,
    { cause },
  );
}
