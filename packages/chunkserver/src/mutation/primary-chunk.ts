/**
 * The mutations of one chunk at the server that leads it, or wants to, and whoever waits for it to serve or to be done
 * (GFS §3.1; docs/spec/mutations.md). What is staged is the business of a `PrimaryTerm`, when one begins and ends that of
 * the `PrimaryLease`; this decides what waits, what goes on, and what becomes of the mutations that a term leaves.
 *
 * Invariant: every mutation is settled in the end.
 */
import { assert, FsError, isFsError, type RepeatedWarnings, toFsError } from '@cairnfs/base';
import { type LeaseCalls, notPrimary } from '../view/lease-calls.ts';
import type { LeaseEvent } from '../view/lease-state.ts';
import { answerWithoutLease } from './closed-chunk.ts';
import { commitReplica } from './commit.ts';
import { InFlight } from './in-flight.ts';
import { type MutationCall, outcomeUnknown } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import { type InstalledView, type LeaseHolder, PrimaryLease } from './primary-lease.ts';
import { PrimaryTerm } from './primary-term.ts';
import { WaitingMutations } from './waiting-mutations.ts';

export interface PrimaryChunkOptions {
  readonly context: MutationContext;
  readonly leases: LeaseCalls;
  readonly warnings: RepeatedWarnings;
  readonly handle: string;
  /** The commit point moved: `commitPointDue` is to be called `COMMIT_DELAY_MS` from now. */
  readonly committed: (chunk: PrimaryChunk) => void;
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: FsError) => void };

export class PrimaryChunk implements LeaseHolder {
  readonly handle: string;
  readonly lease: PrimaryLease;
  readonly #context: MutationContext;
  readonly #committed: (chunk: PrimaryChunk) => void;
  readonly #inFlight = new InFlight();
  readonly #waiting: WaitingMutations;
  #servingWaiters: Waiter[] = [];
  #drainWaiters: Waiter[] = [];
  #reportedSequence = 0;
  #changedMs: number | undefined;

  constructor({ context, leases, warnings, handle, committed }: PrimaryChunkOptions) {
    this.handle = handle;
    this.lease = new PrimaryLease({ context, leases, warnings, handle, holder: this });
    this.#context = context;
    this.#committed = committed;
    this.#waiting = new WaitingMutations(handle);
  }

  /** Nothing is held, under way or waited for. */
  get isAtRest(): boolean {
    return this.lease.state === 'idle' && this.#waiting.count === 0 && this.#servingWaiters.length === 0;
  }

  /** When this run of the primary changed the chunk last, by the calendar; undefined when it did not. */
  get changedMs(): number | undefined {
    return this.#changedMs;
  }

  /** What a heartbeat tells the master: undefined unless the commit point moved since the last one told. */
  commitMoved(): { version: number; committedLength: number; sequence: number } | undefined {
    const { state, term } = this.lease;
    if (state !== 'serving' || term === undefined) return undefined;
    const { log } = term.replica;
    if (log.committedSequence === this.#reportedSequence) return undefined;
    this.#reportedSequence = log.committedSequence;
    return { version: log.version, committedLength: log.committedLength, sequence: log.committedSequence };
  }

  /** Tells the members the commit point when no further mutation carried it. @returns whether one is still owed. */
  commitPointDue(nowMs: number): boolean {
    const { state, term } = this.lease;
    return state === 'serving' && term !== undefined && term.commitPointDue(nowMs);
  }

  /** Takes a mutation on its way; the call is settled in every case. */
  submit(call: MutationCall): void {
    const { lease } = this;
    try {
      lease.checkExpiry();
      this.#checkArrival(call);
      const mayGo = lease.state === 'serving' && this.#waiting.count === 0 && this.#inFlight.hasRoomFor(call);
      if (mayGo) this.#admit(call);
      else this.#waiting.add(call);
    } catch (error) {
      call.fail(toFsError(error));
      return;
    }
    if (lease.state === 'idle') lease.acquire(call.request.version);
  }

  /** Resolves when this server serves the chunk with both leases; takes the lease when needed. */
  untilServing(version: number): Promise<void> {
    const { lease } = this;
    lease.checkExpiry();
    if (lease.isServing()) return Promise.resolve();
    const serving = new Promise<void>((resolve, reject) => this.#servingWaiters.push({ resolve, reject }));
    if (lease.state === 'idle') lease.acquire(version);
    return serving;
  }

  /** Looks for the end of the lease and for idleness. */
  sweep(): void {
    const { lease } = this;
    lease.checkExpiry();
    lease.checkReplica();
    if (lease.state === 'serving' && this.#inFlight.count === 0 && this.#waiting.count === 0) lease.giveBackIdle();
  }

  /**
   * Ends the lease for the master: admits nothing more, finishes what is in flight, makes the commit point durable
   * everywhere.
   *
   * @returns whether it led the chunk, so that what it has is all that every member has.
   * @throws FsError UNAVAILABLE  a member did not follow, or it took too long: only a view change can settle the chunk.
   */
  async revoke(): Promise<boolean> {
    const { lease } = this;
    lease.checkExpiry();
    const wasServing = lease.state === 'serving' || lease.state === 'releasing';
    if (!wasServing && lease.state !== 'revoking') {
      lease.end('revoked', outcomeUnknown(this.handle, 'the lease was revoked'));
      return false;
    }
    const drained = new Promise<void>((resolve, reject) => this.#drainWaiters.push({ resolve, reject }));
    if (wasServing) {
      lease.revoke();
      for (const call of this.#waiting.takeAll()) call.fail(notPrimary(this.handle));
      if (this.#inFlight.count === 0) void lease.giveBack();
    }
    await drained;
    return true;
  }

  // ---- Mutations ----

  #checkArrival({ request }: MutationCall): void {
    const { state } = this.lease;
    if (state === 'revoking') throw notPrimary(this.handle);
    const log = this.#context.replicas.find(this.handle)?.log;
    if (log === undefined) return;
    if (state === 'serving') log.checkVersion(request.version);
    // While this server changes the view itself, the version that clients know is the one about to end.
    const oldest = state === 'idle' || state === 'acquiring' ? log.promisedVersion : log.version;
    if (request.version < oldest) log.checkVersion(request.version);
  }

  #admit(call: MutationCall): void {
    const { term } = this.lease;
    assert(term !== undefined, () => `${this.handle}: no term while ${this.lease.state}`);
    try {
      term.admit(call);
    } catch (error) {
      if (!isFsError(error, 'NO_SPACE')) throw error;
      // Nothing was staged. The master, told of it, says where it goes instead.
      this.#waiting.add(call);
      this.lease.membersFailed(new Map([[this.#context.serverId(), error]]));
    }
  }

  #admitWaiting(): void {
    const mayGo = (call: MutationCall) => this.lease.state === 'serving' && this.#inFlight.hasRoomFor(call);
    this.#waiting.release(mayGo, (call) => {
      try {
        if (call.request.deadlineMs <= this.#context.clock.nowMs()) throw waitedTooLong(this.handle);
        this.#admit(call);
      } catch (error) {
        call.fail(toFsError(error));
      }
    });
  }

  /** The term has answered what it committed. */
  #advanced(): void {
    this.#changed();
    this.lease.worked();
    this.#committed(this);
    if (this.lease.state === 'serving') this.#admitWaiting();
    else if (this.#inFlight.count === 0) void this.lease.giveBack();
  }

  #changed(): void {
    this.#changedMs = Math.round(this.#context.clock.wallMs());
  }

  /** The view changes without this server; whoever waits for what was in flight asks the next primary. */
  #diskFailed(failure: FsError): void {
    const calls = this.#inFlight.takeAll();
    this.lease.membersFailed(new Map([[this.#context.serverId(), failure]]));
    for (const call of calls) call.fail(outcomeUnknown(this.handle, failure.message));
  }

  // ---- LeaseHolder ----

  begin(installed: InstalledView): PrimaryTerm {
    const { replica, sequence } = installed;
    if (commitReplica(replica, sequence).length > 0) this.#changed();
    return new PrimaryTerm({
      ...{ ...installed, context: this.#context, inFlight: this.#inFlight },
      leasesHold: () => this.lease.holds(),
      committed: () => this.#advanced(),
      membersFailed: (failed) => this.lease.membersFailed(failed),
      diskFailed: (failure) => this.#diskFailed(failure),
    });
  }

  began(term: PrimaryTerm): void {
    this.#committed(this);
    // Those the base covers are committed by it, the others run again in their old order.
    for (const call of this.#inFlight.takeAll()) term.resume(call);
    for (const { resolve } of this.#servingWaiters.splice(0)) resolve();
    this.#admitWaiting();
  }

  hasNoRoom(error: FsError): void {
    for (const call of this.#waiting.takeAll()) call.fail(error);
  }

  givenBack(): void {
    const waiting = this.#waiting.takeAll();
    this.lease.end('drained', notPrimary(this.handle));
    for (const call of waiting) this.submit(call);
  }

  /** What is in flight fails as unknown, what waits as not applied. */
  ended(event: LeaseEvent, error: FsError): void {
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
