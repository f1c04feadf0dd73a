/**
 * How a file is laid out in chunks. Extents do not overlap; only the last one's chunk may grow, so that an append always
 * lands at the end of the file; all others are sealed and end where their data ends.
 */
import { type Random, randomUuid } from '@cairnfs/base';
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { ChunkState, type Inode } from '../gen/cairn/master/v1/state.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';

/** No file has more extents in 64 MiB than bytes; in practice a handful. */
const EXTENTS_LOOKED_BACK = 4096;

/** The extent whose room holds the byte at `offset`. */
export function extentAround(transaction: Transaction, inode: number, offset: number): FileExtent | undefined {
  const last = lastExtentBefore(transaction, inode, offset + 1);
  return last !== undefined && last.limit > offset ? last : undefined;
}

/** The last extent of the file. */
export function tailExtent(transaction: Transaction, id: number, inode: Inode): FileExtent | undefined {
  const from = Math.max(0, inode.size - CHUNK_BYTES_MAX);
  return transaction.extents(id, from, Number.MAX_SAFE_INTEGER, EXTENTS_LOOKED_BACK).at(-1);
}

export interface NewExtent {
  readonly id: number;
  readonly inode: Inode;
  readonly offset: number;
  readonly members: readonly number[];
}

/** Gives the file a fresh, open chunk at `offset`, with room up to the next extent. */
export function allocateExtent(
  transaction: Transaction,
  random: Random,
  { id, inode, offset, members }: NewExtent,
): string {
  const next = transaction.extents(id, offset, offset + CHUNK_BYTES_MAX, 1)[0];
  const limit = Math.min(next?.offset ?? Number.MAX_SAFE_INTEGER, offset + CHUNK_BYTES_MAX);
  const handle = randomUuid(random);
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
    inode: id,
    fileOffset: offset,
    uploadId: '',
    baseSequence: 0,
  });
  transaction.putExtent(id, { offset, handle, length: 0, limit });
  if (next === undefined) transaction.putInode(id, { ...inode, openTail: handle });
  return handle;
}

/** Where a new extent for a write at `offset` begins: on the chunk grid, unless something ends behind that. */
export function startOfNewExtent(transaction: Transaction, inode: number, offset: number): number {
  const aligned = Math.floor(offset / CHUNK_BYTES_MAX) * CHUNK_BYTES_MAX;
  const before = lastExtentBefore(transaction, inode, offset + 1);
  return Math.max(aligned, before?.limit ?? 0);
}

function lastExtentBefore(transaction: Transaction, inode: number, offset: number): FileExtent | undefined {
  const from = Math.max(0, offset - CHUNK_BYTES_MAX);
  return transaction.extents(inode, from, offset, EXTENTS_LOOKED_BACK).at(-1);
}
