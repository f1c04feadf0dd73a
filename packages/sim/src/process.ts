/**
 * One life of a simulated process. All that it waits for (timers, disk, network) is scheduled through it, so that after
 * its end nothing of it ever runs again: promises it awaits stay pending, and what it still asks for has no effect.
 */
import type { Timer } from '@cairnfs/base';
import type { EventLoop } from './event-loop.ts';
import type { EventOwner, SimEvent } from './event-queue.ts';

/**
 * Points in the code at which a fault strikes that a moment drawn at random would hardly ever hit. `send`: bytes were
 * just handed to a connection, whatever was checked before them. `write`, `sync`: the disk was just asked. `synced`: it
 * has just answered, and nobody knows yet.
 */
export type FaultPoint = 'send' | 'write' | 'sync' | 'synced';

export class SimProcess implements EventOwner {
  readonly hostName: string;
  readonly #loop: EventLoop;
  #alive = true;
  #stalledUntilMs = 0;
  #ambush: { point: FaultPoint; passesLeft: number; strike: () => void } | undefined;

  constructor(hostName: string, loop: EventLoop) {
    this.hostName = hostName;
    this.#loop = loop;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Virtual time, the same for all processes. */
  get nowMs(): number {
    return this.#loop.nowMs;
  }

  /** An invariant is broken, whatever the process makes of it: what simulations look for. */
  fail(error: Error): void {
    this.#loop.fail(error);
  }

  end(): void {
    this.#alive = false;
    this.#ambush = undefined;
  }

  /** Runs nothing for `durationMs`, as under a long garbage collection or a stopped virtual machine. */
  stall(durationMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#loop.nowMs + durationMs);
  }

  /** Runs `strike`, once, right after the event in which the process comes by the point for the `pass`th time from now. */
  ambush(point: FaultPoint, strike: () => void, pass = 1): void {
    this.#ambush = { point, passesLeft: pass, strike };
  }

  /** Told by the seams. */
  passes(point: FaultPoint): void {
    const ambush = this.#ambush;
    if (ambush === undefined || ambush.point !== point) return;
    ambush.passesLeft -= 1;
    if (ambush.passesLeft > 0) return;
    this.#ambush = undefined;
    this.#loop.schedule(0, () => {
      if (this.#alive) ambush.strike();
    });
  }

  schedule(delayMs: number, callback: () => void): Timer {
    return this.#loop.schedule(delayMs, callback, this);
  }

  admits(event: SimEvent): boolean {
    if (!this.#alive) return false;
    // All that falls due during a stall runs at its end, in the order in which it fell due.
    const leftMs = this.#stalledUntilMs - this.#loop.nowMs;
    if (leftMs > 0) this.#loop.postpone(event, leftMs);
    return leftMs <= 0;
  }

  /** Runs `callback` at once, or when the stall is over. */
  whenRunning(callback: () => void): void {
    if (!this.#alive) return;
    if (this.#loop.nowMs < this.#stalledUntilMs) this.schedule(0, callback);
    else callback();
  }

  /** Settles with the outcome of `compute`, which runs after `delayMs`. Stays pending when the process ended, or when nobody answers then. */
  settleLater<T>(delayMs: number, compute: () => T, isUnanswered = () => false): Promise<T> {
    return new Promise((resolve, reject) => {
      this.schedule(delayMs, () => {
        if (isUnanswered()) return;
        try {
          resolve(compute());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
