import { assert, type Clock, sleepOn, type Timer } from '@cairnfs/base';

/** Node runs timers beyond this at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Time of this machine. */
export class RuntimeClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, callback: () => void): Timer {
    assert(delayMs <= DELAY_MS_MAX, () => `a timer of ${delayMs} ms: 24 days are the most`);
    const timeout = setTimeout(callback, Math.ceil(delayMs));
    return {
      cancel() {
        clearTimeout(timeout);
      },
    };
  }

  /** `setImmediate` runs right after the poll phase, in which Node calls back for all I/O that is ready. */
  soon(callback: () => void): void {
    setImmediate(callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }
}
