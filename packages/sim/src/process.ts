/**
 * One life of a simulated process. All that it waits for (timers, disk, network) is scheduled through it, so that after
 * its end nothing of it ever runs again: promises it awaits stay pending, and what it still asks for has no effect.
 */
import type { Timer } from '@cairnfs/base';
import type { EventLoop } from './event-loop.ts';

export class SimProcess {
  readonly hostName: string;
  readonly #loop: EventLoop;
  #alive = true;
  #stalledUntilMs = 0;

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

  end(): void {
    this.#alive = false;
  }

  /** Runs nothing for `durationMs`, as under a long garbage collection or a stopped virtual machine. */
  stall(durationMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#loop.nowMs + durationMs);
  }

  schedule(delayMs: number, callback: () => void): Timer {
    let timer = this.#loop.schedule(delayMs, run);
    const loop = this.#loop;
    const isAlive = () => this.#alive;
    const stalledUntilMs = () => this.#stalledUntilMs;
    function run(): void {
      if (!isAlive()) return;
      // All that falls due during a stall runs at its end, in the order in which it fell due.
      if (loop.nowMs < stalledUntilMs()) timer = loop.schedule(stalledUntilMs() - loop.nowMs, run);
      else callback();
    }
    return {
      cancel() {
        timer.cancel();
      },
    };
  }

  /** Settles with the outcome of `compute`, which runs after `delayMs`. Stays pending when the process ended. */
  settleLater<T>(delayMs: number, compute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.schedule(delayMs, () => {
        try {
          resolve(compute());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
