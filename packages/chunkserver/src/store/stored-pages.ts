/**
 * What a disk's index holds, page by page in order of handle, without an object of each replica: for counting at the start
 * and for inventories, where a million small chunks take seconds and the memory of one page.
 */
import { type FsError, isFsError } from '@cairnfs/base';
import { decodeMessage } from '@cairnfs/protocol';
import { ReplicaState } from '../gen/cairn/chunkserver/v1/store.ts';
import type { DiskStore } from './disk-store.ts';
import { type CommitPoint, decodeCommitPoint, handleOfKey, openValue, replicaKey } from './keys.ts';
import { readCommitPoint } from './stored-replica.ts';

export interface SoundReplica {
  readonly handle: string;
  readonly state: ReplicaState;
  readonly point: CommitPoint;
  readonly damage: undefined;
}

export type StoredReplica = SoundReplica | { readonly handle: string; readonly damage: FsError };

/** Up to `limit` replicas of the disk, of handles above `after`; fewer are the last. */
export function storedPage({ ledger }: DiskStore, after: string, limit: number): StoredReplica[] {
  const view = ledger.view();
  const replicas = view.range(after === '' ? 'c' : `${replicaKey(after)}\0`, 'd', limit);
  if (replicas.length === 0) return [];
  // Both kinds of entries are in order of handle, so the commit points come in one range too.
  const end = `p${replicas.at(-1)!.key.slice(1)}\0`;
  const points = view.range(`p${replicas[0]!.key.slice(1)}`, end, limit);
  let next = 0;
  return replicas.map(({ key, value }): StoredReplica => {
    const handle = handleOfKey(key);
    const pointKey = `p${key.slice(1)}`;
    while (next < points.length && points[next]!.key < pointKey) next += 1;
    const found = points[next]?.key === pointKey ? points[next]!.value : undefined;
    try {
      const state = decodeMessage(ReplicaState, openValue(key, value, `chunk ${handle}`));
      const point = found === undefined ? readCommitPoint(view, handle) : decodeCommitPoint(pointKey, found, handle);
      return { handle, state, point, damage: undefined };
    } catch (error) {
      if (isFsError(error, 'DAMAGED')) return { handle, damage: error };
      throw error;
    }
  });
}

/** It is as it was uploaded or cloned from one that was: nothing else in the index says more of it. */
export function isUnmutated({ summedSequence }: ReplicaState, { sequence }: CommitPoint): boolean {
  return summedSequence === 0 && sequence === 0;
}
