import { type Clock, sleepOn, type Timer } from '@cairnfs/base';
import type { SimProcess } from './process.ts';

/** Calendar time at virtual time 0: 2026-01-01. */
const EPOCH_WALL_MS = 1_767_225_600_000;

/**
 * The clock of one process over the virtual time of all. It may run fast or slow, and its calendar may be wrong; the
 * monotonic reading never goes back.
 */
export class SimClock implements Clock {
  readonly #process: SimProcess;
  /** Seconds on this clock for each true second: 1.001 gains a millisecond a second. */
  #rate: number;
  #wallOffsetMs: number;
  /** When the rate last changed: true time, and what this clock showed. */
  #sinceMs = 0;
  #shownMs = 0;

  constructor(process: SimProcess, { rate = 1, wallOffsetMs = 0 }: { rate?: number; wallOffsetMs?: number } = {}) {
    this.#process = process;
    this.#rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  /** From now on. Timers already set keep their true time. */
  adjust({ rate, wallOffsetMs }: { rate?: number; wallOffsetMs?: number }): void {
    this.#shownMs = this.nowMs();
    this.#sinceMs = this.#process.nowMs;
    if (rate !== undefined) this.#rate = rate;
    if (wallOffsetMs !== undefined) this.#wallOffsetMs = wallOffsetMs;
  }

  nowMs(): number {
    return this.#shownMs + (this.#process.nowMs - this.#sinceMs) * this.#rate;
  }

  wallMs(): number {
    return EPOCH_WALL_MS + this.#wallOffsetMs + Math.floor(this.nowMs());
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#process.schedule(delayMs / this.#rate, callback);
  }

  soon(callback: () => void): void {
    this.#process.schedule(0, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }
}
