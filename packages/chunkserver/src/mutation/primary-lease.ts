/**
 * The lease of one chunk at the server that leads it, or wants to (GFS §3.1; docs/spec/mutations.md): takes it, brings its
 * view to every member, asks for another view when members fail, and gives the lease back. What is done under it is the
 * business of its holder, which hears when a term begins and when the lease has ended.
 *
 * Invariants: there is at most one term that has not ended; what was asked in an earlier round is answered in vain.
 */
import { assert, FsError, type RepeatedWarnings, toFsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import { askForNextView, type FailedMembers } from '../view/failed-members.ts';
import type { LeaseAnswer, LeaseCalls } from '../view/lease-calls.ts';
import { notPrimary } from '../view/lease-calls.ts';
import { type LeaseEvent, type LeaseState, nextLeaseState } from '../view/lease-state.ts';
import { isNotMade } from '../view/not-made.ts';
import { runViewRound } from '../view/view-round.ts';
import { DRAIN_TIMEOUT_MS, LEASE_IDLE_MS, LEASE_MARGIN_MS, VIEW_CHANGES_IN_ROW_MAX } from './limits.ts';
import { outcomeUnknown } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import type { MutationLog } from './mutation-log.ts';
import type { PrimaryTerm } from './primary-term.ts';
import type { MutableReplica } from './replica-port.ts';

/** A view that every member has: staged exactly up to `sequence`, in `term`. */
export interface InstalledView {
  readonly view: ChunkView;
  readonly term: number;
  readonly replica: MutableReplica;
  readonly sequence: number;
}

/** Who works under the lease. */
export interface LeaseHolder {
  /** Makes the term that serves the view; the state is not `serving` yet. */
  begin(installed: InstalledView): PrimaryTerm;
  /** The term serves. */
  began(term: PrimaryTerm): void;
  /** The members have no room: what waits is staged nowhere, and told so. */
  hasNoRoom(error: FsError): void;
  /** Nothing is in flight, and the master has the lease back: ends it by `drained`. */
  givenBack(): void;
  /** The lease is gone, or did not come. */
  ended(event: LeaseEvent, error: FsError): void;
  /** When the chunk was changed last, by the calendar. */
  readonly changedMs: number | undefined;
}

export interface PrimaryLeaseOptions {
  readonly context: MutationContext;
  readonly leases: LeaseCalls;
  readonly warnings: RepeatedWarnings;
  readonly handle: string;
  readonly holder: LeaseHolder;
}

export interface LedTo {
  readonly ledSequence: number;
  readonly ledLength: number;
}

export class PrimaryLease {
  readonly #handle: string;
  readonly #context: MutationContext;
  readonly #leases: LeaseCalls;
  readonly #warnings: RepeatedWarnings;
  readonly #holder: LeaseHolder;

  #state: LeaseState = 'idle';
  /** Raised by every change of state. */
  #round = 0;
  /** Of the view being installed: aborted when the round ends. */
  #installing: AbortController | undefined;
  /** Of the installed view, from then until another is granted or the lease ends. */
  #term: PrimaryTerm | undefined;
  /** Of the last term, also when that has ended and the disk of the replica went. */
  #ledLog: MutationLog | undefined;
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Of the view last granted. */
  #viewVersion = 0;
  #grant = 0;
  #viewChangesInRow = 0;

  constructor({ context, leases, warnings, handle, holder }: PrimaryLeaseOptions) {
    this.#context = context;
    this.#leases = leases;
    this.#warnings = warnings;
    this.#handle = handle;
    this.#holder = holder;
  }

  get state(): LeaseState {
    return this.#state;
  }

  get term(): PrimaryTerm | undefined {
    return this.#term;
  }

  /** The lease is wanted on. */
  get wantsRenewal(): boolean {
    return this.#state === 'serving' || this.#state === 'installing' || this.#state === 'changing';
  }

  /** The number that the master gave the lease held last. */
  get grant(): number {
    return this.#grant;
  }

  isServing(): boolean {
    return this.#state === 'serving' && this.holds();
  }

  /** Both leases do, the chunk's and the server's. */
  holds(): boolean {
    return this.#context.clock.nowMs() < this.#untilMs && this.#context.mayServe();
  }

  /** @param sentAtMs when the request that renewed the lease was sent. */
  renewed(sentAtMs: number): void {
    if (this.#state === 'idle' || this.#state === 'acquiring') return;
    this.#untilMs = Math.max(this.#untilMs, this.#endOf(sentAtMs));
  }

  /** Where everything ends that this server committed as primary at `version`; undefined when it does not know. */
  ledTo(version: number): LedTo | undefined {
    if (this.#ledLog?.ledVersion !== version) return undefined;
    const { committedSequence, committedLength } = this.#ledLog;
    return { ledSequence: committedSequence, ledLength: committedLength };
  }

  // ---- Taking it ----

  /** From `idle`. */
  acquire(version: number): void {
    this.#to('mutationArrived');
    const round = this.#round;
    this.#leases.acquire({ handle: this.#handle, version }, (answer) => {
      if (this.#round === round) this.#acquired(answer);
    });
  }

  #acquired(answer: LeaseAnswer): void {
    if (answer.kind === 'refused') {
      this.end('refused', answer.error);
      return;
    }
    void this.#install(answer.view, answer.sentAtMs);
  }

  /** Brings the view everywhere, then serves. In flight are mutations of the view before, if this server led it. */
  async #install(view: ChunkView, sentAtMs: number): Promise<void> {
    this.#to('granted');
    this.#untilMs = this.#endOf(sentAtMs);
    this.#viewVersion = view.version;
    this.#grant = view.lease;
    this.#term = undefined;
    this.#ledLog = undefined; // members may commit by the round that begins, whatever becomes of this one's replica
    if (view.members[0] !== this.#context.serverId()) {
      this.end('refused', notPrimary(this.#handle));
      return;
    }
    if (view.members.length < view.minimum) {
      this.end('refused', viewTooSmall(view));
      return;
    }
    const round = this.#round;
    const installing = new AbortController();
    this.#installing = installing;
    try {
      const isCurrent = () => this.#round === round && this.#context.mayServe();
      const result = await runViewRound(this.#context, view, isCurrent, installing.signal);
      if (this.#round !== round) return;
      if (result.kind === 'superseded') this.end('expired', outcomeUnknown(this.#handle, 'the server lease ran short'));
      else if (result.kind === 'membersFailed') this.membersFailed(result.failed);
      else this.#serve({ ...result, view });
    } catch (error) {
      if (this.#round !== round) return;
      this.#context.log.error('view not installed', { handle: this.#handle, version: view.version, error });
      this.end('refused', toFsError(error));
    }
  }

  #serve(installed: InstalledView): void {
    const { log } = installed.replica;
    const { sequence } = installed;
    assert(
      log.durableSequence === sequence && log.stagedSequence === sequence,
      () => `${this.#handle}: view starts at ${sequence}, staged ${log.stagedSequence}`,
    );
    const term = this.#holder.begin(installed);
    log.lead();
    this.#ledLog = log;
    this.#to('installed');
    this.#term = term;
    this.#holder.began(term);
  }

  // ---- Members that fail ----

  /** A mutation was committed: the view works. */
  worked(): void {
    this.#viewChangesInRow = 0;
  }

  membersFailed(failed: ReadonlyMap<number, FsError>): void {
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
      this.end('memberFailed', outcomeUnknown(this.#handle, `the lease was revoked and a member failed (${reason})`));
      return;
    }
    this.#to('memberFailed');
    if (this.#state !== 'changing') return;
    const isFull = (error: FsError): boolean => error.kind === 'NO_SPACE' && !isNotMade(error);
    const fullMembers = [...failed].filter(([, error]) => isFull(error)).map(([id]) => id);
    const unmadeMembers = [...failed].filter(([, error]) => isNotMade(error)).map(([id]) => id);
    void this.#changeView({ failedMembers: [...failed.keys()], fullMembers, unmadeMembers, reason });
  }

  async #changeView(failed: Omit<FailedMembers, 'handle' | 'version'>): Promise<void> {
    const handle = this.#handle;
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
      if (cause.kind === 'NO_SPACE') this.#holder.hasNoRoom(cause);
      if (cause.kind === 'VIEW_TOO_SMALL' || cause.kind === 'DEADLINE_EXCEEDED') {
        // Why the member failed is what the caller can do something about: its disk may be full.
        const { kind, message, details } = cause;
        this.end('refused', new FsError(kind, `${message}: ${reason}`, { details, cause }));
      } else this.end('refused', outcomeUnknown(handle, `a member failed (${reason}; ${cause.message})`));
    }
  }

  // ---- Its end ----

  /** Another server leads the chunk: it brought a view here. */
  deposed(): void {
    this.end('deposed', outcomeUnknown(this.#handle, 'another server leads it'));
  }

  /** A new version was promised here; the one that this server asked for itself comes by here too. */
  promised(): void {
    if (this.#state !== 'changing') this.end('promised', outcomeUnknown(this.#handle, 'a new view was prepared'));
  }

  /** Looks for the end of its time. */
  checkExpiry(): void {
    if (this.#state === 'idle' || this.#context.clock.nowMs() < this.#untilMs) return;
    if (nextLeaseState(this.#state, 'expired') === this.#state) return;
    this.end('expired', outcomeUnknown(this.#handle, 'the lease ended'));
  }

  /** Looks whether the term's replica is still here. */
  checkReplica(): void {
    const replica = this.#term?.replica;
    if (replica !== undefined && this.#context.replicas.find(this.#handle) !== replica) {
      this.end('expired', outcomeUnknown(this.#handle, 'the disk of its replica went'));
    }
  }

  /** While it serves, with nothing in flight or waiting: gives it back when that has been so for long. */
  giveBackIdle(): void {
    assert(this.#term !== undefined, () => `${this.#handle}: no term while ${this.#state}`);
    if (this.#context.clock.nowMs() - this.#term.lastMutationMs < LEASE_IDLE_MS) return;
    this.#to('idleForLong');
    void this.giveBack();
  }

  /** The master wants it back: what is in flight has so long to finish. */
  revoke(): void {
    this.#to('revoked');
    const round = this.#round;
    this.#context.clock.after(DRAIN_TIMEOUT_MS, () => {
      if (this.#round === round) this.end('memberFailed', outcomeUnknown(this.#handle, 'the lease was revoked'));
    });
  }

  /** On its way out, with nothing in flight: the last commit point becomes durable everywhere, then the lease ends. */
  async giveBack(): Promise<void> {
    const serving = this.#term;
    const isLast = this.#state === 'releasing' || this.#state === 'revoking';
    if (serving === undefined || !isLast) return;
    const round = this.#round;
    const failed = await serving.commitEverywhere({ isLast: true });
    if (this.#round !== round) return;
    if (failed.size > 0) {
      this.membersFailed(failed);
      return;
    }
    if (this.#state === 'revoking') {
      this.end('drained', notPrimary(this.#handle));
      return;
    }
    const { version, committedLength, committedSequence } = serving.replica.log;
    const end = { version, committedLength, sequence: committedSequence, changedMs: this.#holder.changedMs };
    this.#leases.release({ handle: this.#handle, ...end, lease: this.#grant }, () => {
      if (this.#round === round) this.#holder.givenBack();
    });
  }

  /** The holder hears of it when the lease is gone. */
  end(event: LeaseEvent, error: FsError): void {
    const before = this.#state;
    this.#to(event);
    if (this.#state !== 'idle') return;
    if (before !== 'idle') this.#newRound();
    this.#term = undefined;
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#viewChangesInRow = 0;
    this.#holder.ended(event, error);
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
    this.#installing?.abort();
    this.#installing = undefined;
  }

  #endOf(sentAtMs: number): number {
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
