/**
 * One chunk of an upload on its way to a chunk file (docs/protocol.md, "Uploads"): what has arrived, what of it is on
 * stable storage, and who waits for that.
 *
 * Invariants: durable <= received, the end of what arrived without a gap; a block checksum is that of the bytes written;
 * frames start at a block's start, and only the last one may end inside a block.
 */
import { assert, type DiskFile, FsError } from '@cairnfs/base';
import { BLOCK_BYTES } from '@cairnfs/protocol';
import { UPLOAD_WINDOW_BYTES } from '../limits.ts';
import type { DiskStore } from '../store/disk-store.ts';

export interface UploadPlan {
  readonly handle: string;
  readonly version: number;
  readonly members: readonly number[];
  readonly uploadId: string;
}

export interface UploadStart {
  readonly store: DiskStore;
  /** What a restart found durable, and the checksums of its blocks. */
  readonly durable: number;
  readonly checksums: readonly number[];
  /** All that is durable, when it is in the index: it moves to the chunk file with the next sync. */
  readonly head: Uint8Array | undefined;
  readonly nowMs: number;
  /** Asked right before the journal is: throws when the chunk is no upload any more (opened, or moved aside). */
  readonly checkOpen: () => void;
  /** The record that moves it from the index to the chunk file was appended. */
  readonly moved: (length: number) => void;
  /** A record that tells of more of it was appended. */
  readonly grew: () => void;
  /** More of it is durable. */
  readonly stored: (lengthBefore: number, length: number) => void;
}

interface Waiter {
  readonly end: number;
  readonly resolve: () => void;
  readonly reject: (error: FsError) => void;
}

export class Upload {
  readonly plan: UploadPlan;
  readonly store: DiskStore;
  lastFrameMs: number;
  /** Frames being written or synced. */
  uses = 0;
  readonly #moved: (length: number) => void;
  readonly #grew: () => void;
  readonly #stored: (lengthBefore: number, length: number) => void;
  readonly #checkOpen: () => void;
  readonly #checksums: number[];
  #received: number;
  #durable: number;
  /** Start and end of what arrived beyond a gap. */
  readonly #early = new Map<number, number>();
  #waiters: Waiter[] = [];
  #syncing: Promise<void> = Promise.resolve();
  #isNamed: boolean;
  #head: Uint8Array | undefined;
  #failure: FsError | undefined;

  constructor(plan: UploadPlan, start: UploadStart) {
    const { store, durable, checksums, head, nowMs, moved, grew, stored, checkOpen } = start;
    this.plan = plan;
    this.store = store;
    this.#head = head;
    this.#moved = moved;
    this.#grew = grew;
    this.#stored = stored;
    this.#checkOpen = checkOpen;
    this.lastFrameMs = nowMs;
    this.#received = durable;
    this.#durable = durable;
    this.#checksums = [...checksums];
    this.#isNamed = durable > 0 && head === undefined;
  }

  get receivedLength(): number {
    return this.#received;
  }

  get durableLength(): number {
    return this.#durable;
  }

  /**
   * Why it takes nothing more: a sync failed, for a full disk too, and what had arrived may be lost though a later one would
   * say that it is there.
   */
  get failure(): FsError | undefined {
    return this.#failure;
  }

  /** @throws FsError INVALID_ARGUMENT, OVERLOADED  a frame that cannot be taken now. */
  checkFrame(offset: number, end: number): void {
    const { handle } = this.plan;
    if (offset % BLOCK_BYTES !== 0) {
      throw new FsError('INVALID_ARGUMENT', `a frame of chunk ${handle} starts at ${offset}, inside a 64 KiB block`);
    }
    checkMayFollow(handle, this.#received, end);
    if (end > this.#received + UPLOAD_WINDOW_BYTES) {
      throw new FsError(
        'OVERLOADED',
        `a frame of chunk ${handle} ends at ${end}, ${UPLOAD_WINDOW_BYTES} bytes beyond the ${this.#received} received without a gap`,
        { details: { receivedLength: this.#received } },
      );
    }
  }

  /** A frame below what was received changes nothing. */
  has(end: number): boolean {
    return end <= this.#received;
  }

  /** @throws FsError OVERLOADED  too many frames wait for the disk already; nothing was written. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const { frameRoom } = this.store;
    frameRoom.enter(bytes.length);
    try {
      await this.#use((file) => file.writeBulk(offset, bytes));
    } catch (error) {
      throw this.store.fault(error);
    } finally {
      frameRoom.leave(bytes.length);
    }
  }

  /** A frame's bytes are in the file. */
  written(offset: number, end: number, checksums: readonly number[]): void {
    const first = offset / BLOCK_BYTES;
    for (const [index, checksum] of checksums.entries()) this.#checksums[first + index] = checksum;
    this.#early.set(offset, Math.max(end, this.#early.get(offset) ?? 0));
    this.#closeGaps();
    const ready = this.#waiters.filter((waiter) => waiter.end <= this.#received);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.end > this.#received);
    for (const { resolve } of ready) resolve();
  }

  #closeGaps(): void {
    for (let hasMoved = true; hasMoved; ) {
      hasMoved = false;
      for (const [start, end] of this.#early) {
        if (start > this.#received) continue;
        this.#early.delete(start);
        if (end > this.#received) this.#received = end;
        hasMoved = true;
      }
    }
  }

  /** Resolves when everything up to `end` has arrived. */
  whenReceived(end: number): { readonly arrived: Promise<void>; readonly cancel: (error: FsError) => void } {
    if (end <= this.#received) return { arrived: Promise.resolve(), cancel: () => {} };
    let waiter: Waiter | undefined;
    const arrived = new Promise<void>((resolve, reject) => {
      waiter = { end, resolve, reject };
      this.#waiters.push(waiter);
    });
    const cancel = (error: FsError) => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      waiter?.reject(error);
    };
    return { arrived, cancel };
  }

  /** Puts everything up to `end`, and what has arrived beyond, on stable storage. One sync at a time, for all who wait. */
  async makeDurable(end: number): Promise<void> {
    while (this.#durable < end) {
      const before = this.#syncing;
      const mine = before.then(() => (this.#durable >= end ? undefined : this.#sync()));
      this.#syncing = mine.catch(() => {}); // whoever waits gets the error
      await mine;
    }
  }

  async #sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { store, plan } = this;
    const length = this.#received;
    const head = this.#head;
    assert(length > this.#durable, () => `chunk ${plan.handle}: nothing to sync above ${length}`);
    try {
      await this.#use(async (file) => {
        if (head !== undefined) await file.write(0, [head]);
        await file.sync();
      });
      if (!this.#isNamed) await store.syncName(plan.handle);
      this.#isNamed = true;
    } catch (error) {
      throw this.#fail(store.fault(error));
    }
    const firstBlock = Math.floor(this.#durable / BLOCK_BYTES);
    const blockChecksums = this.#checksums.slice(firstBlock, Math.ceil(length / BLOCK_BYTES));
    const { version, members, uploadId } = plan;
    const value = { version, members: [...members], uploadId, length, firstBlock, blockChecksums, isInFile: true };
    this.#checkOpen();
    const sequence = store.append(plan.handle, { $case: 'uploadStored', value });
    this.#head = undefined;
    if (head !== undefined) this.#moved(length);
    this.#grew();
    await store.durable(sequence);
    this.#stored(this.#durable, length);
    this.#durable = length;
  }

  #fail(failure: FsError): FsError {
    this.#failure ??= failure;
    for (const { reject } of this.#waiters.splice(0)) reject(failure);
    return failure;
  }

  #use<T>(work: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.store.files.use(this.store.chunkPath(this.plan.handle), 'openOrCreate', work);
  }
}

/** @throws FsError INVALID_ARGUMENT  what was received ends inside a block: it was the last frame. */
export function checkMayFollow(handle: string, receivedLength: number, end: number): void {
  if (end <= receivedLength || receivedLength % BLOCK_BYTES === 0) return;
  throw new FsError(
    'INVALID_ARGUMENT',
    `chunk ${handle} ended at ${receivedLength}, inside a block: a frame up to ${end} cannot follow`,
    { details: { receivedLength } },
  );
}
