/**
 * The end of files and trees. Small files are taken apart within the request; everything else is detached, one record,
 * and reclaimed in bounded steps. Their chunks become garbage: kept for a grace time, then collected.
 */
import { type Chunk, ChunkState, Dirent } from '../gen/cairn/master/v1/state.ts';
import { EXTENTS_FREED_AT_ONCE, RECLAIM_STEP } from '../limits.ts';
import {
  detachedKey,
  detachedRange,
  direntRange,
  extentKey,
  garbageKey,
  inodeKey,
  inodeOfDetachedKey,
  META,
} from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { count } from './links.ts';
import type { Found } from './resolve.ts';

const MARK = new Uint8Array([1]);

/** Destroys an inode that no name leads to any more. */
export function destroy(transaction: Transaction, { id, inode }: Found, garbageDueMs: number): void {
  if (inode.isDirectory) {
    if (inode.entryCount === 0) forget(transaction, id, inode);
    else transaction.put(detachedKey(id), MARK);
    return;
  }
  const isSmall = freeExtents(transaction, id, EXTENTS_FREED_AT_ONCE, garbageDueMs);
  if (isSmall) forget(transaction, id, inode);
  else transaction.put(detachedKey(id), MARK);
}

/** One step of taking detached trees apart. Answers whether anything was left to do. */
export function reclaimStep(transaction: Transaction, garbageDueMs: number): boolean {
  const entry = transaction.range(detachedRange, 1)[0];
  if (entry === undefined) return false;
  const id = inodeOfDetachedKey(entry.key);
  const inode = transaction.inode(id);
  if (inode === undefined) {
    transaction.remove(entry.key);
    return true;
  }
  if (!inode.isDirectory) {
    if (!freeExtents(transaction, id, RECLAIM_STEP, garbageDueMs)) return true;
    transaction.remove(entry.key);
    forget(transaction, id, inode);
    return true;
  }
  const children = transaction.range(direntRange(id), RECLAIM_STEP);
  for (const { key, value } of children) {
    const child = Dirent.decode(value).inode;
    const childInode = transaction.inode(child);
    transaction.remove(key);
    if (childInode !== undefined) destroy(transaction, { id: child, inode: childInode }, garbageDueMs);
  }
  if (children.length < RECLAIM_STEP) {
    transaction.remove(entry.key);
    forget(transaction, id, inode);
  }
  return true;
}

/** Makes a chunk garbage. One that is in no file's extents any more, or of an upload given up. */
export function discardChunk(transaction: Transaction, handle: string, chunk: Chunk, garbageDueMs: number): void {
  if (chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return;
  transaction.putChunk(handle, { ...chunk, state: ChunkState.CHUNK_STATE_GARBAGE, uploadId: '' });
  transaction.put(garbageKey(garbageDueMs, handle), MARK);
  transaction.add(META.garbageCount, 1);
}

/** @returns whether all of them are gone. */
function freeExtents(transaction: Transaction, inode: number, limit: number, garbageDueMs: number): boolean {
  const extents = transaction.extents(inode, 0, Number.MAX_SAFE_INTEGER, limit + 1);
  for (const { offset, handle } of extents.slice(0, limit)) {
    transaction.remove(extentKey(inode, offset));
    const chunk = transaction.chunk(handle);
    if (chunk !== undefined) discardChunk(transaction, handle, chunk, garbageDueMs);
  }
  return extents.length <= limit;
}

function forget(transaction: Transaction, id: number, inode: Found['inode']): void {
  transaction.remove(inodeKey(id));
  count(transaction, inode, -1);
}
