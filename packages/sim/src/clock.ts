import type { Clock, Timer } from '@cairnfs/base';
import type { SimProcess } from './process.ts';

/** Calendar time at virtual time 0: 2026-01-01. */
const EPOCH_WALL_MS = 1_767_225_600_000;

/** The clock of one process over the virtual time of all. It may run fast or slow, and its calendar may be wrong. */
export class SimClock implements Clock {
  readonly #process: SimProcess;
  readonly #rate: number;
  readonly #wallOffsetMs: number;

  /** @param rate seconds on this clock for each true second: 1.001 gains a millisecond a second. */
  constructor(process: SimProcess, { rate = 1, wallOffsetMs = 0 }: { rate?: number; wallOffsetMs?: number } = {}) {
    this.#process = process;
    this.#rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  nowMs(): number {
    return this.#process.nowMs * this.#rate;
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
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
