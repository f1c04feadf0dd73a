/**
 * One chunk at the server that leads it, or wants to (GFS §3.1; docs/spec/mutations.md). It gives mutations their order,
 * stages them here and at every other member at once, commits in order when all are READY, and answers.
 *
 * Invariants: while serving, the staged mutations of the replica are exactly those in flight here, in order; nothing is
 * committed without READY of every member of the view in this term; nothing is answered without both leases.
 */
import { assert, FsError, toFsError } from '@cairnfs/base';
import { ChunkserverPeerMethods, type ChunkView, MasterControlMethods } from '@cairnfs/protocol';
import type { LeaseAnswer, LeaseCalls } from '../view/lease-calls.ts';
import { notPrimary } from '../view/lease-calls.ts';
import { type LeaseEvent, type LeaseState, nextLeaseState } from '../view/lease-state.ts';
import { otherMembers, runViewRound } from '../view/view-round.ts';
import { commitReplica, lengthAfter, stageMutation } from './commit.ts';
import {
  COMMIT_DELAY_MS,
  DRAIN_TIMEOUT_MS,
  IN_FLIGHT_BYTES_MAX,
  IN_FLIGHT_MUTATIONS_MAX,
  LEASE_IDLE_MS,
  LEASE_MARGIN_MS,
  PEER_CALL_TIMEOUT_MS,
  STAGE_TIMEOUT_MS,
  VIEW_CHANGE_TIMEOUT_MS,
  VIEW_CHANGES_IN_ROW_MAX,
  WAITING_BYTES_MAX,
  WAITING_MUTATIONS_MAX,
} from './limits.ts';
import { type MutationCall, outcomeUnknown } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import type { StagedMutation } from './mutation-log.ts';
import { writeOperation } from './operation-id.ts';
import type { MutableReplica } from './replica-port.ts';

export interface PrimaryChunkOptions {
  readonly context: MutationContext;
  readonly leases: LeaseCalls;
  readonly handle: string;
  /** The commit point moved: `commitPointDue` is to be called `COMMIT_DELAY_MS` from now. */
  readonly committed: (chunk: PrimaryChunk) => void;
}

interface ReadyMember {
  readonly id: number;
  readonly address: string;
  /** Everything up to here is on its stable storage. */
  readySequence: number;
}

/** What serving needs; made anew by every installation. */
interface Serving {
  readonly view: ChunkView;
  readonly term: number;
  readonly replica: MutableReplica;
  readonly others: readonly ReadyMember[];
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: FsError) => void };

export class PrimaryChunk {
  readonly handle: string;
  readonly #context: MutationContext;
  readonly #leases: LeaseCalls;
  readonly #committed: (chunk: PrimaryChunk) => void;

  #state: LeaseState = 'idle';
  /** Raised by every change of state: what was asked in an earlier round is answered in vain. */
  #round = 0;
  #serving: Serving | undefined;
  #leaseUntilMs = Number.NEGATIVE_INFINITY;
  /** Of the view last granted. */
  #viewVersion = 0;
  #lease = 0;
  #viewChangesInRow = 0;

  /** Staged and unanswered, in order of sequence. */
  #inFlight: MutationCall[] = [];
  #inFlightBytes = 0;
  /** Not staged anywhere yet. */
  #waiting: MutationCall[] = [];
  #waitingBytes = 0;
  #servingWaiters: Waiter[] = [];
  #drainWaiters: Waiter[] = [];

  #lastMutationMs = 0;
  #lastCommitMs = 0;
  /** The commit point the other members were told. */
  #toldSequence = 0;
  #reportedSequence = 0;

  constructor({ context, leases, handle, committed }: PrimaryChunkOptions) {
    this.#context = context;
    this.#leases = leases;
    this.handle = handle;
    this.#committed = committed;
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** Nothing is held, under way or waited for. */
  get isAtRest(): boolean {
    return this.#state === 'idle' && this.#waiting.length === 0 && this.#servingWaiters.length === 0;
  }

  get view(): ChunkView | undefined {
    return this.#serving?.view;
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
    return this.#inFlight.length;
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
    if (this.#state !== 'serving' || this.#serving === undefined) return undefined;
    const { log } = this.#serving.replica;
    if (log.committedSequence === this.#reportedSequence) return undefined;
    this.#reportedSequence = log.committedSequence;
    return { version: log.version, committedLength: log.committedLength, sequence: log.committedSequence };
  }

  /** Takes a mutation on its way; the call is settled in every case. */
  submit(call: MutationCall): void {
    try {
      this.#checkExpiry();
      this.#checkArrival(call);
      if (this.#state === 'serving' && this.#waiting.length === 0 && this.#hasRoomFor(call)) this.#admit(call);
      else this.#wait(call);
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
    const { replica } = this.#serving ?? {};
    if (replica !== undefined && this.#context.replicas.find(this.handle) !== replica) {
      this.#end('expired', outcomeUnknown(this.handle, 'the disk of its replica went'));
    }
    if (this.#state !== 'serving' || this.#inFlight.length > 0 || this.#waiting.length > 0) return;
    if (this.#context.clock.nowMs() - this.#lastMutationMs < LEASE_IDLE_MS) return;
    this.#to('idleForLong');
    void this.#giveBack();
  }

  /**
   * Ends the lease for the master: admits nothing more, finishes what is in flight, makes the commit point durable
   * everywhere.
   *
   * @throws FsError UNAVAILABLE  a member did not follow, or it took too long: only a view change can settle the chunk.
   */
  async revoke(): Promise<void> {
    this.#checkExpiry();
    const wasServing = this.#state === 'serving' || this.#state === 'releasing';
    if (!wasServing && this.#state !== 'revoking') {
      this.#end('revoked', outcomeUnknown(this.handle, 'the lease was revoked'));
      return;
    }
    const drained = new Promise<void>((resolve, reject) => this.#drainWaiters.push({ resolve, reject }));
    if (wasServing) {
      this.#to('revoked');
      const round = this.#round;
      this.#failWaiting(notPrimary(this.handle));
      this.#context.clock.after(DRAIN_TIMEOUT_MS, () => {
        if (this.#round === round) this.#end('memberFailed', outcomeUnknown(this.handle, 'the lease was revoked'));
      });
      if (this.#inFlight.length === 0) void this.#giveBack();
    }
    await drained;
  }

  /** Tells the members the commit point when no further mutation carried it. @returns whether one is still owed. */
  commitPointDue(nowMs: number): boolean {
    if (this.#state !== 'serving' || this.#serving === undefined) return false;
    const { replica } = this.#serving;
    if (replica.log.committedSequence === this.#toldSequence) return false;
    if (nowMs - this.#lastCommitMs < COMMIT_DELAY_MS) return true;
    void this.#commitEverywhere(this.#serving);
    return false;
  }

  // ---- Admission ----

  #checkArrival({ request }: MutationCall): void {
    if (this.#state === 'revoking') throw notPrimary(this.handle);
    const log = this.#context.replicas.find(this.handle)?.log;
    if (log === undefined) return;
    if (this.#state === 'serving') log.checkVersion(request.version);
    // While this server changes the view itself, the version that clients know is the one about to end.
    const oldest = this.#state === 'idle' || this.#state === 'acquiring' ? log.promisedVersion : log.version;
    if (request.version < oldest) log.checkVersion(request.version);
  }

  #hasRoomFor(call: MutationCall): boolean {
    if (this.#inFlight.length === 0) return true;
    return (
      this.#inFlight.length < IN_FLIGHT_MUTATIONS_MAX && this.#inFlightBytes + call.byteCount <= IN_FLIGHT_BYTES_MAX
    );
  }

  #wait(call: MutationCall): void {
    const { length } = this.#waiting;
    if (length >= WAITING_MUTATIONS_MAX || this.#waitingBytes + call.byteCount > WAITING_BYTES_MAX) {
      throw new FsError(
        'OVERLOADED',
        `chunk ${this.handle}: ${length} mutations of ${this.#waitingBytes} bytes wait already; try again`,
      );
    }
    this.#waiting.push(call);
    this.#waitingBytes += call.byteCount;
  }

  #admitWaiting(): void {
    let count = 0;
    while (this.#state === 'serving' && count < this.#waiting.length && this.#hasRoomFor(this.#waiting[count]!)) {
      const call = this.#waiting[count]!;
      count += 1;
      this.#waitingBytes -= call.byteCount;
      try {
        if (call.request.deadlineMs <= this.#context.clock.nowMs()) throw waitedTooLong(this.handle);
        this.#admit(call);
      } catch (error) {
        call.fail(toFsError(error));
      }
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** Answers from the operation table, refuses, or stages as the next mutation. */
  #admit(call: MutationCall): void {
    const serving = this.#serving;
    assert(serving !== undefined, () => `${this.handle}: admitted while ${this.#state}`);
    const { replica, view } = serving;
    const { request } = call;
    if (request.version > view.version) replica.log.checkVersion(request.version);
    if (this.#isRepeated(call, replica)) return;
    const offset = this.#placeOf(call, serving);
    this.#checkOperationRoom(call, replica);
    this.#stage(call, serving, offset);
  }

  #isRepeated(call: MutationCall, { log, operations }: MutableReplica): boolean {
    const { operation } = call.request;
    if (operation === undefined) return false;
    const earlier = operations.lookup(operation);
    if (earlier === undefined) return false;
    const { sequence, offset } = earlier;
    if (sequence <= log.committedSequence) {
      call.repeat({ offset, sequence, committedLength: log.committedLength });
      return true;
    }
    const first = this.#inFlight[sequence - log.committedSequence - 1];
    assert(first !== undefined, () => `${this.handle}: mutation ${sequence} is staged and not in flight`);
    first.join(call);
    return true;
  }

  #placeOf({ request }: MutationCall, { replica, view }: Serving): number {
    const { log } = replica;
    const isAppend = request.writeAt === undefined;
    const offset = request.writeAt ?? log.stagedLength;
    const end = offset + request.bytes.length;
    if ((view.sealed || log.isSealed) && (isAppend || end > log.stagedLength)) throw sealed(this.handle);
    if (end > request.capacity) {
      throw new FsError(
        'CHUNK_FULL',
        `chunk ${this.handle} has no room for ${request.bytes.length} bytes at ${offset}: its extent ends at ` +
          `${request.capacity}; use the next chunk`,
        { details: { offset, capacity: request.capacity } },
      );
    }
    return offset;
  }

  #checkOperationRoom({ request }: MutationCall, { operations }: MutableReplica): void {
    const { operation, writeAt } = request;
    if (operation === undefined || operations.hasRoom(operation.client, this.#context.clock.nowMs())) return;
    const kind = writeAt === undefined ? 'CHUNK_FULL' : 'OVERLOADED';
    throw new FsError(
      kind,
      `chunk ${this.handle} remembers ${operations.resultCount} operations of ${operations.clientCount} clients and takes ` +
        'no more for now',
    );
  }

  #stage(call: MutationCall, serving: Serving, offset: number): void {
    const { replica, others } = serving;
    const { log } = replica;
    const { bytes, checksum, memory, operation, writeAt } = call.request;
    const isAppend = writeAt === undefined;
    const mutation: StagedMutation = {
      ...{ sequence: log.stagedSequence + 1, offset, bytes, checksum, memory, isAppend, operation },
      ...{ lengthAfter: lengthAfter(log, offset, bytes.length), isDurable: false, isGone: false },
    };
    const round = this.#round;
    const nowMs = this.#context.clock.nowMs();
    stageMutation(replica, mutation, {
      nowMs,
      durable: () => {
        if (this.#round === round) this.#advance();
      },
    });
    call.offset = offset;
    call.sequence = mutation.sequence;
    this.#inFlight.push(call);
    this.#inFlightBytes += bytes.length;
    this.#lastMutationMs = nowMs;
    this.#toldSequence = log.committedSequence;
    for (const member of others) this.#send(member, mutation, serving);
  }

  // ---- READY and commit ----

  #send(member: ReadyMember, mutation: StagedMutation, { view, term, replica }: Serving): void {
    const round = this.#round;
    const { sequence, offset, operation, isAppend, bytes, checksum, memory } = mutation;
    memory?.retain();
    this.#context.peers
      .channel(member.address)
      .call(
        ChunkserverPeerMethods.stageMutation,
        {
          handle: this.handle,
          version: view.version,
          sequence,
          offset,
          operation: operation === undefined ? undefined : writeOperation(operation),
          committedSequence: replica.log.committedSequence,
          append: isAppend,
          term,
        },
        { timeoutMs: STAGE_TIMEOUT_MS, data: { buffers: [bytes], checksum, sent: () => memory?.release() } },
      )
      .then(
        ({ message }) => {
          if (this.#round !== round) return;
          member.readySequence = Math.max(member.readySequence, message.stagedSequence);
          this.#advance();
        },
        (error) => {
          if (this.#round === round) this.#memberFailed(new Map([[member.id, toFsError(error)]]));
        },
      );
  }

  /** Commits what every member has, and answers. */
  #advance(): void {
    const serving = this.#serving;
    if (serving === undefined) return;
    const { replica, others } = serving;
    const { log } = replica;
    let ready = log.durableSequence;
    for (const { readySequence } of others) ready = Math.min(ready, readySequence);
    if (ready <= log.committedSequence) return;
    log.checkTerm(serving.view.version, serving.term);
    const committed = commitReplica(replica, ready);
    const nowMs = this.#context.clock.nowMs();
    this.#lastCommitMs = nowMs;
    // Committed it is, for every member has it; but only a holder of both leases may say so.
    const refusal = this.#leasesHold() ? undefined : outcomeUnknown(this.handle, 'the lease ended');
    const { committedLength } = log;
    const answered = this.#inFlight.splice(0, committed.length);
    assert(
      answered.length === committed.length,
      () => `${this.handle}: ${committed.length} committed, fewer in flight`,
    );
    for (const [index, { sequence, bytes }] of committed.entries()) {
      const call = answered[index]!;
      this.#inFlightBytes -= bytes.length;
      if (refusal === undefined) call.succeed({ offset: call.offset, committedLength, sequence });
      else call.fail(refusal);
    }
    this.#viewChangesInRow = 0;
    this.#committed(this);
    if (this.#state === 'serving') this.#admitWaiting();
    else if (this.#inFlight.length === 0) void this.#giveBack();
  }

  /** Makes the commit point durable at every member. @returns the members that did not take it. */
  async #commitEverywhere({ view, term, replica, others }: Serving): Promise<Map<number, FsError>> {
    const { committedSequence } = replica.log;
    this.#toldSequence = committedSequence;
    const failed = new Map<number, FsError>();
    const request = { handle: this.handle, version: view.version, committedSequence, term };
    const commitAt = async ({ id, address }: ReadyMember): Promise<void> => {
      try {
        const channel = this.#context.peers.channel(address);
        await channel.call(ChunkserverPeerMethods.commit, request, { timeoutMs: PEER_CALL_TIMEOUT_MS });
      } catch (error) {
        failed.set(id, toFsError(error));
      }
    };
    const commitHere = new Promise<void>((durable) => replica.journalCommitted(committedSequence, durable));
    await Promise.all([commitHere, ...others.map(commitAt)]);
    for (const [id, { message }] of failed) {
      // Whoever reads there asks for the commit point; the next mutation shows whether the member is gone.
      this.#context.log.debug('commit point not taken', { handle: this.handle, server: id, error: message });
    }
    return failed;
  }

  // ---- Leases and views ----

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
    this.#serving = undefined;
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
      if (result.kind === 'membersFailed') {
        this.#memberFailed(result.failed);
        return;
      }
      const others = otherMembers(this.#context, view).map((member) => ({ ...member, readySequence: result.sequence }));
      this.#serve({ view, term: result.term, replica: result.replica, others }, result.sequence);
    } catch (error) {
      if (this.#round !== round) return;
      this.#context.log.error('view not installed', { handle: this.handle, version: view.version, error });
      this.#end('refused', toFsError(error));
    }
  }

  #serve(serving: Serving, sequence: number): void {
    const { log } = serving.replica;
    assert(
      log.durableSequence === sequence && log.stagedSequence === sequence,
      () => `${this.handle}: view starts at ${sequence}, staged ${log.stagedSequence}`,
    );
    this.#serving = serving;
    const interrupted = this.#inFlight;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
    commitReplica(serving.replica, sequence);
    this.#to('installed');
    this.#lastMutationMs = this.#context.clock.nowMs();
    this.#toldSequence = -1; // the members may not know it yet
    this.#lastCommitMs = this.#lastMutationMs;
    this.#committed(this);
    // Those the base covers are committed by it, the others run again in their old order.
    for (const call of interrupted) this.#resume(call, serving, sequence);
    for (const { resolve } of this.#servingWaiters.splice(0)) resolve();
    this.#admitWaiting();
  }

  #resume(call: MutationCall, serving: Serving, base: number): void {
    const { offset, sequence } = call;
    try {
      if (!this.#leasesHold()) throw outcomeUnknown(this.handle, 'the lease ended');
      if (sequence > base) this.#stage(call, serving, this.#placeOf(call, serving));
      else call.succeed({ offset, sequence, committedLength: serving.replica.log.committedLength });
    } catch (error) {
      call.fail(toFsError(error));
    }
  }

  #memberFailed(failed: ReadonlyMap<number, FsError>): void {
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
    if (this.#state === 'changing') void this.#changeView([...failed.keys()], reason);
  }

  /** Asks the master for a view without the failed members (docs/protocol.md, "Mutations", step 5). */
  async #changeView(failedMembers: number[], reason: string): Promise<void> {
    const round = this.#round;
    const version = this.#viewVersion;
    this.#viewChangesInRow += 1;
    this.#context.log.warn('members of a view failed', { handle: this.handle, version, failedMembers, reason });
    try {
      if (this.#viewChangesInRow > VIEW_CHANGES_IN_ROW_MAX) throw outcomeUnknown(this.handle, 'no view held');
      const sentAtMs = this.#context.clock.nowMs();
      const { message } = await this.#context.master.call(
        MasterControlMethods.reportFailedMembers,
        {
          serverId: this.#context.serverId(),
          session: this.#context.session(),
          handle: this.handle,
          ...{ version, failedMembers, reason },
        },
        { timeoutMs: VIEW_CHANGE_TIMEOUT_MS },
      );
      if (this.#round !== round) return;
      const { view } = message;
      if (view === undefined || view.version <= version)
        throw outcomeUnknown(this.handle, 'the view could not be changed');
      await this.#install(view, sentAtMs);
    } catch (error) {
      if (this.#round !== round) return;
      const cause = toFsError(error);
      const isKnown = cause.kind === 'VIEW_TOO_SMALL' || cause.kind === 'DEADLINE_EXCEEDED';
      this.#end(
        'refused',
        isKnown ? cause : outcomeUnknown(this.handle, `a member failed (${reason}; ${cause.message})`),
      );
    }
  }

  /** Nothing is in flight: the last commit point becomes durable everywhere, then the lease ends. */
  async #giveBack(): Promise<void> {
    const serving = this.#serving;
    const isLast = this.#state === 'releasing' || this.#state === 'revoking';
    if (serving === undefined || !isLast) return;
    const round = this.#round;
    const failed = await this.#commitEverywhere(serving);
    if (this.#round !== round) return;
    if (failed.size > 0) {
      this.#memberFailed(failed);
      return;
    }
    if (this.#state === 'revoking') {
      this.#end('drained', notPrimary(this.handle));
      return;
    }
    const { version, committedLength, committedSequence } = serving.replica.log;
    const released = { handle: this.handle, version, committedLength, sequence: committedSequence, lease: this.#lease };
    this.#leases.release(released, () => {
      if (this.#round !== round) return;
      const waiting = this.#takeWaiting();
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
    if (before !== 'idle') this.#round += 1;
    this.#serving = undefined;
    this.#leaseUntilMs = Number.NEGATIVE_INFINITY;
    this.#viewChangesInRow = 0;
    const inFlight = this.#inFlight;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
    const unknown = error.reaction === 'unknown' ? error : outcomeUnknown(this.handle, error.message);
    for (const call of inFlight) call.fail(unknown);
    const notApplied =
      error.reaction === 'unknown' && error.kind !== 'VIEW_TOO_SMALL' ? notPrimary(this.handle) : error;
    for (const call of this.#takeWaiting()) this.#answerWithoutLease(call, notApplied);
    for (const { reject } of this.#servingWaiters.splice(0)) reject(notApplied);
    for (const { resolve, reject } of this.#drainWaiters.splice(0)) {
      if (event === 'drained') resolve();
      else reject(notDrained(this.handle, error));
    }
  }

  /** A closed chunk: any member that has nothing uncommitted knows what became of an operation. */
  #answerWithoutLease(call: MutationCall, error: FsError): void {
    const { operation, version } = call.request;
    const replica = this.#context.replicas.find(this.handle);
    try {
      const isCertain = error.kind === 'NOT_PRIMARY' && this.#context.mayServe();
      if (replica === undefined || !isCertain || replica.log.staged.length > 0) throw error;
      replica.log.checkVersion(version);
      const earlier = operation === undefined ? undefined : replica.operations.lookup(operation);
      const { committedLength } = replica.log;
      if (earlier !== undefined) call.repeat({ offset: earlier.offset, sequence: earlier.sequence, committedLength });
      else if (replica.log.isSealed && grows(call, committedLength)) throw sealed(this.handle);
      else throw error;
    } catch (refusal) {
      call.fail(toFsError(refusal));
    }
  }

  #failWaiting(error: FsError): void {
    for (const call of this.#takeWaiting()) call.fail(error);
  }

  #takeWaiting(): MutationCall[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }

  #to(event: LeaseEvent): void {
    const state = nextLeaseState(this.#state, event);
    if (state === this.#state) return;
    // In `releasing` and `revoking` what is in flight goes on in the same term.
    const goesOn = event === 'idleForLong' || event === 'revoked';
    if (!goesOn) this.#round += 1;
    this.#state = state;
  }

  #leasesHold(): boolean {
    return this.#context.clock.nowMs() < this.#leaseUntilMs && this.#context.mayServe();
  }

  #leaseEnd(sentAtMs: number): number {
    return sentAtMs + this.#context.chunkLeaseMs() - LEASE_MARGIN_MS;
  }
}

function grows({ request }: MutationCall, length: number): boolean {
  return request.writeAt === undefined || request.writeAt + request.bytes.length > length;
}

function sealed(handle: string): FsError {
  return new FsError('CHUNK_SEALED', `chunk ${handle} may not grow any more; use the next chunk`);
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
