/**
 * What a primary does while it serves one term of one view (docs/spec/mutations.md, "The primary"): it gives mutations
 * their order, stages them here and at every other member at once, and commits in order when all are READY.
 *
 * Invariants: the staged mutations of the replica are exactly those in flight, in order; nothing is committed without
 * READY of every member of the view in this term; nothing is answered without both leases. A term that has ended hears
 * nothing more.
 */
import { assert, type FsError, isFsError, toFsError } from '@cairnfs/base';
import { ChunkserverPeerMethods, type ChunkView } from '@cairnfs/protocol';
import { notPrimary } from '../view/lease-calls.ts';
import { otherMembers } from '../view/view-round.ts';
import { checkOperationRoom, isRepeated, placeOf } from './admission.ts';
import { commitReplica, lengthAfter, stageMutation } from './commit.ts';
import type { InFlight } from './in-flight.ts';
import { COMMIT_DELAY_MS, PEER_CALL_TIMEOUT_MS, STAGE_TIMEOUT_MS } from './limits.ts';
import { type MutationCall, outcomeUnknown } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import type { StagedMutation } from './mutation-log.ts';
import { writeOperation } from './operation-id.ts';
import { RefusedMutations } from './refused-mutations.ts';
import type { MutableReplica } from './replica-port.ts';
import { whileOverloaded } from './while-overloaded.ts';

export interface PrimaryTermOptions {
  readonly context: MutationContext;
  readonly view: ChunkView;
  readonly term: number;
  readonly replica: MutableReplica;
  /** Every member has staged exactly up to here, and all of it is committed. */
  readonly sequence: number;
  readonly inFlight: InFlight;
  /** Server lease and chunk lease. */
  readonly leasesHold: () => boolean;
  /** The commit point moved, and what it covers was answered. */
  readonly committed: () => void;
  /** Members refuse, or are silent. */
  readonly membersFailed: (failed: ReadonlyMap<number, FsError>) => void;
  /** The disk of the replica here failed: what is in flight can never be acknowledged by this server. */
  readonly diskFailed: (failure: FsError) => void;
}

interface ReadyMember {
  readonly id: number;
  readonly address: string;
  /** Everything up to here is on its stable storage. */
  readySequence: number;
  readonly refused: RefusedMutations;
}

export class PrimaryTerm {
  readonly view: ChunkView;
  readonly replica: MutableReplica;
  readonly #options: PrimaryTermOptions;
  readonly #others: readonly ReadyMember[];
  #hasEnded = false;
  #lastMutationMs: number;
  #lastCommitMs: number;
  /** The commit point the other members were told: at first they may not know any. */
  #toldSequence = -1;

  constructor(options: PrimaryTermOptions) {
    const { context, view, replica, sequence } = options;
    this.view = view;
    this.replica = replica;
    this.#options = options;
    this.#others = otherMembers(context, view).map((other) => {
      const refused = new RefusedMutations(context.clock, (mutation) => this.#sendAgain(member, mutation));
      const member: ReadyMember = { ...other, readySequence: sequence, refused };
      return member;
    });
    this.#lastMutationMs = context.clock.nowMs();
    this.#lastCommitMs = this.#lastMutationMs;
  }

  /** When the last mutation was staged, or the term began. */
  get lastMutationMs(): number {
    return this.#lastMutationMs;
  }

  /** From now on READY and failures of members say nothing to anybody. */
  end(): void {
    this.#hasEnded = true;
  }

  /**
   * Answers from the operation table, refuses, or stages as the next mutation.
   *
   * @throws FsError STALE_VERSION, OUTCOME_EXPIRED, CHUNK_SEALED, CHUNK_FULL, OVERLOADED, NO_SPACE  it is not staged.
   */
  admit(call: MutationCall): void {
    const { replica, view } = this;
    const { context, inFlight } = this.#options;
    const { request } = call;
    if (request.version > view.version) replica.log.checkVersion(request.version);
    if (isRepeated(call, replica, inFlight)) return;
    const offset = placeOf(request, replica, view);
    checkOperationRoom(request, replica, context.clock.nowMs());
    this.#stage(call, offset);
  }

  /** A mutation of the view before: committed by the base of this one, or staged again in its old order. */
  resume(call: MutationCall): void {
    const { leasesHold, sequence: base } = this.#options;
    const { offset, sequence } = call;
    try {
      if (!leasesHold()) throw outcomeUnknown(this.view.handle, 'the lease ended');
      if (sequence > base) this.#stage(call, placeOf(call.request, this.replica, this.view));
      else call.succeed({ offset, sequence, committedLength: this.replica.log.committedLength });
    } catch (error) {
      // Dropped everywhere with the view before, and there is no room to stage it again: its caller asks where it goes now.
      call.fail(isFsError(error, 'NO_SPACE') ? notPrimary(this.view.handle) : toFsError(error));
    }
  }

  /** Tells the members the commit point when no further mutation carried it. @returns whether one is still owed. */
  commitPointDue(nowMs: number): boolean {
    if (this.replica.log.committedSequence === this.#toldSequence) return false;
    if (nowMs - this.#lastCommitMs < COMMIT_DELAY_MS) return true;
    void this.commitEverywhere();
    return false;
  }

  /**
   * Makes the commit point durable at every member.
   *
   * @param isLast no other follows: a member that has too much to do for the moment is asked again.
   * @returns the members that did not take it, this server among them.
   */
  async commitEverywhere({ isLast = false } = {}): Promise<Map<number, FsError>> {
    const { view, replica } = this;
    const { context, term } = this.#options;
    const { handle, version } = view;
    const { committedSequence } = replica.log;
    this.#toldSequence = committedSequence;
    const failed = new Map<number, FsError>();
    const request = { handle, version, committedSequence, term };
    const commitAt = async ({ id, address }: ReadyMember): Promise<void> => {
      const commit = (timeoutMs: number) =>
        context.peers.channel(address).call(ChunkserverPeerMethods.commit, request, { timeoutMs });
      try {
        if (isLast) await whileOverloaded(context.clock, PEER_CALL_TIMEOUT_MS, commit);
        else await commit(PEER_CALL_TIMEOUT_MS);
      } catch (error) {
        failed.set(id, toFsError(error));
      }
    };
    const commitHere = new Promise<void>((durable) => {
      const diskFailed = (failure: FsError): void => {
        failed.set(context.serverId(), failure);
        durable();
      };
      replica.journalCommitted(committedSequence, durable, diskFailed);
    });
    await Promise.all([commitHere, ...this.#others.map(commitAt)]);
    for (const [id, { message }] of failed) {
      // Whoever reads there asks for the commit point; the next mutation shows whether the member is gone.
      context.log.debug('commit point not taken', { handle, server: id, error: message });
    }
    return failed;
  }

  #stage(call: MutationCall, offset: number): void {
    const { replica } = this;
    const { context, inFlight } = this.#options;
    const { log } = replica;
    const { bytes, checksum, memory, operation, writeAt } = call.request;
    const isAppend = writeAt === undefined;
    const isTwice = operation !== undefined && replica.operations.has(operation);
    assert(!isTwice, () => `${this.view.handle}: operation ${operation?.number} staged twice`);
    const mutation: StagedMutation = {
      sequence: log.stagedSequence + 1,
      offset,
      bytes,
      checksum,
      memory,
      isAppend,
      operation,
      lengthAfter: lengthAfter(log, offset, bytes.length),
      isDurable: false,
      isGone: false,
    };
    const nowMs = context.clock.nowMs();
    stageMutation(replica, mutation, { nowMs, durable: () => this.#advance(), failed: this.#diskFailed });
    call.offset = offset;
    call.sequence = mutation.sequence;
    inFlight.add(call);
    this.#lastMutationMs = nowMs;
    this.#toldSequence = log.committedSequence;
    for (const member of this.#others) this.#send(member, mutation);
  }

  readonly #diskFailed = (failure: FsError): void => {
    if (!this.#hasEnded) this.#options.diskFailed(failure);
  };

  #send(member: ReadyMember, mutation: StagedMutation): void {
    const { context, term } = this.#options;
    const { handle, version } = this.view;
    const { sequence, offset, operation, isAppend, bytes, checksum, memory } = mutation;
    memory?.retain();
    context.peers
      .channel(member.address)
      .call(
        ChunkserverPeerMethods.stageMutation,
        {
          handle,
          version,
          sequence,
          offset,
          operation: operation === undefined ? undefined : writeOperation(operation),
          committedSequence: this.replica.log.committedSequence,
          append: isAppend,
          term,
        },
        { timeoutMs: STAGE_TIMEOUT_MS, data: { buffers: [bytes], checksum, sent: () => memory?.release() } },
      )
      .then(
        ({ message }) => {
          if (message.stagedSequence > member.readySequence) {
            member.readySequence = message.stagedSequence;
            member.refused.gotOn();
          }
          this.#advance();
        },
        (error) => this.#notReady(member, mutation, toFsError(error)),
      );
  }

  #notReady(member: ReadyMember, mutation: StagedMutation, error: FsError): void {
    if (this.#hasEnded) return;
    if (error.kind === 'OVERLOADED' && member.refused.add(mutation)) return;
    this.#options.membersFailed(new Map([[member.id, error]]));
  }

  #sendAgain(member: ReadyMember, mutation: StagedMutation): void {
    if (!this.#hasEnded && mutation.sequence > member.readySequence) this.#send(member, mutation);
  }

  /** Commits what every member has, and answers. */
  #advance(): void {
    if (this.#hasEnded) return;
    const { replica, view } = this;
    const { context, inFlight, leasesHold, term } = this.#options;
    const { log } = replica;
    let ready = log.durableSequence;
    for (const { readySequence } of this.#others) ready = Math.min(ready, readySequence);
    if (ready <= log.committedSequence) return;
    log.checkTerm(view.version, term);
    const committed = commitReplica(replica, ready);
    this.#lastCommitMs = context.clock.nowMs();
    // Committed it is, for every member has it; but only a holder of both leases may say so.
    const refusal = leasesHold() ? undefined : outcomeUnknown(view.handle, 'the lease ended');
    const { committedLength } = log;
    const answered = inFlight.take(committed.length);
    assert(
      answered.length === committed.length,
      () => `${view.handle}: ${committed.length} committed, fewer in flight`,
    );
    for (const [index, { sequence }] of committed.entries()) {
      const call = answered[index]!;
      if (refusal === undefined) call.succeed({ offset: call.offset, committedLength, sequence });
      else call.fail(refusal);
    }
    this.#options.committed();
  }
}
