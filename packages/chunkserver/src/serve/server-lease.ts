/**
 * A server's right to serve (docs/protocol.md): so long after an answered heartbeat *left*, on this process's clock. A
 * stalled process finds its lease ended by itself, because the clock is asked again when an answer leaves. The calendar is
 * asked as well: it goes on while a machine is suspended, and the clock does not. One that is set forward costs a heartbeat.
 */
import { type Clock, FsError, type Moment } from '@cairnfs/base';

export class ServerLease {
  readonly #clock: Clock;
  #untilMs = Number.NEGATIVE_INFINITY;
  #untilWallMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  holds(): boolean {
    return this.#clock.nowMs() < this.#untilMs && this.#clock.wallMs() < this.#untilWallMs;
  }

  /** How much longer it holds; not above 0 when it does not. */
  leftMs(): number {
    return Math.min(this.#untilMs - this.#clock.nowMs(), this.#untilWallMs - this.#clock.wallMs());
  }

  /** @param sent  taken before the heartbeat left that was answered: the machine may sleep until the answer is read. */
  renew({ atMs, wallMs }: Moment, leaseMs: number): void {
    if (atMs + leaseMs < this.#untilMs) return;
    this.#untilMs = atMs + leaseMs;
    this.#untilWallMs = wallMs + leaseMs;
  }

  refusal(): FsError {
    return new FsError(
      'LEASE_EXPIRED',
      'this chunkserver was out of touch with the master for too long and may not serve until it is back; use another copy',
    );
  }

  /** @throws FsError LEASE_EXPIRED */
  check(): void {
    if (!this.holds()) throw this.refusal();
  }
}
