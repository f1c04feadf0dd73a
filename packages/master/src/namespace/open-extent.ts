/** OpenExtent: an open chunk with a live primary for a write or an append, allocated where there is none yet. */

import { FsError, isFsError } from '@cairnfs/base';
import { type OpenExtentReply, type OpenExtentRequest, writeChunkBytes } from '@cairnfs/protocol';
import { minimumOf } from '../config.ts';
import type { MasterContext, MasterParts } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { OPEN_EXTENT_ROUNDS_MAX } from '../limits.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { garbageDueMs } from './destroy.ts';
import { checkFileOffset } from './file-layout.ts';
import type { Gate } from './gate.ts';
import { toExtent } from './locate.ts';
import { type Found, resolveFile } from './resolve.ts';

/** What a round found: the extent, a chunk that must be settled before it can go on, or one that gave way. */
type Round =
  | { readonly kind: 'fresh'; readonly extent: FileExtent }
  | { readonly kind: 'existing'; readonly extent: FileExtent }
  | { readonly kind: 'seal'; readonly handle: string }
  | { readonly kind: 'again' };

export class OpenExtentCall {
  readonly #context: MasterContext;
  readonly #parts: MasterParts;
  readonly #gate: Gate<number>;

  constructor(context: MasterContext, parts: MasterParts, gate: Gate<number>) {
    this.#context = context;
    this.#parts = parts;
    this.#gate = gate;
  }

  /**
   * Each round decides on the state as it is; what it must wait for may change the state, so it decides again afterwards.
   * Asked again it gives the same extent, so a retry needs no operation number.
   */
  async openExtent(request: OpenExtentRequest): Promise<{ message: OpenExtentReply }> {
    const { config, decisions } = this.#context;
    const chunkBytes = writeChunkBytes(config.chunkBytes);
    const { views, cluster } = this.#parts;
    const { inode } = request;
    if (request.fullHandle !== '') await this.#sealIfOpen(inode, request.fullHandle);
    for (let round = 0; round < OPEN_EXTENT_ROUNDS_MAX; round += 1) {
      await this.#gate.whenFree(inode);
      const next = await decisions.perform('openExtent', (transaction) => this.#decide(transaction, request));
      if (next.kind === 'again') continue;
      if (next.kind === 'seal') {
        await views.close(next.handle, { seal: true });
        continue;
      }
      const { handle, offset } = next.extent;
      if (next.kind === 'existing' && !(await this.#open(handle, request.suspectedServers))) continue;
      if (this.#gate.isHeld(inode)) continue; // the file is being cut: this location would be taken back
      const transaction = decisions.read();
      const extent = transaction.extentAt(inode, offset);
      const chunk = transaction.chunk(handle);
      const isOpen = chunk?.state === ChunkState.CHUNK_STATE_OPEN && chunk.pendingVersion === 0;
      if (extent?.handle === handle && isOpen && mayTake(extent, chunk, request.at)) {
        const message = { extent: toExtent(transaction, cluster, extent), chunkBytes };
        await decisions.settled(transaction);
        return { message };
      }
    }
    throw new FsError('UNAVAILABLE', `inode ${inode} is being changed by others all the time: try again`);
  }

  /** @returns false when the file gave the chunk up meanwhile: what is decided then, is decided on what it has now. */
  async #open(handle: string, suspected: readonly number[]): Promise<boolean> {
    try {
      await this.#parts.views.open(handle, suspected);
      return true;
    } catch (error) {
      if (!isFsError(error, 'CHUNK_NOT_FOUND')) throw error;
      return false;
    }
  }

  #decide(transaction: Transaction, { inode, at, suspectedServers }: OpenExtentRequest): Round {
    const found = resolveFile(transaction, { path: '', inode });
    const avoid = new Set(suspectedServers);
    switch (at?.$case) {
      case 'handle':
        return this.#byHandle(transaction, found, at.value);
      case 'append':
        return this.#settleBehindEnd(transaction, found, found.inode.size) ?? this.#atEnd(transaction, found, avoid);
      case 'offset':
        checkFileOffset(at.value);
        return (
          this.#settleBehindEnd(transaction, found, at.value) ?? this.#atOffset(transaction, found, at.value, avoid)
        );
      default:
        throw new FsError('INVALID_ARGUMENT', 'OpenExtent needs an offset, append or a handle');
    }
  }

  #byHandle(transaction: Transaction, found: Found, handle: string): Round {
    const { id, inode } = found;
    const chunk = transaction.chunk(handle);
    const extent = chunk?.inode === id ? transaction.extentAt(id, chunk.fileOffset) : undefined;
    // Also while it still has its place in the file: members that have no room for it may not even have a replica.
    const hasEnded = chunk?.inode === id && chunk.sealed && chunk.state !== ChunkState.CHUNK_STATE_OPEN;
    if (hasEnded && chunk.length === 0) {
      throw new FsError('CHUNK_SEALED', `chunk ${handle} gave way to others: nothing was written to it, nor will be`);
    }
    if (chunk === undefined || extent?.handle !== handle) {
      throw new FsError(
        'CHUNK_NOT_FOUND',
        `chunk ${handle} is no part of inode ${id} any more: it was cut off or replaced`,
      );
    }
    if (isUnwritten(chunk)) return { kind: 'seal', handle };
    // Also one that is sealed and closed is opened: its view may be promised only at the members, none of which can tell
    // that the chunk was sealed, or apply a write inside it, before a primary has brought them the view.
    return existing(transaction, found, extent, this.#context.layout.tail(transaction, id, inode));
  }

  /**
   * A write behind the end opened its chunk before it brings its bytes, and only bytes move the end. What would become the
   * end before that chunk first learns whether they came: the chunk is sealed, and gives way when it is empty. Its writer
   * asks again. One chunk a round, for a transaction does not see what it removed itself.
   */
  #settleBehindEnd(transaction: Transaction, { id, inode }: Found, offset: number): Round | undefined {
    const { layout } = this.#context;
    const tail = layout.tail(transaction, id, inode);
    if (tail === undefined || tail.offset <= inode.size || tail.offset <= offset) return undefined;
    const around = layout.around(transaction, id, offset);
    if (around !== undefined && around.limit <= inode.size) return undefined;
    const chunk = transaction.chunk(tail.handle)!;
    if (!chunk.sealed || chunk.state === ChunkState.CHUNK_STATE_OPEN) return { kind: 'seal', handle: tail.handle };
    layout.dropEmpty(transaction, id, tail, garbageDueMs(this.#context));
    return { kind: 'again' };
  }

  #atEnd(transaction: Transaction, found: Found, avoid: ReadonlySet<number>): Round {
    const tail = this.#context.layout.tail(transaction, found.id, found.inode);
    const chunk = tail === undefined ? undefined : transaction.chunk(tail.handle);
    if (tail !== undefined && chunk !== undefined && !chunk.sealed) {
      // It was put into the hole at the end of a file that a truncation had made longer: the end lies behind it.
      if (tail.offset + tail.length < found.inode.size) return { kind: 'seal', handle: tail.handle };
      if (chunk.state === ChunkState.CHUNK_STATE_OPEN) return existing(transaction, found, tail, tail);
      if (isUnwritten(chunk)) return { kind: 'seal', handle: tail.handle };
      const isWhole = chunk.length === tail.length && tail.offset + tail.length === found.inode.size;
      if (isWhole && tail.limit > found.inode.size) return existing(transaction, found, tail, tail);
    }
    return this.#allocate(transaction, found, found.inode.size, avoid);
  }

  #atOffset(transaction: Transaction, found: Found, offset: number, avoid: ReadonlySet<number>): Round {
    const around = this.#context.layout.around(transaction, found.id, offset);
    const tail = this.#context.layout.tail(transaction, found.id, found.inode);
    if (around !== undefined) {
      if (isUnwritten(transaction.chunk(around.handle)!)) return { kind: 'seal', handle: around.handle };
      return existing(transaction, found, around, tail);
    }
    // What lies behind the present end moves it: the chunk that was the last one may grow no more.
    if (tail !== undefined && tail.offset < offset && transaction.chunk(tail.handle)?.sealed === false) {
      return { kind: 'seal', handle: tail.handle };
    }
    return this.#allocate(transaction, found, this.#context.layout.startOfNew(transaction, found.id, offset), avoid);
  }

  #allocate(transaction: Transaction, { id, inode }: Found, offset: number, avoid: ReadonlySet<number>): Round {
    const { seams, config, layout } = this.#context;
    checkFileOffset(offset);
    const minimum = minimumOf(config, inode.replication);
    const { placement } = this.#parts;
    const [members] = placement.place({ count: 1, replicas: inode.replication, minimum, avoid });
    const disks = members!.map((member) => placement.disk(member));
    const dueMs = garbageDueMs(this.#context);
    layout.allocate(transaction, seams, { id, inode, offset, members: members!, disks, garbageDueMs: dueMs });
    return { kind: 'fresh', extent: transaction.extentAt(id, offset)! };
  }

  /** The client met a full chunk: it is sealed unless someone did so already. */
  async #sealIfOpen(inode: number, handle: string): Promise<void> {
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined || chunk.inode !== inode || chunk.sealed) return;
    await this.#parts.views.close(handle, { seal: true });
  }
}

/**
 * It is closed, and nothing was ever written to it: it is not opened again, but gives way. Once it is open the log does not
 * know any more that it is empty; should a member that made its replica on a disk that is lost be asked to lead it then, it
 * could neither make another nor prove that there is nothing to lose.
 */
function isUnwritten({ state, length, sequence }: Chunk): boolean {
  return state === ChunkState.CHUNK_STATE_CLOSED && length === 0 && sequence === 0;
}

/** A chunk that was sealed while it was opened may have no room left for what is to be written. */
function mayTake({ offset, limit }: FileExtent, { sealed }: Chunk, at: OpenExtentRequest['at']): boolean {
  if (at?.$case === 'offset') return offset <= at.value && at.value < limit;
  // One that is named by its handle is to tell what became of an operation, sealed or not.
  return at?.$case === 'handle' || !sealed;
}

/** While the chunk of the last extent is open, the size of the file is asked of its primary. */
function existing(
  transaction: Transaction,
  { id, inode }: Found,
  extent: FileExtent,
  tail: FileExtent | undefined,
): Round {
  const isTail = tail?.offset === extent.offset;
  if (isTail && inode.openTail !== extent.handle) transaction.putInode(id, { ...inode, openTail: extent.handle });
  return { kind: 'existing', extent };
}
