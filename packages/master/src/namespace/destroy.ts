/**
 * The end of files and trees. Small files are taken apart within the request; everything else is detached, one record,
 * and reclaimed in bounded steps. Their chunks become garbage: kept for a grace time, then collected.
 */
import { decodeMessage } from '@cairnfs/protocol';
import { type Chunk, ChunkState, Dirent } from '../gen/cairn/master/v1/state.ts';
import { EXTENTS_FREED_AT_ONCE, RECLAIM_STEP } from '../limits.ts';
import {
  detachedKey,
  detachedRange,
  direntRange,
  extentKey,
  garbageKey,
  inodeOfDetachedKey,
  META,
} from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { count } from './links.ts';
import type { Found } from './resolve.ts';

const MARK = new Uint8Array([1]);

/** Destroys an inode that no name leads to any more. */
export function destroy(transaction: Transaction, { id, inode }: Found, garbageDueMs: number): void {
  if (!destroyNow(transaction, { id, inode }, garbageDueMs).isGone) detach(transaction, { id });
}

/** Leaves an inode that no name leads to any more, and all below it, to the background. */
export function detach(transaction: Transaction, { id }: Pick<Found, 'id'>): void {
  transaction.put(detachedKey(id), MARK);
}

/**
 * One step of taking detached trees apart: bounded in what it looks at and what it writes, because it is one record.
 * Answers whether anything was left to do.
 */
export function reclaimStep(transaction: Transaction, garbageDueMs: number): boolean {
  const entries = transaction.range(detachedRange, RECLAIM_STEP);
  let budget = RECLAIM_STEP;
  for (const { key } of entries) {
    if (budget <= 0) break;
    const id = inodeOfDetachedKey(key);
    const inode = transaction.inode(id);
    const { isGone, cost } =
      inode === undefined ? { isGone: true, cost: 1 } : reclaim(transaction, { id, inode }, { budget, garbageDueMs });
    if (isGone) transaction.remove(key);
    budget -= cost;
  }
  return entries.length > 0;
}

/** Takes apart as much as the budget allows, in inodes and extents, and at most one short file more. */
function reclaim(
  transaction: Transaction,
  { id, inode }: Found,
  { budget, garbageDueMs }: { budget: number; garbageDueMs: number },
): { isGone: boolean; cost: number } {
  if (!inode.isDirectory) {
    const { isAll, freedCount } = freeExtents(transaction, id, budget, garbageDueMs);
    if (isAll) forget(transaction, id, inode);
    return { isGone: isAll, cost: 1 + freedCount };
  }
  const children = transaction.range(direntRange(id), budget);
  let cost = 1;
  for (const { key, value } of children) {
    if (cost > budget) return { isGone: false, cost };
    const childId = decodeMessage(Dirent, value).inode;
    const child = transaction.inode(childId);
    transaction.remove(key);
    cost += 1;
    if (child === undefined) continue;
    const outcome = destroyNow(transaction, { id: childId, inode: child }, garbageDueMs);
    if (!outcome.isGone) detach(transaction, { id: childId });
    cost += outcome.freedCount;
  }
  if (children.length === budget) return { isGone: false, cost };
  forget(transaction, id, inode);
  return { isGone: true, cost };
}

/** Destroys what is small enough to be destroyed within one request: a short file, an empty directory. */
function destroyNow(
  transaction: Transaction,
  { id, inode }: Found,
  garbageDueMs: number,
): { isGone: boolean; freedCount: number } {
  if (inode.isDirectory) {
    if (inode.entryCount === 0) forget(transaction, id, inode);
    return { isGone: inode.entryCount === 0, freedCount: 0 };
  }
  const { isAll, freedCount } = freeExtents(transaction, id, EXTENTS_FREED_AT_ONCE, garbageDueMs);
  if (isAll) forget(transaction, id, inode);
  return { isGone: isAll, freedCount };
}

/** Makes a chunk garbage. One that is in no file's extents any more, or of an upload given up. */
export function discardChunk(transaction: Transaction, handle: string, chunk: Chunk, garbageDueMs: number): void {
  if (chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return;
  transaction.putChunk(handle, { ...chunk, state: ChunkState.CHUNK_STATE_GARBAGE, uploadId: '' });
  transaction.put(garbageKey(garbageDueMs, handle), MARK);
  transaction.add(META.garbageCount, 1);
}

function freeExtents(
  transaction: Transaction,
  inode: number,
  limit: number,
  garbageDueMs: number,
): { isAll: boolean; freedCount: number } {
  const extents = transaction.extents(inode, 0, Number.MAX_SAFE_INTEGER, limit + 1);
  const freed = extents.slice(0, limit);
  for (const { offset, handle } of freed) {
    transaction.remove(extentKey(inode, offset));
    const chunk = transaction.chunk(handle);
    if (chunk !== undefined) discardChunk(transaction, handle, chunk, garbageDueMs);
  }
  return { isAll: extents.length <= limit, freedCount: freed.length };
}

function forget(transaction: Transaction, id: number, inode: Found['inode']): void {
  transaction.removeInode(id);
  count(transaction, inode, -1);
}
