/** Virtual time and seeded chance for whole clusters of mutation modules in one process. */
import type { Clock, Timer } from '@cairnfs/base';

type Event = { readonly atMs: number; readonly order: number; run: (() => void) | undefined };

/** Microtask turns after each event: longer than any chain of awaits between two events. */
const MICROTASK_TURNS = 40;

export class VirtualTime {
  nowMs = 1_000;
  #order = 0;
  #events: Event[] = [];
  #random: number;

  constructor(seed: number) {
    this.#random = (seed ^ 0x9e3779b9) >>> 0;
  }

  /** 0 <= chance < 1 (mulberry32). */
  chance(): number {
    this.#random = (this.#random + 0x6d2b79f5) >>> 0;
    let mixed = this.#random;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.chance() * limit);
  }

  after(delayMs: number, run: () => void): Timer {
    this.#order += 1;
    const event: Event = { atMs: this.nowMs + delayMs, order: this.#order, run };
    let index = this.#events.length;
    while (index > 0 && this.#events[index - 1]!.atMs > event.atMs) index -= 1;
    this.#events.splice(index, 0, event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** A clock of one process: after `isAlive` says no, nothing of it runs any more. */
  clock(isAlive: () => boolean): Clock {
    const guarded = (run: () => void) => () => {
      if (isAlive()) run();
    };
    return {
      nowMs: () => this.nowMs,
      wallMs: () => 1_700_000_000_000 + this.nowMs,
      after: (delayMs, callback) => this.after(delayMs, guarded(callback)),
      soon: (callback) => {
        this.after(0, guarded(callback));
      },
      sleep: (delayMs) => new Promise((resolve) => this.after(delayMs, guarded(resolve))),
    };
  }

  /** Runs events in order until `isDone`, or `untilMs`. */
  async run(isDone: () => boolean, untilMs: number): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < MICROTASK_TURNS; turn += 1) await undefined;
      if (isDone()) return;
      const event = this.#events.shift();
      if (event === undefined || event.atMs > untilMs) return;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      event.run?.();
    }
  }
}
