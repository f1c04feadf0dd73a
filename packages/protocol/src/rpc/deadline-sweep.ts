/**
 * One coarse timer for many deadlines. Calls come and go far more often than they expire, so a deadline costs a
 * comparison, and the timer is touched only when a deadline is sooner than any before.
 */
import type { Clock, Timer } from '@cairnfs/base';
import { DEADLINE_GRAIN_MS } from '../limits.ts';

export class DeadlineSweep {
  readonly #clock: Clock;
  readonly #sweep: (nowMs: number) => number;
  #timer: Timer | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  /** @param sweep expires what is due at `nowMs` and returns the earliest deadline left, Infinity when there is none. */
  constructor(clock: Clock, sweep: (nowMs: number) => number) {
    this.#clock = clock;
    this.#sweep = sweep;
  }

  /** `sweep` will run at `deadlineMs` or within `DEADLINE_GRAIN_MS` after it. */
  note(deadlineMs: number): void {
    if (deadlineMs >= this.#armedForMs || this.#stopped) return;
    this.#timer?.cancel();
    this.#armedForMs = deadlineMs;
    this.#timer = this.#clock.after(Math.max(deadlineMs - this.#clock.nowMs(), DEADLINE_GRAIN_MS), this.#fire);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
    this.note(this.#sweep(this.#clock.nowMs()));
  };
}
