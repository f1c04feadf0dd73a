/**
 * Whether reads are slow at present. Those of the page cache take microseconds, those of a disk that is well milliseconds: who
 * waits for them on the spot spares what handing them to a thread costs, a multiple of such a read. A disk that is dying takes
 * seconds for each, and a process that waits on the spot does nothing else meanwhile, not even tell the master that it lives.
 */

/** As no disk takes that is well, even at the end of a long queue. */
const SLOW_READ_MS = 100;
/** So long after a slow one nobody waits on the spot: one try a minute holds the process up once a minute at most. */
const SLOW_FOR_MS = 60_000;

export class SlowReads {
  readonly #nowMs: () => number;
  #untilMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs monotonic. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get areSlow(): boolean {
    return this.#nowMs() < this.#untilMs;
  }

  /** To be handed to `ended`. */
  begun(): number {
    return this.#nowMs();
  }

  ended(begunMs: number): void {
    const nowMs = this.#nowMs();
    if (nowMs - begunMs >= SLOW_READ_MS) this.#untilMs = nowMs + SLOW_FOR_MS;
  }
}
