/**
 * Chunks whose writers came back before what repair did with them was done. Such a chunk is kept closed for twice as long the
 * next time, and left to its writers for many times that before.
 */
import { LruMap } from '@cairnfs/base';
import {
  CLONE_TIMEOUT_MS,
  COPIED_CLOSED_MS,
  OPEN_TO_CLOSED,
  OVERTAKEN_CHUNKS_MAX,
  REPAIR_PAUSE_AFTER_FAILURE_MS,
} from '../limits.ts';

export class Overtaken {
  /** How often in a row. */
  readonly #counts = new LruMap<string, number>({ entriesMax: OVERTAKEN_CHUNKS_MAX });

  /** How long the chunk is kept closed this time. */
  closedMs(handle: string): number {
    return closedMs(this.#counts.get(handle) ?? 0);
  }

  /** How long the chunk is left to those who write to it before the next time. */
  pauseMs(handle: string): number {
    const count = this.#counts.get(handle) ?? 0;
    const openMs = count === 0 ? 0 : closedMs(count - 1) * OPEN_TO_CLOSED;
    return Math.max(REPAIR_PAUSE_AFTER_FAILURE_MS, openMs);
  }

  again(handle: string): void {
    this.#counts.set(handle, (this.#counts.get(handle) ?? 0) + 1);
  }

  ended(handle: string): void {
    this.#counts.delete(handle);
  }
}

function closedMs(count: number): number {
  return Math.min(CLONE_TIMEOUT_MS, COPIED_CLOSED_MS * 2 ** count);
}
