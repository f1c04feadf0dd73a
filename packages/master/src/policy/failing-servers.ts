/**
 * Servers that failed to take part in repair, whichever the chunk was: a disk that hangs, a journal that is full, a network
 * that lets nobody call them. They are live, since heartbeats need none of these; others are asked first for a while.
 */
import type { Clock } from '@cairnfs/base';
import { FAILING_SERVER_PAUSE_MS } from '../limits.ts';

export class FailingServers {
  readonly #clock: Clock;
  /** Until when that counts; as many as there are servers at most. */
  readonly #untilMs = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(server: number): void {
    this.#untilMs.set(server, this.#clock.nowMs() + FAILING_SERVER_PAUSE_MS);
  }

  worked(server: number): void {
    this.#untilMs.delete(server);
  }

  has(server: number): boolean {
    return (this.#untilMs.get(server) ?? 0) > this.#clock.nowMs();
  }

  get all(): number[] {
    return [...this.#untilMs.keys()].filter((server) => this.has(server));
  }
}
