/** A clock that stands still until told, for tests of everything that waits. */
import type { Clock, Timer } from '@cairnfs/base';

type Entry = { atMs: number; order: number; callback: () => void };

export class FakeClock implements Clock {
  #nowMs = 1000;
  #order = 0;
  #timers: Entry[] = [];
  #soon: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1;
    const entry = { atMs: this.#nowMs + delayMs, order: this.#order, callback };
    this.#timers.push(entry);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== entry);
      },
    };
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(delayMs, resolve);
      signal?.addEventListener('abort', () => {
        timer.cancel();
        reject(signal.reason);
      });
    });
  }

  /** Timers armed. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** Runs everything that needs no time to pass. */
  async settle(): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < 20; turn += 1) await undefined; // microtasks queued by microtasks
      if (this.#soon.length === 0) return;
      for (const callback of this.#soon.splice(0)) callback();
    }
  }

  /** Lets `durationMs` pass, running what becomes due in order. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await this.settle();
    for (;;) {
      this.#timers.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.#timers[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.#nowMs = untilMs;
  }
}
