/**
 * A whole-file put (docs/protocol.md, "Uploads"): chunk by chunk, the next one begun while the one before is made durable;
 * a chunk whose member fails ends where all agree, and another takes the rest. The file appears when all is durable.
 */
import { FsError, isFsError, type Timer } from '@cairnfs/base';
import {
  type Attributes,
  type BeginUploadReply,
  BLOCK_BYTES,
  CHUNK_BYTES_MAX,
  type ChunkLocation,
  type ConfirmUploadReply,
  CreateMode,
  MasterMethods,
  readChunkBytes,
  type UploadedChunk,
  type UploadTarget,
} from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import type { MasterCalls } from '../call/master-calls.ts';
import { unlessAborted } from '../call/unless-aborted.ts';
import {
  SPARE_RETURN_MS,
  UPLOAD_AVOIDED_MS,
  UPLOAD_CHUNKS_AHEAD,
  UPLOAD_CHUNKS_IN_FLIGHT,
  UPLOAD_RENEWAL_MS,
  UPLOAD_REPLACEMENTS_MAX,
  UPLOAD_RESTARTS_MAX,
} from '../limits.ts';
import type { CallOptions } from '../options.ts';
import { type ChunkOutcome, ChunkUpload } from './chunk-upload.ts';
import { FrameQueue } from './frame-queue.ts';
import { UploadProgress } from './upload-progress.ts';
import { FRAME_BYTES, type UploadSource } from './upload-source.ts';

/** The most chunks planned at once for a source of known length. */
const PLAN_CHUNKS_MAX = 64;

export interface UploadOptions extends CallOptions {
  readonly mode?: number;
  readonly owner?: string;
  readonly group?: string;
  readonly replication?: number;
  /** Refuse when the path exists. */
  readonly exclusive?: boolean;
  /** Milliseconds since the epoch, 1 at least, rounded down; otherwise now. */
  readonly modifiedMs?: number;
  readonly makeParents?: boolean;
  /** Bytes stored since the last call, each counted once; it must not throw. */
  readonly onProgress?: (bytes: number) => void;
}

/** An upload that the master lost in a crash is begun again while its bytes can be had again. */
export async function uploadFile(
  calls: MasterCalls,
  path: string,
  source: UploadSource,
  options: UploadOptions,
): Promise<Attributes> {
  const { signal, onProgress = () => {} } = options;
  const progress = new UploadProgress(onProgress);
  let first = await unlessAborted(source.next(FRAME_BYTES), signal);
  for (let restarts = 0; first !== undefined; restarts += 1) {
    const sizeBytes = sizeOf(source, first);
    try {
      const frames = new FrameQueue(source, [first], signal);
      return await new Upload(calls, path, options, progress.begin()).run(frames, sizeBytes);
    } catch (error) {
      if (!isFsError(error, 'UPLOAD_NOT_FOUND') || restarts === UPLOAD_RESTARTS_MAX) throw error;
      calls.spareUploads.forgetAll();
      if (source.restart !== undefined) {
        await source.restart();
        first = await unlessAborted(source.next(FRAME_BYTES), signal);
      } else if (first.length !== sizeBytes) throw error; // otherwise it is all there is
    }
  }
  return createEmpty(calls, path, options);
}

/** What comes is what counts: a local file may have grown or shrunk since its size was asked for. */
function sizeOf({ sizeBytes }: UploadSource, first: Uint8Array): number | undefined {
  if (first.length < FRAME_BYTES) return first.length;
  return sizeBytes === undefined ? undefined : Math.max(sizeBytes, first.length);
}

/** Gives back at once what the master would keep for the rest of a lease. */
export async function returnSpareUploads(calls: MasterCalls): Promise<void> {
  const deadline = calls.deadline({ timeoutMs: SPARE_RETURN_MS });
  const returned = calls.spareUploads
    .takeAll()
    .map((uploadId) => calls.call(MasterMethods.abortUpload, { uploadId }, deadline));
  const outcomes = await Promise.allSettled(returned);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure === undefined) return;
  calls.seams.log.info('spare uploads were not returned; they end by themselves', { error: failure.reason });
}

async function createEmpty(calls: MasterCalls, path: string, options: UploadOptions): Promise<Attributes> {
  const deadline = calls.deadline(options);
  const request = { ...target(path, options), replication: options.replication ?? 0 };
  const { attributes } = await calls.change(MasterMethods.create, request, deadline);
  if (options.modifiedMs === undefined) return attributes!;
  const change = {
    file: { path: '', inode: attributes!.inode },
    mode: undefined,
    owner: undefined,
    group: undefined,
    modifiedMs: timeOf(options.modifiedMs),
    accessedMs: undefined,
    replication: undefined,
    setXattrs: {},
    removeXattrs: [],
  };
  try {
    return (await calls.change(MasterMethods.setAttributes, change, deadline)).attributes!;
  } catch (error) {
    // It was there, and another took its place since.
    if (!isFsError(error, 'NOT_FOUND')) throw error;
    return attributes!;
  }
}

class Upload {
  readonly #calls: MasterCalls;
  readonly #path: string;
  readonly #options: UploadOptions;
  #uploadId = '';
  /** Of a spare upload, for its confirmation. */
  #target: UploadTarget | undefined;
  #plan: ChunkLocation[] = [];
  #chunkBytes = CHUNK_BYTES_MAX;
  readonly #stored: UploadedChunk[] = [];
  /** Servers that failed, each until when it is avoided. */
  readonly #avoidUntilMs = new Map<number, number>();
  #dropped: string[] = [];
  /** Chunks that others took the place of, each made up for by one that was stored whole afterwards. */
  #replacements = 0;
  /** Of all replacements since bytes were last stored: each would have its own patience otherwise, of which there may be many. */
  #stalled: Deadline | undefined;
  #renewal: Timer | undefined;
  readonly #acknowledged: (bytes: number) => void;

  constructor(calls: MasterCalls, path: string, options: UploadOptions, acknowledged: (bytes: number) => void) {
    this.#calls = calls;
    this.#acknowledged = acknowledged;
    this.#path = path;
    this.#options = options;
  }

  async run(frames: FrameQueue, sizeBytes: number | undefined): Promise<Attributes> {
    const calls = this.#calls;
    const isSmall = sizeBytes !== undefined && sizeBytes <= Math.min(BLOCK_BYTES, calls.chunkBytes ?? CHUNK_BYTES_MAX);
    const begun = (isSmall ? this.#takeSpare() : undefined) ?? (await this.#begin(sizeBytes));
    this.#uploadId = begun.uploadId;
    this.#plan = begun.chunks;
    this.#chunkBytes = readChunkBytes(begun.chunkBytes);
    calls.chunkBytes = this.#chunkBytes;
    this.#renewLater();
    try {
      await this.#store(0, frames, isSmall);
      const confirm = (wantsSpare: boolean) => this.#confirm(wantsSpare);
      const copies = this.#options.replication ?? 0;
      const reply = await (isSmall ? calls.spareUploads.refill(copies, confirm) : confirm(false));
      return reply.attributes!;
    } catch (error) {
      this.#abort();
      throw error;
    } finally {
      this.#renewal?.cancel();
    }
  }

  #takeSpare(): BeginUploadReply | undefined {
    const spare = this.#calls.spareUploads.take(this.#options.replication ?? 0);
    if (spare !== undefined) this.#target = target(this.#path, this.#options);
    return spare;
  }

  #begin(sizeBytes: number | undefined): Promise<BeginUploadReply> {
    // Before the first answer the size is a guess: with smaller chunks the plan is extended.
    const planned = this.#calls.chunkBytes ?? CHUNK_BYTES_MAX;
    const chunkCount = sizeBytes === undefined ? UPLOAD_CHUNKS_AHEAD : Math.ceil(sizeBytes / planned);
    const request = {
      ...target(this.#path, this.#options),
      replication: this.#options.replication ?? 0,
      chunkCount: Math.min(chunkCount, PLAN_CHUNKS_MAX),
      operation: undefined, // one that nobody heard of ends by itself
    };
    return this.#calls.call(MasterMethods.beginUpload, request, this.#calls.deadline(this.#options));
  }

  /** Stores all frames from `start` of the file on. */
  async #store(start: number, frames: FrameQueue, isSmall: boolean): Promise<void> {
    const finishing = new Set<Promise<void>>();
    let failure: unknown;
    let offset = start;
    let frame = await frames.next();
    while (frame !== undefined && failure === undefined) {
      const chunk = await this.#newChunk(isSmall);
      frame = await this.#fill(chunk, frame, frames);
      if (chunk.hasFailed) {
        const outcome = await chunk.finish();
        frames.giveBack(frame === undefined ? outcome.leftover : [...outcome.leftover, frame]);
        await this.#settle(chunk, offset, outcome);
        offset += outcome.length;
        frame = await frames.next();
        continue;
      }
      const at = offset;
      offset += chunk.length;
      const finished = chunk
        .finish()
        .then((outcome) => this.#finish(chunk, at, outcome, isSmall))
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => finishing.delete(finished));
      finishing.add(finished);
      if (finishing.size >= UPLOAD_CHUNKS_IN_FLIGHT) await Promise.race(finishing);
    }
    await Promise.all(finishing);
    if (failure !== undefined) throw failure;
  }

  /** Sends frames until the chunk is full or has failed; answers the frame that did not go in. */
  async #fill(chunk: ChunkUpload, first: Uint8Array, frames: FrameQueue): Promise<Uint8Array | undefined> {
    let frame: Uint8Array | undefined = first;
    while (frame !== undefined) {
      const room = this.#chunkBytes - chunk.length;
      if (room === 0) return frame;
      const taken: Uint8Array = frame.subarray(0, room);
      if (taken.length < frame.length) frames.giveBack([frame.subarray(taken.length)]);
      const isFull = taken.length === room;
      // Whether a frame is the last one shows only when the next is asked for.
      const following: Uint8Array | undefined = isFull ? undefined : await frames.next();
      if (!(await chunk.send(taken, isFull || following === undefined))) {
        if (following !== undefined) frames.giveBack([following]);
        return taken;
      }
      if (isFull) return frames.next();
      frame = following;
    }
    return undefined;
  }

  /** A chunk that was ended early leaves frames: they go to further chunks behind it. */
  async #finish(chunk: ChunkUpload, offset: number, outcome: ChunkOutcome, isSmall: boolean): Promise<void> {
    await this.#settle(chunk, offset, outcome);
    if (outcome.leftover.length === 0) return;
    await this.#store(offset + outcome.length, new FrameQueue(undefined, outcome.leftover), isSmall);
  }

  async #settle(chunk: ChunkUpload, offset: number, { length, failure }: ChunkOutcome): Promise<void> {
    const { handle } = chunk.chunk;
    if (length > 0) {
      this.#stored.push({ handle, length, offset });
      this.#stalled = undefined;
    } else this.#dropped.push(handle);
    if (failure === undefined) {
      this.#madeUp();
      return;
    }
    this.#options.signal?.throwIfAborted();
    this.#replacements += 1;
    if (failure.reaction === 'never' && failure.kind !== 'NO_SPACE') throw failure;
    if (this.#replacements > UPLOAD_REPLACEMENTS_MAX) throw failure;
    const culprit = culpritOf(chunk.chunk, failure);
    if (culprit !== undefined) this.#avoidUntilMs.set(culprit, this.#calls.seams.clock.nowMs() + UPLOAD_AVOIDED_MS);
    // Chunks planned on it beforehand would fail the same way.
    this.#plan = this.#plan.filter(({ handle: planned, replicas }) => {
      const isUsable = !replicas.some(({ serverId }) => serverId === culprit);
      if (!isUsable) this.#dropped.push(planned);
      return isUsable;
    });
    this.#calls.seams.log.info('a chunk of an upload goes on elsewhere', { handle, culprit, error: failure.message });
    this.#stalled ??= this.#calls.deadline(this.#options);
    await this.#stalled.pause(Math.min(this.#replacements, 6), failure);
  }

  /** An upload may take days: what it has got over counts no more, or it would be given up for that in the end. */
  #madeUp(): void {
    if (this.#replacements > 0) this.#replacements -= 1;
  }

  /** A server that goes on failing costs an attempt now and then, not one for each few chunks. */
  #avoided(): number[] {
    const nowMs = this.#calls.seams.clock.nowMs();
    for (const [server, untilMs] of this.#avoidUntilMs) if (untilMs <= nowMs) this.#avoidUntilMs.delete(server);
    return [...this.#avoidUntilMs.keys()];
  }

  async #newChunk(isSmall: boolean): Promise<ChunkUpload> {
    if (this.#plan.length === 0) {
      const droppedHandles = this.#dropped;
      this.#dropped = [];
      const request = {
        uploadId: this.#uploadId,
        chunkCount: isSmall ? 1 : UPLOAD_CHUNKS_AHEAD,
        avoidServers: this.#avoided(),
        droppedHandles,
        operation: undefined, // chunks that nobody heard of go with the upload
      };
      const deadline = this.#stalled ?? this.#calls.deadline(this.#options);
      const reply = await this.#calls.call(MasterMethods.extendUpload, request, deadline);
      // Behind what was planned meanwhile for another part of the file.
      this.#plan.push(...reply.chunks);
    }
    const chunk = this.#plan.shift();
    if (chunk === undefined) throw new FsError('BAD_FRAME', 'the master planned no chunk though one was asked for');
    return new ChunkUpload({
      pool: this.#calls.pool,
      gates: this.#calls.frameGates,
      chunk,
      uploadId: this.#uploadId,
      fanOut: isSmall,
      deadline: () => this.#calls.deadline(this.#options),
      signal: this.#options.signal,
      acknowledged: this.#acknowledged,
    });
  }

  #confirm(wantsSpare: boolean): Promise<ConfirmUploadReply> {
    const request = {
      uploadId: this.#uploadId,
      chunks: [...this.#stored].sort((a, b) => a.offset - b.offset),
      modifiedMs: this.#options.modifiedMs === undefined ? 0 : timeOf(this.#options.modifiedMs),
      xattrs: {},
      size: 0,
      target: this.#target,
      wantsSpare,
    };
    return this.#calls.change(MasterMethods.confirmUpload, request, this.#calls.deadline(this.#options));
  }

  #renewLater(): void {
    this.#renewal = this.#calls.seams.clock.after(UPLOAD_RENEWAL_MS, () => {
      const request = {
        uploadId: this.#uploadId,
        chunkCount: 0,
        avoidServers: [],
        droppedHandles: [],
        operation: undefined,
      };
      this.#calls
        .call(MasterMethods.extendUpload, request, this.#calls.deadline({ timeoutMs: UPLOAD_RENEWAL_MS }))
        .catch((error) => {
          // The upload itself will meet the same trouble, and say so.
          this.#calls.seams.log.info('an upload could not be renewed', { path: this.#path, error });
        });
      this.#renewLater();
    });
  }

  /** Frees the space at once instead of when the upload's lease runs out; nobody waits for it. */
  #abort(): void {
    const deadline = this.#calls.deadline({ timeoutMs: UPLOAD_RENEWAL_MS });
    this.#calls.call(MasterMethods.abortUpload, { uploadId: this.#uploadId }, deadline).catch((error) => {
      this.#calls.seams.log.info('an upload could not be aborted; it ends by itself', { path: this.#path, error });
    });
  }
}

/** Which member to avoid: the one the answer names, otherwise the one that was spoken to. */
function culpritOf(chunk: ChunkLocation, failure: FsError): number | undefined {
  const named = chunk.replicas.find(({ address }) => address === failure.details.server);
  if (named !== undefined) return named.serverId;
  return isFsError(failure, 'CANCELLED') ? undefined : chunk.replicas[0]?.serverId;
}

/** The earliest time there is: 0 stands for now. */
const EARLIEST_MS = 1;

function timeOf(ms: number): number {
  return Math.max(EARLIEST_MS, Math.floor(ms));
}

function target(path: string, options: UploadOptions): UploadTarget {
  const { mode, owner, group, makeParents } = options;
  return {
    path,
    create: createMode(options),
    mode: mode ?? 0,
    owner: owner ?? '',
    group: group ?? '',
    makeParents: makeParents === true,
  };
}

function createMode({ exclusive }: UploadOptions): CreateMode {
  return exclusive === true ? CreateMode.CREATE_MODE_EXCLUSIVE : CreateMode.CREATE_MODE_REPLACE;
}
