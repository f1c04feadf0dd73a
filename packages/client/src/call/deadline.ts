/** How long a call may go on, and the pauses between its attempts. */
import { type Clock, FsError, isFsError, type Random, toError } from '@cairnfs/base';
import { BACKOFF_MS_MAX, BACKOFF_MS_MIN } from '../limits.ts';
import type { CallOptions, ClientOptions, ClientSeams } from '../options.ts';

/** The end of a deadline: one that ends on it, as of an operation around a call, tells the same reason, and not of both. */
class GaveUp extends FsError {}

export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #atMs: number;
  readonly #allowedMs: number;
  readonly #onRetry: ClientOptions['onRetry'];
  readonly #isClosed: () => boolean;
  /** Of the last attempt that failed. */
  #reason: FsError | undefined;
  #isOutcomeOpen = false;

  constructor(
    { clock, random }: Pick<ClientSeams, 'clock' | 'random'>,
    options: CallOptions & {
      timeoutMs: number;
      onRetry: ClientOptions['onRetry'];
      isClosed: () => boolean;
    },
  ) {
    this.signal = options.signal;
    this.#clock = clock;
    this.#random = random;
    this.#allowedMs = options.timeoutMs;
    this.#onRetry = options.onRetry;
    this.#isClosed = options.isClosed;
    this.#atMs = clock.nowMs() + options.timeoutMs;
  }

  /** Time for one attempt: never more than is left. @throws the signal's reason, or DEADLINE_EXCEEDED */
  attemptMs(most: number): number {
    this.#check();
    const left = this.#atMs - this.#clock.nowMs();
    // Also of a time that is no number: that is not for ever.
    if (!(left > 0)) throw this.#exceeded();
    return Math.max(1, Math.min(most, Math.ceil(left)));
  }

  /** Waits before attempt number `attempt` (from 1), longer each time, never in step with others. */
  async pause(attempt: number, reason: FsError): Promise<void> {
    this.#check();
    this.#reason = reason;
    const most = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(attempt, 16));
    const ms = most * (0.5 + (this.#random.uint32() / 2 ** 32) * 0.5);
    const leftMs = this.#atMs - this.#clock.nowMs();
    if (ms >= leftMs) throw this.#exceeded();
    this.#onRetry?.({ reason, triedMs: this.#allowedMs - leftMs });
    await this.#clock.sleep(ms, this.signal);
  }

  /** An attempt may have been applied: that the last one reached nobody does not mean that none did. */
  noteOutcomeOpen(): void {
    this.#isOutcomeOpen = true;
  }

  #check(): void {
    this.signal?.throwIfAborted();
    if (this.#isClosed()) throw new FsError('CANCELLED', 'the client was closed');
  }

  #exceeded(): FsError {
    const reason = this.#reason;
    let told: unknown = reason;
    while (told instanceof GaveUp) told = told.cause;
    const why = told === undefined ? '' : `: ${toError(told).message}`;
    const allowed = this.#allowedMs < 1000 ? `${this.#allowedMs} ms` : `${Math.round(this.#allowedMs / 1000)} s`;
    const message = `gave up after ${allowed}${why}`;
    const wasNeverSent = !this.#isOutcomeOpen && isFsError(reason, 'CONNECTION_REFUSED', 'NAME_UNRESOLVED');
    const kind = wasNeverSent ? reason.kind : 'DEADLINE_EXCEEDED';
    return new GaveUp(kind, message, reason === undefined ? {} : { details: reason.details, cause: reason });
  }
}
