/**
 * One chunk of an upload: frames go to the first member, several in flight, and down the chain from there. What has not
 * been acknowledged as durable by all members is kept, so that it can go to another chunk when a member fails.
 */
import { FsError, toFsError } from '@cairnfs/base';
import { type ChunkLocation, ChunkserverDataMethods, dataPart, type RpcPool } from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import type { FrameGates } from '../call/frame-gates.ts';
import { DATA_ATTEMPT_MS, SYNC_ATTEMPT_MS, UPLOAD_FRAMES_IN_FLIGHT, UPLOAD_SYNC_BYTES } from '../limits.ts';

export interface ChunkUploadOptions {
  readonly pool: RpcPool;
  /** Shared by all uploads of the client. */
  readonly gates: FrameGates;
  readonly chunk: ChunkLocation;
  readonly uploadId: string;
  /** To all members at once instead of along the chain: for chunks of one small frame. */
  readonly fanOut: boolean;
  /** One for each frame, from when it is sent: as long as frames are acknowledged, the upload makes progress. */
  readonly deadline: () => Deadline;
  readonly signal: AbortSignal | undefined;
  /** For progress: bytes acknowledged by all members; below 0 those that must go elsewhere all the same. */
  readonly acknowledged: (bytes: number) => void;
}

export interface ChunkOutcome {
  /** Durable on every member. */
  readonly length: number;
  /** What comes after that and must go elsewhere. */
  readonly leftover: readonly Uint8Array[];
  /** Absent when everything was stored. */
  readonly failure: FsError | undefined;
}

export class ChunkUpload {
  readonly #options: ChunkUploadOptions;
  /** Not known durable yet, in order. */
  #kept: { offset: number; bytes: Uint8Array }[] = [];
  #sentLength = 0;
  #acknowledgedBytes = 0;
  #durableLength = 0;
  #unsyncedBytes = 0;
  #inFlight = 0;
  #failure: FsError | undefined;
  #waiting: (() => void) | undefined;

  constructor(options: ChunkUploadOptions) {
    this.#options = options;
  }

  get chunk(): ChunkLocation {
    return this.#options.chunk;
  }

  /** Bytes given to `send`. */
  get length(): number {
    return this.#sentLength;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Sends a frame as soon as the window has room; `isLast` makes everything up to it durable.
   *
   * @returns false when the chunk has failed: the frame was not taken.
   */
  async send(bytes: Uint8Array, isLast: boolean): Promise<boolean> {
    while (this.#inFlight >= UPLOAD_FRAMES_IN_FLIGHT && this.#failure === undefined) await this.#change();
    if (this.#failure !== undefined) return false;
    const offset = this.#sentLength;
    this.#kept.push({ offset, bytes });
    this.#sentLength += bytes.length;
    this.#unsyncedBytes += bytes.length;
    const isSync = isLast || this.#unsyncedBytes >= UPLOAD_SYNC_BYTES;
    if (isSync) this.#unsyncedBytes = 0;
    this.#inFlight += 1;
    void this.#transmit(offset, bytes, isSync);
    return true;
  }

  /** Waits for all that is in flight; after the last frame, everything is durable or there is a failure. */
  async finish(): Promise<ChunkOutcome> {
    while (this.#inFlight > 0) await this.#change();
    const isWhole = this.#failure === undefined && this.#durableLength === this.#sentLength;
    if (isWhole) return { length: this.#durableLength, leftover: [], failure: undefined };
    this.#options.acknowledged(this.#durableLength - this.#acknowledgedBytes);
    const leftover = this.#kept.map(({ offset, bytes }) => bytes.subarray(Math.max(0, this.#durableLength - offset)));
    const failure =
      this.#failure ?? new FsError('INTERNAL', `chunk ${this.chunk.handle} was not made durable to its end`);
    return { length: this.#durableLength, leftover, failure };
  }

  async #transmit(offset: number, bytes: Uint8Array, sync: boolean): Promise<void> {
    const { pool, gates, chunk, uploadId, fanOut, deadline, signal } = this.#options;
    const [first, ...rest] = chunk.replicas;
    try {
      if (first === undefined)
        throw new FsError('NOT_ENOUGH_SERVERS', `the plan of chunk ${chunk.handle} names no servers`);
      const request = {
        handle: chunk.handle,
        version: chunk.version,
        offset,
        route: rest.map(({ address }) => address),
        fanOut,
        sync,
        members: chunk.replicas.map(({ serverId }) => serverId),
        uploadId,
      };
      const send = async () => {
        // Of a chunk that has failed meanwhile nothing more is sent.
        if (this.#failure !== undefined) throw this.#failure;
        const timeoutMs = deadline().attemptMs(sync ? SYNC_ATTEMPT_MS : DATA_ATTEMPT_MS);
        const options = { timeoutMs, signal, data: dataPart(bytes) };
        return pool.channel(first.address).call(ChunkserverDataMethods.uploadFrame, request, options);
      };
      const { message } = await gates.pass(first.address, bytes.length, signal, send);
      this.#acknowledged(message.durableLength, bytes.length);
    } catch (error) {
      this.#failure ??= toFsError(error);
    } finally {
      this.#inFlight -= 1;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.();
    }
  }

  #acknowledged(durableLength: number, bytes: number): void {
    this.#acknowledgedBytes += bytes;
    this.#options.acknowledged(bytes);
    if (durableLength <= this.#durableLength) return;
    this.#durableLength = Math.min(durableLength, this.#sentLength);
    this.#kept = this.#kept.filter((frame) => frame.offset + frame.bytes.length > this.#durableLength);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#waiting;
      this.#waiting = () => {
        before?.();
        resolve();
      };
    });
  }
}
