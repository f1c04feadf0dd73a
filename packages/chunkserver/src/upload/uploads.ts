/**
 * The uploads a chunkserver takes part in: frames come in, go on to the rest of the route before they are written here,
 * and are acknowledged for all of them together. What is synced is in the journal; a restart forgets the rest.
 */
import { type Clock, FsError, onAbort, toFsError } from '@cairnfs/base';
import {
  BLOCK_BYTES,
  type CallContext,
  ChunkserverDataMethods,
  checkChunkHandle,
  checkChunkVersion,
  type ReceivedData,
  type RpcPool,
  type UploadFrameReply,
  type UploadFrameRequest,
} from '@cairnfs/protocol';
import { FORWARD_TIMEOUT_MS, UPLOAD_IDLE_MS } from '../limits.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import type { WorkDone } from '../serve/work-done.ts';
import type { DiskStore } from '../store/disk-store.ts';
import type { Replica } from '../store/replica.ts';
import type { Replicas } from '../store/replicas.ts';
import { sumBlocks } from './block-sums.ts';
import { checkMayFollow, Upload } from './upload.ts';

export interface UploadsOptions {
  readonly clock: Clock;
  readonly lease: ServerLease;
  readonly replicas: Replicas;
  readonly peers: RpcPool;
  /** The chunk's file is on its way to quarantine, or a copy takes its place: a new one waits for that. */
  readonly leaving: (handle: string) => Promise<void> | undefined;
  /** An upload was let go of before any of it was durable: no record will speak of its file, if it has one. */
  readonly abandoned: (store: DiskStore, handle: string) => void;
  readonly serverId: () => number;
  /** @throws FsError STALE_VERSION  the chunk's first view has ended, and none of its replicas is made here any more. */
  readonly checkAbsent: (handle: string, version: number) => void;
  /** Under way at once. */
  readonly uploadsMax: number;
}

/** What a frame needs of its call; gRPC streams have no call of their own for each. */
export type FrameContext = Pick<CallContext, 'deadlineMs' | 'signal'>;

export class Uploads {
  /** Frames taken here, and their bytes, since the start. */
  readonly taken: WorkDone = { count: 0, bytes: 0 };
  readonly #options: UploadsOptions;
  readonly #uploads = new Map<string, Upload>();
  /** Small chunks whose record is on its way to the disk. */
  readonly #storing = new Map<string, Promise<void>>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /**
   * Takes one frame.
   *
   * @returns how far this server and all of its route have come.
   * @throws FsError with `server` in its details when a member of the route failed.
   */
  async frame(request: UploadFrameRequest, data: ReceivedData, context: FrameContext): Promise<UploadFrameReply> {
    const { lease, clock, serverId } = this.#options;
    lease.check();
    checkRequest(request, data, this.#options.replicas.chunkBytes);
    checkMember(request, serverId());
    const forwarded = this.#forward(request, data, context.deadlineMs - clock.nowMs());
    const [here, ...others] = await Promise.allSettled([this.#take(request, data, context), ...forwarded]);
    const replies = [here, ...others].map((outcome) => {
      if (outcome!.status === 'rejected') throw outcome!.reason;
      return outcome!.value;
    });
    lease.check();
    this.taken.count += 1;
    this.taken.bytes += data.bytes.length;
    return {
      receivedLength: Math.min(...replies.map(({ receivedLength }) => receivedLength)),
      durableLength: Math.min(...replies.map(({ durableLength }) => durableLength)),
    };
  }

  /** Whether a frame of the chunk is being written or synced: nobody may move it aside meanwhile. */
  isActive(handle: string): boolean {
    return this.#storing.has(handle) || (this.#uploads.get(handle)?.uses ?? 0) > 0;
  }

  /** Whether it is under way: its file, also of one that has none yet, is not to be moved. */
  has(handle: string): boolean {
    return this.#storing.has(handle) || this.#uploads.has(handle);
  }

  /** Forgets uploads that fell silent. */
  sweep(): void {
    const before = this.#options.clock.nowMs() - UPLOAD_IDLE_MS;
    for (const [handle, upload] of this.#uploads) {
      if (upload.uses === 0 && upload.lastFrameMs < before) this.forget(handle);
    }
  }

  forget(handle: string): void {
    const upload = this.#uploads.get(handle);
    if (upload === undefined) return;
    this.#uploads.delete(handle);
    if (upload.durableLength === 0) this.#options.abandoned(upload.store, handle);
  }

  /** Before anything is done here: the bytes leave while they are summed and written. */
  #forward(request: UploadFrameRequest, data: ReceivedData, timeLeftMs: number): Promise<UploadFrameReply>[] {
    const { route, fanOut } = request;
    if (route.length === 0) return [];
    const first = fanOut ? route : route.slice(0, 1);
    const rest = fanOut ? [] : route.slice(1);
    const timeoutMs = Math.max(1, Math.min(timeLeftMs, FORWARD_TIMEOUT_MS));
    return first.map(async (address) => {
      data.memory.retain();
      const part = { buffers: [data.bytes], checksum: data.checksum, sent: () => data.memory.release() };
      const forwarded = { ...request, route: rest, fanOut: false };
      try {
        const channel = this.#options.peers.channel(address);
        const reply = await channel.call(ChunkserverDataMethods.uploadFrame, forwarded, { timeoutMs, data: part });
        reply.data?.memory.release();
        return reply.message;
      } catch (error) {
        throw ofServer(toFsError(error), address);
      }
    });
  }

  async #take(request: UploadFrameRequest, data: ReceivedData, context: FrameContext): Promise<UploadFrameReply> {
    const { handle, offset, version, sync } = request;
    const end = offset + data.bytes.length;
    const checksums = sumBlocks(data.bytes, data.checksum);
    // Not awaited when nothing is under way: two frames of one tick must not both find nothing.
    for (let busy = this.#busy(handle); busy !== undefined; busy = this.#busy(handle)) await busy;
    const replica = this.#options.replicas.find(handle);
    if (replica === undefined) this.#checkAbsent(handle, version);
    else checkReplica(replica, version);
    if (replica !== undefined && !replica.isInFile && !this.#uploads.has(handle)) {
      const { committedLength: length } = replica.log;
      if (end <= length) return { receivedLength: length, durableLength: length };
      checkMayFollow(handle, length, end);
    }
    const isWhole = sync && offset === 0 && end <= BLOCK_BYTES;
    if (isWhole && replica === undefined && !this.#uploads.has(handle))
      return this.#storeSmall(request, data, checksums);
    const upload = this.#upload(request, replica, end);
    upload.lastFrameMs = this.#options.clock.nowMs();
    upload.uses += 1;
    try {
      if (!upload.has(end)) {
        upload.checkFrame(offset, end);
        // What arrived before stays as it is: it may be durable, and summed.
        const known = Math.max(0, upload.receivedLength - offset);
        await upload.write(offset + known, data.bytes.subarray(known));
        upload.written(offset + known, end, checksums.slice(known / BLOCK_BYTES));
      }
      if (sync) await this.#makeDurable(upload, end, context);
      return { receivedLength: upload.receivedLength, durableLength: upload.durableLength };
    } finally {
      upload.uses -= 1;
      upload.lastFrameMs = this.#options.clock.nowMs();
    }
  }

  /** Where none was found. @throws FsError as `checkAbsent`. @throws FsError DISK_FAILED  what is here of the chunk cannot be read, and takes nothing. */
  #checkAbsent(handle: string, version: number): void {
    this.#options.checkAbsent(handle, version);
    if (this.#options.replicas.holderOf(handle) === undefined) return;
    throw new FsError('DISK_FAILED', `the replica of chunk ${handle} on this server is damaged; use another server`);
  }

  /** What is in the index is not durable yet while its record is on the way; and a file may be on its way out. */
  #busy(handle: string): Promise<void> | undefined {
    return this.#storing.get(handle) ?? this.#options.leaving(handle);
  }

  /** One record of the journal holds a small chunk whole. */
  async #storeSmall(
    request: UploadFrameRequest,
    { bytes }: ReceivedData,
    blockChecksums: number[],
  ): Promise<UploadFrameReply> {
    const { replicas } = this.#options;
    const { handle, version, members, uploadId } = request;
    const store = replicas.placeFor(bytes.length);
    const length = bytes.length;
    const value = { version, members, uploadId, length, firstBlock: 0, blockChecksums, isInFile: false };
    const stored = store.journal(handle, { $case: 'uploadStored', value }, bytes);
    this.#storing.set(handle, stored);
    try {
      await stored;
    } finally {
      this.#storing.delete(handle);
    }
    replicas.stored(store, length);
    return { receivedLength: length, durableLength: length };
  }

  #upload(
    { handle, version, members, uploadId }: UploadFrameRequest,
    replica: Replica | undefined,
    end: number,
  ): Upload {
    const { replicas, clock, uploadsMax } = this.#options;
    let known = this.#uploads.get(handle);
    if (known?.failure !== undefined) {
      if (known.uses > 0) throw known.failure;
      // Begun anew at what is durable, maybe on another disk: all behind that has to come again.
      this.forget(handle);
      known = undefined;
    }
    if (known !== undefined) {
      known.store.checkHealthy();
      if (end > known.receivedLength) replicas.checkRoom(known.store, end - known.receivedLength);
      return known;
    }
    if (this.#uploads.size >= uploadsMax && !this.#forgetFinished()) {
      throw new FsError('OVERLOADED', `this server takes part in ${uploadsMax} uploads already; try again`);
    }
    const store = replica?.store ?? replicas.placeFor(replicas.chunkBytes);
    const isInIndex = replica !== undefined && !replica.isInFile;
    if (isInIndex) replicas.checkRoom(store, end);
    const upload: Upload = new Upload(
      { handle, version, members, uploadId },
      {
        store,
        durable: replica?.log.committedLength ?? 0,
        checksums: replica?.checksums ?? [],
        head: isInIndex ? replicas.soundData(replica) : undefined,
        nowMs: clock.nowMs(),
        checkOpen: () => this.#checkOpen(handle, upload),
        moved: (length) => replicas.uploadMoved(store, handle, length),
        grew: () => replicas.uploadGrew(handle),
        stored: (before, length) => replicas.uploadStored(store, before, length),
      },
    );
    this.#uploads.set(handle, upload);
    return upload;
  }

  /** Lets go of the oldest upload that the index says all of. */
  #forgetFinished(): boolean {
    for (const [handle, { uses, receivedLength, durableLength }] of this.#uploads) {
      if (uses > 0 || receivedLength > durableLength || durableLength === 0) continue;
      return this.#uploads.delete(handle);
    }
    return false;
  }

  #checkOpen(handle: string, upload: Upload): void {
    if (this.#uploads.get(handle) !== upload) {
      throw new FsError('CHUNK_NOT_FOUND', `chunk ${handle} was moved aside: its upload has ended`);
    }
    const replica = this.#options.replicas.find(handle);
    if (replica !== undefined) checkReplica(replica, upload.plan.version);
  }

  async #makeDurable(upload: Upload, end: number, { signal }: FrameContext): Promise<void> {
    if (!upload.has(end)) {
      const { arrived, cancel } = upload.whenReceived(end);
      const unhook = onAbort(signal, () => cancel(toFsError(signal.reason)));
      if (signal.aborted) cancel(toFsError(signal.reason));
      try {
        await arrived;
      } finally {
        unhook();
      }
    }
    await upload.makeDurable(end);
  }
}

function checkRequest(
  { handle, version, offset, members }: UploadFrameRequest,
  { bytes }: ReceivedData,
  chunkBytes: number,
): void {
  checkChunkHandle(handle);
  checkChunkVersion(version);
  if (bytes.length === 0 || offset + bytes.length > chunkBytes) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `a frame of ${bytes.length} bytes at ${offset} of chunk ${handle}: a chunk has 1 to ${chunkBytes} bytes`,
    );
  }
  if (members.length === 0)
    throw new FsError('INVALID_ARGUMENT', `an upload frame of chunk ${handle} names no members`);
}

/**
 * What is stored here is read under this version, and nobody but its members is asked when that ends.
 *
 * @throws FsError STALE_VERSION  it was meant for a server that had this address before.
 */
function checkMember({ handle, members }: UploadFrameRequest, own: number): void {
  if (members.includes(own)) return;
  const message = `a frame of chunk ${handle}, which goes to servers ${members.join(', ')}, reached server ${own}`;
  throw new FsError('STALE_VERSION', `${message}: one of them had its address before`, { details: { handle } });
}

/** @throws FsError STALE_VERSION  the chunk is past its upload. */
function checkReplica({ handle, log, view }: Replica, version: number): void {
  log.checkVersion(version);
  if (view === undefined && log.stagedSequence === 0) return;
  throw new FsError('STALE_VERSION', `chunk ${handle} was opened: its upload has ended`);
}

/** Says which server failed; one further down the route keeps its name. */
function ofServer(error: FsError, address: string): FsError {
  if (error.details.server !== undefined) return error;
  return new FsError(error.kind, `forwarding to ${address}: ${error.message}`, {
    details: { ...error.details, server: address },
    cause: error,
  });
}
