/**
 * The end of files and trees. Small files are taken apart within the request; everything else is detached, one record,
 * and reclaimed in bounded steps. Their chunks become garbage: kept for a grace time, then collected.
 */
import type { Key } from '@cairnfs/base';
import { decodeMessage } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
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

/** What is looked at a last time: it is not changed any more. */
type Gone = { readonly id: number; readonly inode: Readonly<Found['inode']> };

/** Destroys an inode that no name leads to any more. */
export function destroy(transaction: Transaction, { id, inode }: Found, garbageDueMs: number): void {
  if (!destroyNow(transaction, { id, inode }, garbageDueMs).isGone) detach(transaction, { id });
}

/** Leaves an inode that no name leads to any more, and all below it, to the background. */
export function detach(transaction: Transaction, { id }: Pick<Found, 'id'>): void {
  transaction.put(detachedKey(id), MARK);
}

/**
 * How far the background has come: what it removed lately is still in the store under the removals, and a scan from the
 * beginning would pass all of it again. Within one run of the master only; a new run starts at the start.
 */
export interface ReclaimPosition {
  readonly detachedFrom: Key;
  /** The directory that the last step left half taken apart, and where its remaining names start. */
  readonly directory: number;
  readonly namesFrom: Key;
}

export const RECLAIM_START: ReclaimPosition = { detachedFrom: detachedRange.start, directory: 0, namesFrom: '' };

/**
 * One step of taking detached trees apart: bounded in what it looks at and what it writes, because it is one record.
 * Answers whether there may be more to do, and where, when what was written is in the state.
 */
export function reclaimStep(
  transaction: Transaction,
  position: ReclaimPosition,
  garbageDueMs: number,
): { isMore: boolean; position: ReclaimPosition } {
  const entries = transaction.range({ start: position.detachedFrom, end: detachedRange.end }, RECLAIM_STEP);
  // What was detached behind the position meanwhile is found by another round.
  if (entries.length === 0) {
    return { isMore: position.detachedFrom !== RECLAIM_START.detachedFrom, position: RECLAIM_START };
  }
  let budget = RECLAIM_STEP;
  let next = position;
  for (const { key } of entries) {
    if (budget <= 0) break;
    const id = inodeOfDetachedKey(key);
    const inode = transaction.inode(id);
    const namesFrom = next.directory === id ? next.namesFrom : direntRange(id).start;
    const outcome: Reclaimed =
      inode === undefined
        ? { isGone: true, cost: 1, namesFrom }
        : reclaim(transaction, { id, inode }, { budget, garbageDueMs, namesFrom });
    budget -= outcome.cost;
    if (outcome.isGone) {
      transaction.remove(key);
      next = { ...RECLAIM_START, detachedFrom: `${key}\0` };
    } else next = { detachedFrom: key, directory: id, namesFrom: outcome.namesFrom };
  }
  return { isMore: true, position: next };
}

interface Reclaimed {
  readonly isGone: boolean;
  readonly cost: number;
  /** Of a directory that is not gone: every name before this is removed. No path leads to it, so none is added. */
  readonly namesFrom: Key;
}

/** Takes apart as much as the budget allows, in inodes and extents, and at most one short file more. */
function reclaim(
  transaction: Transaction,
  { id, inode }: Found,
  { budget, garbageDueMs, namesFrom }: { budget: number; garbageDueMs: number; namesFrom: Key },
): Reclaimed {
  if (!inode.isDirectory) {
    const { isAll, freedCount } = freeExtents(transaction, id, budget, garbageDueMs);
    if (isAll) forget(transaction, id, inode);
    return { isGone: isAll, cost: 1 + freedCount, namesFrom };
  }
  const children = transaction.range({ start: namesFrom, end: direntRange(id).end }, budget);
  let cost = 1;
  for (const { key, value } of children) {
    if (cost > budget) return { isGone: false, cost, namesFrom: key };
    const childId = decodeMessage(Dirent, value).inode;
    const child = transaction.inodeInPassing(childId);
    transaction.remove(key);
    cost += 1;
    if (child === undefined) continue;
    const outcome = destroyNow(transaction, { id: childId, inode: child }, garbageDueMs);
    if (!outcome.isGone) detach(transaction, { id: childId });
    cost += outcome.freedCount;
  }
  if (children.length === budget) return { isGone: false, cost, namesFrom: `${children.at(-1)!.key}\0` };
  forget(transaction, id, inode);
  return { isGone: true, cost, namesFrom };
}

/** Destroys what is small enough to be destroyed within one request: a short file, an empty directory. */
function destroyNow(
  transaction: Transaction,
  { id, inode }: Gone,
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

/** When what becomes garbage now may be put away: by the process's calendar, for one set ahead would end the grace at once. */
export function garbageDueMs({ calendar, config }: Pick<MasterContext, 'calendar' | 'config'>): number {
  return calendar.nowMs() + config.garbageGraceMs;
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

function forget(transaction: Transaction, id: number, inode: Gone['inode']): void {
  transaction.removeInode(id);
  count(transaction, inode, -1);
}
