/**
 * How a file is laid out in chunks. Extents do not overlap; only the last one's chunk may grow, so that an append always
 * lands at the end of the file; all others are sealed and end where their data ends.
 */
import { assert, FsError, type Seams, timeOrderedUuid } from '@cairnfs/base';
import { ChunkState, type Inode } from '../gen/cairn/master/v1/state.ts';
import { EXTENTS_PROBED, FILE_BYTES_MAX } from '../limits.ts';
import { extentKey } from '../state/keys.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { discardChunk } from './destroy.ts';

/** @throws FsError TOO_LARGE  no file reaches so far. */
export function checkFileOffset(offset: number): void {
  if (offset > FILE_BYTES_MAX) {
    throw new FsError('TOO_LARGE', `${offset} lies behind the largest size of a file, ${FILE_BYTES_MAX} bytes`);
  }
}

export interface NewExtent {
  readonly id: number;
  readonly inode: Inode;
  readonly offset: number;
  readonly members: readonly number[];
  /** Of each member, the disk on which it makes its replica. */
  readonly disks: readonly string[];
  readonly garbageDueMs: number;
}

export class FileLayout {
  readonly #chunkBytes: number;

  /** @param chunkBytes the cluster's chunk size, which no extent is longer than. */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** The extent whose room holds the byte at `offset`. */
  around(transaction: Transaction, inode: number, offset: number): FileExtent | undefined {
    const last = this.lastBefore(transaction, inode, offset + 1);
    return last !== undefined && last.limit > offset ? last : undefined;
  }

  /** The extents whose room reaches into [offset, end), in order: at most `limit`. */
  overlapping(
    transaction: Transaction,
    inode: number,
    { offset, end }: { offset: number; end: number },
    limit: number,
  ): FileExtent[] {
    if (offset >= end) return [];
    // Nearly always one holds all of it, and begins on the grid: a look takes a third of the time of a scan.
    const onGrid = transaction.extentAt(inode, this.#startOnGrid(offset));
    if (onGrid !== undefined && onGrid.limit >= end) return [onGrid];
    const first = this.around(transaction, inode, offset);
    const further = transaction.extents(inode, offset + 1, end, limit);
    return first === undefined ? further : [first, ...further].slice(0, limit);
  }

  #startOnGrid(offset: number): number {
    return Math.floor(offset / this.#chunkBytes) * this.#chunkBytes;
  }

  /** The last extent of the file, unless a hole of more than a chunk follows it: then it is sealed. */
  tail(transaction: Transaction, id: number, inode: Inode): FileExtent | undefined {
    return lastExtentIn(transaction, id, Math.max(0, inode.size - this.#chunkBytes), Number.MAX_SAFE_INTEGER);
  }

  /** Gives the file a fresh, open chunk at `offset`, with room up to the next extent. */
  allocate(
    transaction: Transaction,
    seams: Pick<Seams, 'random' | 'clock'>,
    { id, inode, offset, members, disks, garbageDueMs }: NewExtent,
  ): void {
    // One that was sealed before anything was written to it takes no room: the new one comes in its place.
    const empty = transaction.extentAt(id, offset);
    const emptyChunk = empty === undefined ? undefined : transaction.chunk(empty.handle);
    assert(
      empty === undefined || (empty.length === 0 && emptyChunk?.length === 0),
      () => `inode ${id}: a new chunk in place of ${empty!.handle}, which holds ${emptyChunk?.length} bytes`,
    );
    if (emptyChunk !== undefined) discardChunk(transaction, empty!.handle, emptyChunk, garbageDueMs);
    const next = transaction.extents(id, offset + 1, offset + this.#chunkBytes, 1)[0];
    const limit = Math.min(next?.offset ?? Number.MAX_SAFE_INTEGER, offset + this.#chunkBytes);
    const handle = timeOrderedUuid(seams);
    transaction.putChunk(handle, {
      state: ChunkState.CHUNK_STATE_OPEN,
      version: 1,
      highestVersion: 1,
      members: [...members],
      goal: inode.replication,
      length: 0,
      sequence: 0,
      // What another extent follows may fill its room but not move the end of the file.
      sealed: false,
      pendingVersion: 0,
      pendingMembers: [],
      behindMembers: [],
      inode: id,
      fileOffset: offset,
      uploadId: '',
      baseSequence: 0,
      settledVersion: 1,
      beganVersion: 1,
      disks: [...disks],
    });
    transaction.putExtent(id, { offset, handle, length: 0, limit });
    const isTail = transaction.extents(id, offset + 1, Number.MAX_SAFE_INTEGER, 1).length === 0;
    if (isTail) transaction.putInode(id, { ...inode, openTail: handle });
  }

  /** Takes away an extent in which nothing was written. */
  dropEmpty(transaction: Transaction, id: number, { offset, handle, length }: FileExtent, garbageDueMs: number): void {
    const chunk = transaction.chunk(handle)!;
    assert(
      length === 0 && chunk.length === 0,
      () => `inode ${id}: chunk ${handle} at ${offset}, behind the end, holds ${chunk.length} bytes`,
    );
    transaction.remove(extentKey(id, offset));
    discardChunk(transaction, handle, chunk, garbageDueMs);
  }

  /** Where a new extent for a write at `offset` begins: on the chunk grid, unless something ends behind that. */
  startOfNew(transaction: Transaction, inode: number, offset: number): number {
    const aligned = this.#startOnGrid(offset);
    // One that ends below `offset` may still reach into the grid's chunk, from where a truncate left the end of the file.
    const before = lastExtentIn(transaction, inode, Math.max(0, aligned - this.#chunkBytes), offset + 1);
    return Math.max(aligned, before?.limit ?? 0);
  }

  /** The last extent that starts below `offset` and may reach up to it. */
  lastBefore(transaction: Transaction, inode: number, offset: number): FileExtent | undefined {
    return lastExtentIn(transaction, inode, Math.max(0, offset - this.#chunkBytes), offset);
  }
}

/**
 * The last extent that starts in [from, before). Scans go forwards only, so where there are many extents it narrows the
 * range down by halves; nearly always one scan finds it.
 */
function lastExtentIn(transaction: Transaction, inode: number, from: number, before: number): FileExtent | undefined {
  let page = transaction.extents(inode, from, before, EXTENTS_PROBED);
  let low = page.at(-1);
  let end = before;
  // No extent starts in [end, before); `low` is the last one seen below.
  while (low !== undefined && page.length === EXTENTS_PROBED) {
    const middle: number = low.offset + 1 + Math.floor((end - low.offset - 1) / 2);
    if (middle >= end) break;
    const upper = transaction.extents(inode, middle, end, EXTENTS_PROBED);
    if (upper.length === 0) {
      end = middle;
    } else {
      page = upper;
      low = upper.at(-1);
    }
  }
  return low;
}
