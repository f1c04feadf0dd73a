/**
 * Whether a file's next sync is better done on the spot. On a fast device an fdatasync of a journal's batch takes less
 * time than the way to the thread pool and back, four changes of thread; on a slow one the event loop must not wait for
 * it. So the file's own last syncs decide, and one that is slow sends those after it to the pool again.
 */
import { QUICK_SYNC_BYTES_MAX, QUICK_SYNC_MS_MAX, QUICK_SYNCS_IN_ROW } from '../limits.ts';

export class SyncPace {
  #quickInRow = 0;

  /** @param unsyncedBytes written since the last sync */
  isQuick(unsyncedBytes: number): boolean {
    return this.#quickInRow >= QUICK_SYNCS_IN_ROW && unsyncedBytes <= QUICK_SYNC_BYTES_MAX;
  }

  /** A sync of few bytes took so long; through the pool, with the way there and back. */
  took(durationMs: number): void {
    this.#quickInRow = durationMs <= QUICK_SYNC_MS_MAX ? this.#quickInRow + 1 : 0;
  }
}
