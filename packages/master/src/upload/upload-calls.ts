/**
 * Whole-file puts (docs/protocol.md, "Uploads"): a plan of chunks that nobody sees, and one record that turns them into
 * a file. A plan of several chunks is durable before it is answered, one of a single chunk is kept in memory alone
 * (upload-plans.ts). Renewals are not durable by themselves: a restarted master gives every upload it knows a full lease again.
 *
 * A confirmation may begin a spare upload: one of a single chunk, without a target. A client that writes many small files
 * has the plan for the next one when it needs it.
 */
import { assert, FsError, isFsError, keyToBytes, timeOrderedUuid, uuidToKey } from '@cairnfs/base';
import {
  type AbortUploadReply,
  type AbortUploadRequest,
  type BeginUploadReply,
  type BeginUploadRequest,
  type ChunkLocation,
  ConfirmUploadReply,
  type ConfirmUploadRequest,
  type ExtendUploadReply,
  type ExtendUploadRequest,
  MasterMethods,
  type UploadedChunk,
  writeChunkBytes,
} from '@cairnfs/protocol';
import { minimumOf } from '../config.ts';
import type { MasterContext, MasterParts } from '../context.ts';
import { type Chunk, ChunkState, type Upload } from '../gen/cairn/master/v1/state.ts';
import { ABANDONED_AT_ONCE, ABANDONED_PER_STEP, PLAN_CHUNKS_MAX, UPLOAD_CHUNKS_MAX } from '../limits.ts';
import { attributesOf } from '../namespace/attributes.ts';
import { type ChangeContext, makeParents } from '../namespace/change-calls.ts';
import { destroy, discardChunk } from '../namespace/destroy.ts';
import { checkFileOffset } from '../namespace/file-layout.ts';
import { make, unlink, wishedInode } from '../namespace/links.ts';
import { toLocation } from '../namespace/locate.ts';
import { once } from '../namespace/operations.ts';
import { inodeOf } from '../namespace/resolve.ts';
import { checkXattrs } from '../namespace/xattrs.ts';
import { idOfUploadKey, uploadKey, uploadRange } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { checkTarget, findTarget, NO_TARGET, withTarget } from './upload-target.ts';

export class UploadCalls {
  readonly #context: MasterContext;
  readonly #parts: MasterParts;
  /** When each upload was last heard of, on the monotonic clock. */
  readonly #renewedAtMs = new Map<string, number>();

  constructor(context: MasterContext, parts: MasterParts) {
    this.#context = context;
    this.#parts = parts;
    const { uploadsMax, uploadsWithSparesMax } = context.config.bounds;
    assert(uploadsWithSparesMax < uploadsMax, () => 'spare uploads that nobody uses would leave no room for others');
    for (const { key } of context.decisions.read().range(uploadRange, uploadsMax + 1)) {
      this.#renewedAtMs.set(idOfUploadKey(key), context.seams.clock.nowMs());
    }
  }

  async begin(request: BeginUploadRequest): Promise<{ message: BeginUploadReply }> {
    const { config, decisions, seams } = this.#context;
    const { uploadsMax } = config.bounds;
    checkPlanSize(request.chunkCount);
    if (this.#renewedAtMs.size >= uploadsMax) {
      throw new FsError('OVERLOADED', `${uploadsMax} uploads are under way, the most there may be: try again`);
    }
    const decide = (transaction: Transaction): BeginUploadReply => {
      const wanted = wishedInode(request, false, { replication: config.replication, wallMs: seams.clock.wallMs() });
      checkTarget(transaction, request);
      const { path, create, mode, owner, group, makeParents: isMaking } = request;
      const target = { path, create, mode, owner, group, makeParents: isMaking };
      return this.#begin(transaction, { ...target, replication: wanted.replication }, request.chunkCount);
    };
    const message = await (request.chunkCount === 1
      ? decisions.propose('beginUpload', decide)
      : decisions.perform('beginUpload', decide));
    return { message };
  }

  #begin(transaction: Transaction, wanted: Omit<Upload, 'startedMs' | 'handles'>, count: number): BeginUploadReply {
    const { config, plans, seams } = this.#context;
    const uploadId = timeOrderedUuid(seams);
    const upload: Upload = { startedMs: seams.clock.wallMs(), handles: [], ...wanted };
    const planned = this.#plan({ uploadId, upload, count, avoid: [] });
    const [only] = planned;
    if (only !== undefined && planned.length === 1) plans.add(uploadId, { upload, ...only });
    else log(transaction, uploadId, upload, planned);
    this.#renewedAtMs.set(uploadId, seams.clock.nowMs());
    const chunks = this.#located(planned);
    return { uploadId, chunks, leaseMs: config.uploadLeaseMs, chunkBytes: writeChunkBytes(config.chunkBytes) };
  }

  /** None when there is no room for another: a file is confirmed all the same. */
  #beginSpare(transaction: Transaction, replication: number): BeginUploadReply | undefined {
    if (this.#renewedAtMs.size >= this.#context.config.bounds.uploadsWithSparesMax) return undefined;
    try {
      return this.#begin(transaction, { replication, ...NO_TARGET }, 1);
    } catch (error) {
      if (isFsError(error, 'NO_SPACE', 'NOT_ENOUGH_SERVERS')) return undefined;
      throw error;
    }
  }

  async extend(request: ExtendUploadRequest): Promise<{ message: ExtendUploadReply }> {
    const { config, decisions, plans, seams } = this.#context;
    checkPlanSize(request.chunkCount);
    const isRenewalOnly = request.chunkCount === 0 && request.droppedHandles.length === 0;
    const message = await decisions.perform('extendUpload', (transaction) => {
      const plan = plans.find(request.uploadId);
      if (plan !== undefined) log(transaction, request.uploadId, plan.upload, [plan]);
      const upload = this.#find(transaction, request.uploadId);
      this.#renewedAtMs.set(request.uploadId, seams.clock.nowMs());
      if (isRenewalOnly) {
        transaction.afterAppend(() => plans.drop(request.uploadId));
        return { chunks: [] };
      }
      const dropped = new Set(request.droppedHandles);
      const dueMs = seams.clock.wallMs() + config.uploadLeaseMs;
      for (const handle of upload.handles) {
        const chunk = dropped.has(handle) ? transaction.chunk(handle) : undefined;
        if (chunk !== undefined) discardChunk(transaction, handle, chunk, dueMs);
      }
      upload.handles = upload.handles.filter((handle) => !dropped.has(handle));
      const { uploadId, chunkCount: count, avoidServers: avoid } = request;
      const planned = this.#plan({ uploadId, upload, count, avoid });
      log(transaction, uploadId, upload, planned);
      transaction.afterAppend(() => plans.drop(uploadId));
      return { chunks: this.#located(planned) };
    });
    return { message };
  }

  /** Applied once for each operation number; for each upload where the caller gives none. */
  async confirm(request: ConfirmUploadRequest, change: ChangeContext): Promise<{ message: ConfirmUploadReply }> {
    const { decisions } = this.#context;
    const client = keyToBytes(uuidToKey(checkUploadId(request.uploadId)));
    const identity = {
      operation: request.operation ?? { client, number: 1, settledBelow: 0 },
      method: MasterMethods.confirmUpload.id,
      reply: ConfirmUploadReply,
      atMs: this.#context.calendar.nowMs(),
    };
    const message = await decisions.perform('confirmUpload', (transaction) => {
      const reply = once(transaction, identity, () => this.#makeVisible(transaction, request, change));
      if (!request.wantsSpare) return reply;
      // Not part of what is done once: it is another one each time, and whoever is answered twice uses one of them.
      return { ...reply, spare: this.#beginSpare(transaction, reply.attributes!.replication) };
    });
    this.#renewedAtMs.delete(request.uploadId);
    return { message };
  }

  async abort({ uploadId }: AbortUploadRequest): Promise<{ message: AbortUploadReply }> {
    const { decisions, seams } = this.#context;
    checkUploadId(uploadId);
    await decisions.perform('abortUpload', (transaction) => this.#giveUp(transaction, uploadId, seams.clock.wallMs()));
    this.#renewedAtMs.delete(uploadId);
    return { message: {} };
  }

  /** Collects the chunks of uploads that were silent for a lease. */
  async abandonSilent(): Promise<void> {
    const { config, seams } = this.#context;
    const before = seams.clock.nowMs() - config.uploadLeaseMs;
    const silent: string[] = [];
    for (const [uploadId, renewedAtMs] of this.#renewedAtMs) {
      if (silent.length === ABANDONED_PER_STEP) break;
      if (renewedAtMs < before) silent.push(uploadId);
    }
    while (silent.length > 0) {
      const together = silent.splice(0, ABANDONED_AT_ONCE);
      await Promise.all(together.map((uploadId) => this.#abandon(uploadId, before)));
    }
  }

  #abandon(uploadId: string, before: number): Promise<void> {
    const { decisions, seams } = this.#context;
    return decisions.perform('abandonUpload', (transaction) => {
      // Renewed while the ones before it were written down.
      if ((this.#renewedAtMs.get(uploadId) ?? 0) >= before) return;
      const isKnown = this.#giveUp(transaction, uploadId, seams.clock.wallMs());
      if (isKnown) transaction.afterAppend(() => this.#renewedAtMs.delete(uploadId));
      else this.#renewedAtMs.delete(uploadId);
    });
  }

  /** Adds chunks to the upload, each on servers of its own. */
  #plan({ uploadId, upload, count, avoid }: NewChunks): PlannedChunk[] {
    const { config, seams } = this.#context;
    const minimum = minimumOf(config, upload.replication);
    const placement = { count, replicas: upload.replication, minimum, avoid: new Set(avoid) };
    const memberSets = count === 0 ? [] : this.#parts.placement.place(placement);
    if (upload.handles.length + memberSets.length > UPLOAD_CHUNKS_MAX) {
      const message = `an upload has at most ${UPLOAD_CHUNKS_MAX} chunks: confirm this one, and append the rest`;
      throw new FsError('TOO_LARGE', message);
    }
    return memberSets.map((members) => {
      const handle = timeOrderedUuid(seams);
      const chunk = {
        state: ChunkState.CHUNK_STATE_UPLOADING,
        version: 1,
        highestVersion: 1,
        members,
        goal: upload.replication,
        length: 0,
        sequence: 0,
        sealed: false,
        pendingVersion: 0,
        pendingMembers: [],
        behindMembers: [],
        inode: 0,
        fileOffset: 0,
        uploadId,
        baseSequence: 0,
        settledVersion: 1,
        beganVersion: 1,
        disks: [],
      };
      upload.handles.push(handle);
      return { handle, chunk };
    });
  }

  #located(planned: readonly PlannedChunk[]): ChunkLocation[] {
    return planned.map(({ handle, chunk }) => toLocation(this.#parts.cluster, handle, chunk));
  }

  #makeVisible(transaction: Transaction, request: ConfirmUploadRequest, change: ChangeContext): ConfirmUploadReply {
    const { plans, config } = this.#context;
    const plan = plans.find(request.uploadId);
    const upload = withTarget(plan?.upload ?? this.#find(transaction, request.uploadId), request.target);
    const { chunkBytes } = config;
    const end = checkChunks(upload, request.chunks, chunkBytes);
    const size = request.size || end;
    if (size < end) {
      throw new FsError('INVALID_ARGUMENT', `size ${size} lies before the end of the last chunk, ${end}`);
    }
    checkFileOffset(size);
    checkXattrs(request.xattrs);
    if (upload.makeParents) makeParents(transaction, upload.path, upload, change);
    const target = findTarget(transaction, upload);
    if (target.replaced !== undefined) {
      const replaced = { id: target.replaced, inode: inodeOf(transaction, target.replaced) };
      unlink(transaction, replaced, change.wallMs);
      destroy(transaction, replaced, change.garbageDueMs);
    }
    const made = make(transaction, target.place, wishedInode(upload, false, change));
    made.inode.size = size;
    made.inode.xattrs = request.xattrs;
    if (request.modifiedMs !== 0) made.inode.modifiedMs = request.modifiedMs;
    for (const [index, { handle, length, offset }] of request.chunks.entries()) {
      const isTail = index === request.chunks.length - 1 && offset + length === size;
      const planned = plan?.chunk ?? transaction.chunk(handle)!;
      const chunk = {
        ...planned,
        state: ChunkState.CHUNK_STATE_CLOSED,
        length,
        sealed: !isTail,
        inode: made.id,
        fileOffset: offset,
        uploadId: '',
      };
      if (plan === undefined) transaction.putChunk(handle, chunk);
      else transaction.addChunk(handle, chunk);
      transaction.putExtent(made.id, {
        offset,
        handle,
        length,
        limit: isTail ? offset + chunkBytes : offset + length,
      });
    }
    transaction.putInode(made.id, made.inode);
    const used = new Set(request.chunks.map(({ handle }) => handle));
    for (const handle of upload.handles) {
      const chunk = used.has(handle) ? undefined : plans.chunk(transaction, handle);
      if (chunk !== undefined) discardChunk(transaction, handle, chunk, change.wallMs);
    }
    if (plan === undefined) transaction.remove(uploadKey(request.uploadId));
    else transaction.afterAppend(() => plans.drop(request.uploadId));
    return { attributes: attributesOf(made.id, made.inode), spare: undefined };
  }

  /** @returns whether the upload was under way. */
  #giveUp(transaction: Transaction, uploadId: string, dueMs: number): boolean {
    const { plans } = this.#context;
    const plan = plans.find(uploadId);
    const upload = plan?.upload ?? transaction.upload(uploadId);
    if (upload === undefined) return false;
    for (const handle of upload.handles) {
      const chunk = plans.chunk(transaction, handle);
      if (chunk !== undefined) discardChunk(transaction, handle, chunk, dueMs);
    }
    if (plan === undefined) transaction.remove(uploadKey(uploadId));
    else transaction.afterAppend(() => plans.drop(uploadId));
    return true;
  }

  #find(transaction: Transaction, uploadId: string): Upload {
    const upload = transaction.upload(checkUploadId(uploadId));
    if (upload !== undefined) return upload;
    const message = `upload ${uploadId} is not known: it was confirmed, aborted, or silent for too long; begin again`;
    throw new FsError('UPLOAD_NOT_FOUND', message);
  }
}

interface NewChunks {
  readonly uploadId: string;
  /** Its handles are added to. */
  readonly upload: Upload;
  readonly count: number;
  readonly avoid: readonly number[];
}

interface PlannedChunk {
  readonly handle: string;
  readonly chunk: Chunk;
}

function log(transaction: Transaction, uploadId: string, upload: Upload, planned: readonly PlannedChunk[]): void {
  for (const { handle, chunk } of planned) transaction.addChunk(handle, chunk);
  transaction.putUpload(uploadId, upload);
}

/** @returns where the last chunk ends. */
function checkChunks(upload: Upload, chunks: readonly UploadedChunk[], chunkBytes: number): number {
  const planned = new Set(upload.handles);
  let end = 0;
  for (const { handle, length, offset } of chunks) {
    if (!planned.delete(handle)) {
      throw new FsError('INVALID_ARGUMENT', `chunk ${handle} is not in the plan of this upload, or was named twice`);
    }
    if (length < 1 || length > chunkBytes) {
      throw new FsError('INVALID_ARGUMENT', `chunk ${handle} has ${length} bytes: 1 to ${chunkBytes} are possible`);
    }
    if (offset < end) {
      throw new FsError(
        'INVALID_ARGUMENT',
        `chunk ${handle} at ${offset} overlaps the one before, which ends at ${end}`,
      );
    }
    end = offset + length;
  }
  return end;
}

function checkUploadId(uploadId: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uploadId)) return uploadId;
  throw new FsError('INVALID_ARGUMENT', `'${uploadId}' is not an upload id: those are UUIDs`);
}

function checkPlanSize(count: number): void {
  if (count > PLAN_CHUNKS_MAX) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `${count} chunks are too many for one plan: at most ${PLAN_CHUNKS_MAX}, then ExtendUpload`,
    );
  }
}
