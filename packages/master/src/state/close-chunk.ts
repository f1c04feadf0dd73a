/** The end of a chunk's lease: its length becomes known, and the file's size with it. */
import { assert } from '@cairnfs/base';
import { type Chunk, ChunkState, type Inode } from '../gen/cairn/master/v1/state.ts';
import type { Transaction } from './transaction.ts';

export interface Settled {
  readonly length: number;
  readonly sequence: number;
  /** When its primary changed it last, by that server's calendar; undefined when nobody can tell. */
  readonly changedMs?: number | undefined;
  /** It may not grow any more. Once sealed, a chunk stays so. */
  readonly sealed: boolean;
}

/** Logs that the chunk is closed at this length. The caller has made sure that no primary goes on. */
export function closeChunk(
  transaction: Transaction,
  handle: string,
  chunk: Chunk,
  { length, sequence, sealed, changedMs }: Settled,
  wallMs: number,
): void {
  assert(
    sequence >= chunk.baseSequence,
    () => `${handle}: closed at ${sequence}, below its base ${chunk.baseSequence}`,
  );
  const isSealed = sealed || chunk.sealed;
  transaction.putChunk(handle, {
    ...chunk,
    state: chunk.state === ChunkState.CHUNK_STATE_OPEN ? ChunkState.CHUNK_STATE_CLOSED : chunk.state,
    length,
    sequence,
    sealed: isSealed,
    disks: [],
    settledVersion: sequence > chunk.sequence ? chunk.version : chunk.settledVersion,
  });
  const extent = transaction.extentAt(chunk.inode, chunk.fileOffset);
  const inode = transaction.inode(chunk.inode);
  if (extent?.handle !== handle || inode === undefined) return; // the file is gone
  const kept = Math.min(length, extent.limit - extent.offset);
  const end = extent.offset + kept;
  // A chunk without bytes behind the end does not move it: nothing was written there.
  const size = kept === 0 ? inode.size : Math.max(inode.size, end);
  // A view change logs how far the chunk reaches, not how far the file does: that is done here, whatever the chunk knew.
  const isChanged = sequence > chunk.sequence || length !== chunk.length || kept !== extent.length || size > inode.size;
  transaction.putExtent(chunk.inode, {
    ...extent,
    length: kept,
    // The room behind a sealed chunk becomes a hole that another chunk can fill.
    limit: isSealed ? end : extent.limit,
  });
  if (!isChanged) return;
  const times = timesAfter(inode, Math.min(changedMs ?? wallMs, wallMs));
  transaction.putInode(chunk.inode, {
    ...inode,
    size,
    modifiedMs: times.modifiedMs,
    changedMs: times.changedMs,
    generation: inode.generation + 1,
  });
}

/**
 * The times of a file whose content changed at `changedMs`. The master hears of it later: what was set since, by `utimes`
 * or a truncate, stands.
 */
export function timesAfter(
  inode: Pick<Inode, 'modifiedMs' | 'changedMs'>,
  changedMs: number,
): { modifiedMs: number; changedMs: number } {
  if (changedMs <= inode.changedMs) return { modifiedMs: inode.modifiedMs, changedMs: inode.changedMs };
  return { modifiedMs: changedMs, changedMs };
}
