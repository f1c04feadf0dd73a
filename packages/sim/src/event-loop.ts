/**
 * Virtual time, and the driver that makes it pass: take the earliest event, run it, let every promise that it settled
 * run its course, repeat. Nothing here looks at real time, so a run depends on its seed alone.
 */
import type { Timer } from '@cairnfs/base';
import { EventQueue } from './event-queue.ts';

export class EventLoop {
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #eventCount = 0;
  #failure: { error: unknown } | undefined;

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Runs `callback` `delayMs` of virtual time from now, after all that is already due then. */
  schedule(delayMs: number, callback: () => void): Timer {
    const event = this.#queue.push(this.#nowMs + Math.max(0, delayMs), callback);
    return {
      cancel() {
        event.run = undefined;
      },
    };
  }

  /** Makes `run` reject with `error`: for invariants broken inside a simulated process. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /**
   * Lets time pass until `work` settles, and returns what it settled to. An exception thrown by an event ends the run.
   *
   * @param limitMs virtual time, from now, after which the run is given up.
   */
  async run<T>(work: Promise<T>, limitMs = Number.POSITIVE_INFINITY): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    work.then(settle, settle);
    const endMs = this.#nowMs + limitMs;
    await promisesSettled();
    while (!settled) {
      const event = this.#queue.pop();
      if (event === undefined) throw new Error(`stuck at ${this.#nowMs} ms: the work waits, and nothing is scheduled`);
      if (event.run === undefined) continue;
      if (event.atMs > endMs) throw new Error(`the work did not settle within ${limitMs} ms of virtual time`);
      this.#nowMs = event.atMs;
      this.#eventCount += 1;
      event.run();
      await promisesSettled();
      if (this.#failure !== undefined) throw this.#failure.error;
    }
    return work;
  }
}

/** One turn of the real event loop: by its end, all promise callbacks that can run have run, however deep the chain. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
