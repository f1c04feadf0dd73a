/**
 * Virtual time, and the driver that makes it pass: take the earliest event, run it, let every promise that it settled
 * run its course, repeat. Nothing here looks at real time, so a run depends on its seed alone.
 */
import { type EventOwner, EventQueue, type SimEvent } from './event-queue.ts';

/**
 * Turns of the real event loop asked for at once. Between two of them all promise callbacks run, however deep the chain,
 * which is what an event needs; asking for many spares a poll of the operating system for each.
 */
const TURNS_AT_ONCE = 64;

/** Told of every event as it runs: to measure what it costs in real time. It must change nothing. */
export interface EventObserver {
  /** An event of this host runs now; undefined for one that lies between hosts. */
  began(owner: string | undefined): void;
  /** It has run, and so has every promise that it settled. */
  ended(): void;
  /** Virtual time stands still from here on, or goes on. */
  stood(isStanding: boolean): void;
}

export class EventLoop {
  observer: EventObserver | undefined;
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #eventCount = 0;
  #failure: { error: unknown } | undefined;
  /** Pieces of real work that virtual time waits for, and how the driver goes on when there are none. */
  #standingCount = 0;
  #goOn: (() => void) | undefined;

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Runs `callback` `delayMs` of virtual time from now, after all that is already due then, if its owner admits it. */
  schedule(delayMs: number, callback: () => void, owner?: EventOwner): SimEvent {
    return this.#queue.push(this.#nowMs + Math.max(0, delayMs), callback, owner);
  }

  /** No event runs until `work` settles: for work outside the simulation, which takes no virtual time. */
  async standStill<T>(work: Promise<T>): Promise<T> {
    if (this.#standingCount++ === 0) this.observer?.stood(true);
    try {
      return await work;
    } finally {
      if (--this.#standingCount === 0) {
        this.observer?.stood(false);
        const goOn = this.#goOn;
        this.#goOn = undefined;
        goOn?.();
      }
    }
  }

  /** Runs the event, which is running now, once more after `delayMs`. */
  postpone(event: SimEvent, delayMs: number): void {
    this.#queue.postpone(event, this.#nowMs + delayMs);
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
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    work.then(settle, settle);
    const endMs = this.#nowMs + limitMs;
    await new Promise<void>((resolve, reject) => {
      let isDone = false;
      const turn = () => {
        if (isDone) return;
        this.observer?.ended();
        if (this.#standingCount > 0) return;
        try {
          if (this.#failure !== undefined) throw this.#failure.error;
          if (!isSettled) {
            this.#runNext(endMs, limitMs);
            return;
          }
          isDone = true;
          resolve();
        } catch (error) {
          isDone = true;
          reject(error);
        }
      };
      const lastTurn = () => {
        turn();
        if (isDone) return;
        if (this.#standingCount > 0) this.#goOn = askForTurns;
        else askForTurns();
      };
      const askForTurns = () => {
        for (let count = 1; count < TURNS_AT_ONCE; count++) setImmediate(turn);
        setImmediate(lastTurn);
      };
      askForTurns();
    });
    return work;
  }

  #runNext(endMs: number, limitMs: number): void {
    let event: SimEvent | undefined;
    do {
      event = this.#queue.pop();
      if (event === undefined) throw new Error(`stuck at ${this.#nowMs} ms: the work waits, and nothing is scheduled`);
    } while (event.run === undefined);
    if (event.atMs > endMs) throw new Error(`the work did not settle within ${limitMs} ms of virtual time`);
    this.#nowMs = event.atMs;
    this.#eventCount += 1;
    const { owner } = event;
    this.observer?.began(owner?.hostName);
    if (owner === undefined || owner.admits(event)) event.run();
  }
}
