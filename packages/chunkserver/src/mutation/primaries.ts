/**
 * The chunks this server leads, and the calls that reach it as their primary (GFS §3.1). One `PrimaryChunk` for each;
 * those at rest are forgotten.
 */
import { type Clock, crc32c, FsError, RepeatedWarnings, type Timer } from '@cairnfs/base';
import {
  type CallContext,
  type CommitReport,
  type GetChunkLengthReply,
  type GetChunkLengthRequest,
  type GetCommitPointReply,
  type GetCommitPointRequest,
  type MutateReply,
  type MutateRequest,
  type Payload,
  type ReceivedData,
  type RevokeLeaseReply,
  type RevokeLeaseRequest,
  recordBytesMax,
  verifyData,
} from '@cairnfs/protocol';
import type { WorkDone } from '../serve/work-done.ts';
import { LeaseCalls, notPrimary } from '../view/lease-calls.ts';
import { CommitTicker } from './commit-ticker.ts';
import { CHUNK_WARNING_INTERVAL_MS, LEASE_SWEEP_MS, LEASES_MAX } from './limits.ts';
import { MutationCall, type MutationRequest } from './mutation-call.ts';
import type { MutationContext } from './mutation-context.ts';
import { readOperation } from './operation-id.ts';
import { PrimaryChunk } from './primary-chunk.ts';
import type { LedTo } from './primary-lease.ts';
import type { MutableReplica } from './replica-port.ts';
import { isUnmade, notFound } from './secondary.ts';

/** As many as one heartbeat takes (control.proto). */
const COMMIT_REPORTS_MAX = 1_000;

export interface HeldLease {
  readonly handle: string;
  /** The grant, as the master numbers it. */
  readonly lease: number;
}

export class Primaries {
  readonly #context: MutationContext;
  readonly #leases: LeaseCalls;
  readonly #ticker: CommitTicker;
  readonly #warnings: RepeatedWarnings;
  /** Mutations committed and answered, and their bytes, since the start. */
  readonly committed: WorkDone = { count: 0, bytes: 0 };
  readonly #chunks = new Map<string, PrimaryChunk>();
  #sweeping: Timer | undefined;
  #isClosed = false;

  constructor(context: MutationContext) {
    this.#context = context;
    this.#leases = new LeaseCalls(context);
    this.#ticker = new CommitTicker(context.clock);
    this.#warnings = new RepeatedWarnings(context, CHUNK_WARNING_INTERVAL_MS);
  }

  // ---- Calls of clients ----

  /** `MutateChunk`, and `Mutate` over gRPC, where the bytes travel inside the message. */
  mutate(request: MutateRequest, context: CallContext): Promise<Payload<MutateReply>> {
    return new Promise((resolve, reject) => {
      this.#checkServing();
      const mutation = readMutation(request, context, this.#context.chunkBytes());
      const { length } = mutation.bytes;
      const answer = (message: MutateReply): void => {
        this.committed.count += 1;
        this.committed.bytes += length;
        resolve({ message });
      };
      const call = new MutationCall(mutation, { resolve: answer, reject });
      this.#chunk(request.handle).submit(call);
    });
  }

  /** Committed length of an open chunk; takes the lease when this server leads the chunk and has none. */
  async getChunkLength(request: GetChunkLengthRequest): Promise<Payload<GetChunkLengthReply>> {
    const { log } = await this.#servingReplica(request);
    const changedMs = this.#chunks.get(request.handle)?.changedMs;
    return { message: { committedLength: log.committedLength, sequence: log.committedSequence, changedMs } };
  }

  // ---- Calls of members and the master ----

  async getCommitPoint(request: GetCommitPointRequest): Promise<Payload<GetCommitPointReply>> {
    const { log } = await this.#servingReplica(request);
    return { message: { committedSequence: log.committedSequence, committedLength: log.committedLength } };
  }

  /** Takes the lease back for the master; `seal`: the chunk never grows again. */
  async revokeLease({ handle, version, seal }: RevokeLeaseRequest): Promise<Payload<RevokeLeaseReply>> {
    const replica = this.#context.replicas.find(handle);
    const primary = this.#chunks.get(handle);
    if (replica === undefined || isUnmade(replica)) {
      await primary?.revoke(); // it may be about to make the replica
      throw notFound(handle);
    }
    replica.log.checkVersion(version);
    const hasLed = (await primary?.revoke()) ?? false;
    replica.log.checkVersion(version);
    // A server that led the chunk before it was started anew has asked nobody since whether it still has all of it.
    if (replica.log.staged.length > 0 || (!hasLed && replica.log.term > 0)) throw unsettled(replica);
    if (seal) replica.log.seal();
    const { committedLength, committedSequence } = replica.log;
    await new Promise<void>((durable, failed) => {
      if (seal) replica.journalSealed(durable, failed);
      else replica.journalCommitted(committedSequence, durable, failed);
    });
    return { message: { committedLength, sequence: committedSequence, changedMs: primary?.changedMs } };
  }

  /** A new version of the chunk was promised here. */
  promised(handle: string): void {
    this.#chunks.get(handle)?.lease.promised();
  }

  /**
   * What this server committed as primary at `version`, also when its replica is not to be had any more; undefined when it
   * does not know.
   */
  ledTo(handle: string, version: number): LedTo | undefined {
    return this.#chunks.get(handle)?.lease.ledTo(version);
  }

  /** Another server brought a view of the chunk here. */
  deposed(handle: string): void {
    this.#chunks.get(handle)?.lease.deposed();
  }

  /** The server ends: leases end by time, or by the question of the next primary. */
  close(): void {
    this.#isClosed = true;
    this.#sweeping?.cancel();
  }

  // ---- For heartbeats and reads ----

  /** Leases held and wanted on. */
  held(): HeldLease[] {
    const held: HeldLease[] = [];
    for (const { handle, lease } of this.#chunks.values()) {
      if (lease.wantsRenewal) held.push({ handle, lease: lease.grant });
    }
    return held;
  }

  /** @param sentAtMs when the heartbeat that renewed them was sent, monotonic. */
  renewed(handles: readonly string[], sentAtMs: number): void {
    for (const handle of handles) this.#chunks.get(handle)?.lease.renewed(sentAtMs);
  }

  /** Commit points that moved since the last call. */
  commitReports(): CommitReport[] {
    const reports: CommitReport[] = [];
    for (const chunk of this.#chunks.values()) {
      if (reports.length === COMMIT_REPORTS_MAX) break;
      const moved = chunk.commitMoved();
      if (moved !== undefined) reports.push({ handle: chunk.handle, ...moved });
    }
    return reports;
  }

  isServing(handle: string): boolean {
    return this.#chunks.get(handle)?.lease.isServing() ?? false;
  }

  /** Resolves when this server serves the chunk under both leases; takes the lease when needed. */
  async untilServing(handle: string, version: number): Promise<void> {
    await this.#chunk(handle).untilServing(version);
  }

  /** For tests and metrics: chunks led or on their way to it. */
  get chunkCount(): number {
    return this.#chunks.size;
  }

  async #servingReplica({ handle, version }: { handle: string; version: number }): Promise<MutableReplica> {
    this.#checkServing();
    const found = this.#context.replicas.find(handle);
    if (found !== undefined && version < found.log.promisedVersion) found.log.checkVersion(version);
    if (!this.isServing(handle)) await this.untilServing(handle, version);
    this.#checkServing();
    const replica = this.#context.replicas.find(handle);
    if (replica === undefined || !this.isServing(handle)) throw notPrimary(handle);
    replica.log.checkVersion(version);
    return replica;
  }

  #chunk(handle: string): PrimaryChunk {
    const known = this.#chunks.get(handle);
    if (known !== undefined) return known;
    if (this.#chunks.size >= LEASES_MAX) {
      throw new FsError('OVERLOADED', `this server leads ${LEASES_MAX} chunks already; try again`);
    }
    const chunk = new PrimaryChunk({
      ...{ context: this.#context, leases: this.#leases, warnings: this.#warnings, handle },
      committed: (owner) => this.#ticker.note(owner),
    });
    this.#chunks.set(handle, chunk);
    this.#sweepLater(this.#context.clock);
    return chunk;
  }

  #sweepLater(clock: Clock): void {
    if (this.#sweeping !== undefined || this.#isClosed) return;
    this.#sweeping = clock.after(LEASE_SWEEP_MS, () => {
      this.#sweeping = undefined;
      for (const [handle, chunk] of this.#chunks) {
        chunk.sweep();
        if (chunk.isAtRest) this.#chunks.delete(handle);
      }
      if (this.#chunks.size > 0) this.#sweepLater(clock);
    });
  }

  #checkServing(): void {
    if (!this.#context.mayServe()) throw this.#context.mayNotServe();
  }
}

/** @throws FsError INVALID_ARGUMENT, CHECKSUM_MISMATCH */
function readMutation(request: MutateRequest, context: CallContext, chunkBytes: number): MutationRequest {
  const bytesMax = recordBytesMax(chunkBytes);
  const { bytes, checksum, memory } =
    context.data === undefined ? readMessageData(request) : readFrameData(context.data);
  const { handle, version, kind } = request;
  const writeAt = kind?.$case === 'writeAt' ? kind.value : undefined;
  if (kind === undefined || bytes.length === 0 || bytes.length > bytesMax) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `a mutation of ${bytes.length} bytes, kind ${kind?.$case ?? 'missing'}: it has 1 to ${bytesMax} bytes and is ` +
        'a write or an append',
    );
  }
  const capacity = Math.min(request.capacity || chunkBytes, chunkBytes);
  const operation = readOperation(request.operation);
  return { handle, version, writeAt, bytes, checksum, memory, operation, capacity, deadlineMs: context.deadlineMs };
}

function readFrameData(data: ReceivedData) {
  verifyData(data);
  return data;
}

function readMessageData({ data, checksum }: MutateRequest) {
  const found = crc32c(data);
  if (checksum !== undefined && checksum !== found) {
    throw new FsError('CHECKSUM_MISMATCH', 'the data of a mutation does not match its checksum; send it again');
  }
  return { bytes: data, checksum: found, memory: undefined };
}

function unsettled({ handle, log }: MutableReplica): FsError {
  return new FsError(
    'UNAVAILABLE',
    `chunk ${handle}: it is not certain that it ends at sequence ${log.committedSequence}, ${log.staged.length} mutations ` +
      'above are staged; a view change settles it',
  );
}
