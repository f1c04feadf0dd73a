/**
 * A member of a view that is not its primary (GFS §3.1; PacificA): stages mutations in sequence order, says what is on
 * stable storage, and commits when the primary says so.
 *
 * Invariants: a reply READY up to n means that all up to n of this version and term are durable here; a sequence number
 * of one term means one byte string, so a mutation that comes twice is acknowledged again.
 */
import { type ErrorDetails, FsError, isFsError } from '@cairnfs/base';
import {
  type CallContext,
  type CommitReply,
  type CommitRequest,
  type InstallViewReply,
  type InstallViewRequest,
  type Payload,
  type PooledBytes,
  type StageMutationReply,
  type StageMutationRequest,
  verifyData,
} from '@cairnfs/protocol';
import { hidden, makeReplica, mayHideOf, notMade } from '../view/not-made.ts';
import { takeView } from '../view/take-view.ts';
import { commitReplica, lengthAfter, stageMutation } from './commit.ts';
import { EARLY_MUTATION_BYTES_MAX, EARLY_MUTATIONS_MAX } from './limits.ts';
import type { MutationContext } from './mutation-context.ts';
import { readOperation } from './operation-id.ts';
import type { MutableReplica } from './replica-port.ts';

interface Arrived {
  readonly request: StageMutationRequest;
  readonly bytes: Uint8Array;
  readonly checksum: number;
  readonly memory: PooledBytes;
  /** Its caller waits until then. */
  readonly deadlineMs: number;
  readonly settle: (error?: FsError) => void;
}

interface Staging {
  readonly request: StageMutationRequest;
  readonly settle: (error?: FsError) => void;
}

/** Calls that wait at one replica, by sequence number. */
interface Waiting {
  /** Buffered: a lower sequence number is missing. */
  readonly early: Map<number, Arrived>;
  /** Staging: answered when durable. In order of sequence, all of the term that counts. */
  staging: Staging[];
}

export class Secondaries {
  readonly #context: MutationContext;
  /** Only replicas with calls under way. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #viewTaken: (handle: string) => void;
  readonly #earlyBytesMax: number;
  /** Memory of the buffered mutations of all chunks. */
  #earlyBytes = 0;

  /**
   * @param viewTaken runs when another server brought a view of the chunk: this one leads it no longer.
   * @param earlyBytesMax bound of the memory that buffered mutations hold, over all chunks.
   */
  constructor(
    context: MutationContext,
    viewTaken: (handle: string) => void,
    earlyBytesMax: number = EARLY_MUTATION_BYTES_MAX,
  ) {
    this.#context = context;
    this.#viewTaken = viewTaken;
    this.#earlyBytesMax = earlyBytesMax;
  }

  /**
   * Stages one mutation and answers up to where all is durable.
   *
   * @throws FsError STALE_VERSION  another version or term; OVERLOADED  too far ahead of what is missing.
   */
  stage(request: StageMutationRequest, context: CallContext): Promise<Payload<StageMutationReply>> {
    return new Promise((resolve, reject) => {
      const { data } = context;
      if (data === undefined) throw new FsError('INVALID_ARGUMENT', 'StageMutation came without frame data');
      this.#checkServing();
      const replica = this.#replica(request.handle);
      const { log } = replica;
      log.checkTerm(request.version, request.term);
      verifyData(data);
      const settle = (error?: FsError) => {
        if (error !== undefined) reject(error);
        else if (!this.#context.mayServe()) reject(this.#context.mayNotServe());
        else resolve({ message: { stagedSequence: log.durableSequence } });
      };
      const { bytes, checksum, memory } = data;
      this.#arrived(replica, { request, bytes, checksum, memory, deadlineMs: context.deadlineMs, settle });
    });
  }

  /** Commits up to the primary's commit point; answers when that is on stable storage. */
  async commit(request: CommitRequest): Promise<Payload<CommitReply>> {
    this.#checkServing();
    const replica = this.#replica(request.handle);
    replica.log.checkTerm(request.version, request.term);
    this.#commit(replica, request.committedSequence);
    const { committedSequence } = replica.log;
    await new Promise<void>((durable, failed) => replica.journalCommitted(committedSequence, durable, failed));
    return { message: {} };
  }

  /**
   * Takes a view confirmed by the master, from its primary.
   *
   * @throws FsError STALE_VERSION  a later view or term was promised or taken; CHUNK_NOT_FOUND  no replica is here.
   */
  async installView(request: InstallViewRequest): Promise<Payload<InstallViewReply>> {
    this.#checkServing();
    const { view, term, fence, create } = request;
    const { serverId } = this.#context;
    if (view === undefined || view.members.length !== view.addresses.length || !view.members.includes(serverId())) {
      throw new FsError('INVALID_ARGUMENT', `InstallView names no view that server ${serverId()} is a member of`);
    }
    const found = this.#context.replicas.find(view.handle);
    const isThere = found !== undefined && !isUnmade(found);
    if (!isThere && !(create && view.baseSequence === 0)) throw notFound(view.handle);
    if (!isThere) this.#context.absences.check(view.handle, view.version);
    if (!isThere && mayHideOf(this.#context, view)) throw hidden(this.#context, view);
    const replica = isThere ? found : makeReplica(this.#context, view, found);
    const { log } = replica;
    const before = { version: log.version, term: log.term };
    const taken = takeView(replica, { view, term, fence });
    // The state has changed by now, or `taken` is rejected, or nothing is new; only the disk is waited for.
    this.refuseWaiting(replica);
    if (log.version !== before.version || log.term !== before.term) this.#viewTaken(view.handle);
    const message = await taken.catch((error: unknown) => {
      throw create && isFsError(error) ? notMade(this.#context, view, error) : error;
    });
    this.#checkServing();
    return { message };
  }

  /** Refuses calls that wait for a version or term that no longer counts. */
  refuseWaiting(replica: MutableReplica): void {
    const waiting = this.#waiting.get(replica.handle);
    if (waiting === undefined) return;
    for (const early of waiting.early.values()) {
      const refusal = refusalOf(replica, early.request);
      if (refusal === undefined) continue;
      this.#letGo(waiting, early);
      early.settle(refusal);
    }
    const staging = waiting.staging;
    waiting.staging = [];
    for (const call of staging) {
      const refusal = refusalOf(replica, call.request);
      if (refusal === undefined) waiting.staging.push(call);
      else call.settle(refusal);
    }
    this.#forgetIfIdle(replica.handle, waiting);
  }

  /**
   * Lets go of calls at replicas that are gone, which nothing settles any more, and of buffered mutations whose caller has
   * given up. Runs now and then.
   */
  sweep(): void {
    const nowMs = this.#context.clock.nowMs();
    for (const [handle, waiting] of this.#waiting) {
      const isGone = this.#context.replicas.find(handle) === undefined;
      for (const early of waiting.early.values()) {
        if (!isGone && nowMs < early.deadlineMs) continue;
        this.#letGo(waiting, early);
        early.settle(isGone ? notFound(handle) : missing(handle, early.request.sequence));
      }
      if (isGone) for (const { settle } of waiting.staging.splice(0)) settle(notFound(handle));
      this.#forgetIfIdle(handle, waiting);
    }
  }

  #arrived(replica: MutableReplica, arrived: Arrived): void {
    const { log } = replica;
    const { sequence } = arrived.request;
    const waiting = this.#waitingOf(replica.handle);
    if (sequence <= log.stagedSequence) {
      this.#repeated(replica, waiting, arrived);
    } else if (sequence === log.stagedSequence + 1) {
      this.#stageInOrder(replica, waiting, arrived);
    } else if (sequence > log.stagedSequence + EARLY_MUTATIONS_MAX) {
      this.#forgetIfIdle(replica.handle, waiting);
      throw new FsError(
        'OVERLOADED',
        `chunk ${replica.handle}: mutation ${sequence} arrived while ${log.stagedSequence + 1} is missing; ` +
          `at most ${EARLY_MUTATIONS_MAX} are buffered`,
      );
    } else {
      this.#buffer(replica, waiting, arrived);
    }
    this.#commit(replica, arrived.request.committedSequence);
  }

  #buffer({ handle }: MutableReplica, waiting: Waiting, arrived: Arrived): void {
    const { sequence } = arrived.request;
    const earlier = waiting.early.get(sequence);
    if (earlier !== undefined) {
      this.#letGo(waiting, earlier);
      earlier.settle(new FsError('CANCELLED', `chunk ${handle}: mutation ${sequence} was sent again`));
    }
    const bytes = arrived.memory.bytes.length;
    if (this.#earlyBytes + bytes > this.#earlyBytesMax) {
      this.#forgetIfIdle(handle, waiting);
      throw new FsError(
        'OVERLOADED',
        `chunk ${handle}: mutation ${sequence} arrived before those below it; mutations that wait so hold ` +
          `${this.#earlyBytes} bytes on this server, ${this.#earlyBytesMax} are the most`,
      );
    }
    this.#earlyBytes += bytes;
    arrived.memory.retain(); // the call may end before its turn comes
    waiting.early.set(sequence, arrived);
  }

  /** Buffered no longer: its memory is free unless somebody else holds it. */
  #letGo({ early }: Waiting, { request, memory }: Arrived): void {
    early.delete(request.sequence);
    this.#earlyBytes -= memory.bytes.length;
    memory.release();
  }

  #repeated(replica: MutableReplica, waiting: Waiting, { request, checksum, settle }: Arrived): void {
    const { staging } = waiting;
    const { sequence, handle } = request;
    const staged = replica.log.find(sequence);
    if (staged !== undefined && staged.checksum !== checksum) {
      this.#forgetIfIdle(handle, waiting);
      throw new FsError('DAMAGED', `chunk ${handle}: mutation ${sequence} came twice in one term with different bytes`);
    }
    if (sequence <= replica.log.durableSequence) {
      this.#forgetIfIdle(handle, waiting);
      settle();
      return;
    }
    const after = staging.findIndex((other) => other.request.sequence > sequence);
    staging.splice(after < 0 ? staging.length : after, 0, { request, settle });
  }

  /** Stages it and every buffered one whose turn it is then. */
  #stageInOrder(replica: MutableReplica, waiting: Waiting, first: Arrived): void {
    try {
      this.#stageNext(replica, waiting, first);
    } catch (error) {
      this.#forgetIfIdle(replica.handle, waiting);
      throw error;
    }
    const same = waiting.early.get(first.request.sequence);
    if (same !== undefined) {
      this.#repeated(replica, waiting, same);
      this.#letGo(waiting, same);
    }
    for (;;) {
      const next = waiting.early.get(replica.log.stagedSequence + 1);
      if (next === undefined) return;
      try {
        this.#stageNext(replica, waiting, next);
      } catch (error) {
        next.settle(error as FsError);
        return;
      } finally {
        this.#letGo(waiting, next);
      }
    }
  }

  #stageNext(replica: MutableReplica, waiting: Waiting, { request, bytes, checksum, memory, settle }: Arrived): void {
    const { log } = replica;
    const { sequence, offset, append } = request;
    const end = offset + bytes.length;
    if (bytes.length === 0 || end > this.#context.chunkBytes() || (append && offset !== log.stagedLength)) {
      throw new FsError(
        'DAMAGED',
        `chunk ${replica.handle}: mutation ${sequence} puts ${bytes.length} bytes at ${offset}, the replica ends at ` +
          `${log.stagedLength}; primary and secondary differ`,
        { details: { sequence, offset, stagedLength: log.stagedLength } },
      );
    }
    const operation = readOperation(request.operation);
    const mutation = {
      sequence,
      offset,
      bytes,
      checksum,
      memory,
      isAppend: append,
      operation,
      lengthAfter: lengthAfter(log, offset, bytes.length),
      isDurable: false,
      isGone: false,
    };
    stageMutation(replica, mutation, {
      nowMs: this.#context.clock.nowMs(),
      durable: () => this.#durable(replica, request),
      failed: (failure) => this.#diskFailed(replica.handle, failure),
    });
    waiting.staging.push({ request, settle });
  }

  #durable(replica: MutableReplica, request: StageMutationRequest): void {
    const waiting = this.#waiting.get(replica.handle);
    // One that was dropped meanwhile says nothing of those staged since: its call was refused.
    if (waiting === undefined || refusalOf(replica, request) !== undefined) return;
    const { staging } = waiting;
    while (staging.length > 0 && staging[0]!.request.sequence <= request.sequence) staging.shift()!.settle();
    this.#forgetIfIdle(replica.handle, waiting);
  }

  /** Its primary learns it at once, and changes the view; one that is silent would be waited for. */
  #diskFailed(handle: string, failure: FsError): void {
    const waiting = this.#waiting.get(handle);
    if (waiting === undefined) return;
    for (const early of waiting.early.values()) {
      this.#letGo(waiting, early);
      early.settle(failure);
    }
    for (const { settle } of waiting.staging.splice(0)) settle(failure);
    this.#forgetIfIdle(handle, waiting);
  }

  /** A commit point above what is durable here belongs to mutations that come again, so it can wait for them. */
  #commit(replica: MutableReplica, committedSequence: number): void {
    commitReplica(replica, Math.min(committedSequence, replica.log.durableSequence));
  }

  #waitingOf(handle: string): Waiting {
    let waiting = this.#waiting.get(handle);
    if (waiting === undefined) {
      waiting = { early: new Map(), staging: [] };
      this.#waiting.set(handle, waiting);
    }
    return waiting;
  }

  #forgetIfIdle(handle: string, { early, staging }: Waiting): void {
    if (early.size === 0 && staging.length === 0) this.#waiting.delete(handle);
  }

  #replica(handle: string): MutableReplica {
    const replica = this.#context.replicas.find(handle);
    if (replica === undefined) throw notFound(handle);
    return replica;
  }

  #checkServing(): void {
    if (!this.#context.mayServe()) throw this.#context.mayNotServe();
  }
}

function refusalOf({ log }: MutableReplica, { version, term }: { version: number; term: number }): FsError | undefined {
  try {
    log.checkTerm(version, term);
    return undefined;
  } catch (error) {
    return error as FsError;
  }
}

function missing(handle: string, sequence: number): FsError {
  return new FsError(
    'DEADLINE_EXCEEDED',
    `chunk ${handle}: those before mutation ${sequence} did not come while its caller waited`,
  );
}

/** Begun by a process that ended before the first view was durable: it never counted. */
export function isUnmade({ log }: MutableReplica): boolean {
  return log.version === 0;
}

export function notFound(handle: string, details: ErrorDetails = {}): FsError {
  const message = `no replica of chunk ${handle} is on this server; look the chunk up again`;
  return new FsError('CHUNK_NOT_FOUND', message, { details });
}
