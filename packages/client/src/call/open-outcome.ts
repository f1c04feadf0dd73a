/**
 * Whether one operation may have been applied, unanswered, and since when. Servers recognise it when it is sent again, for a
 * while: who asks later than that could have it applied a second time. The calendar counts too: it goes on while the machine
 * sleeps, and the clock does not.
 */
import { type Clock, FsError } from '@cairnfs/base';
import { OUTCOME_OPEN_MS_MAX } from '../limits.ts';

export class OpenOutcome {
  readonly #clock: Clock;
  #sinceMs: number | undefined;
  #sinceWallMs = 0;
  /** Of the last try of those. */
  #reason: FsError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** @param sentAtMs of the try that may have been applied, and failed with `reason`. */
  opened(sentAtMs: number, reason: FsError): void {
    if (this.#sinceMs === undefined) {
      this.#sinceMs = sentAtMs;
      this.#sinceWallMs = this.#clock.wallMs() - (this.#clock.nowMs() - sentAtMs);
    }
    this.#reason = reason;
  }

  /** It was not applied. */
  settled(): void {
    this.#sinceMs = undefined;
  }

  /** To be asked before each try. @throws FsError OUTCOME_EXPIRED  it must not be sent again. */
  check(): void {
    if (this.#sinceMs === undefined) return;
    const agoMs = Math.max(this.#clock.nowMs() - this.#sinceMs, this.#clock.wallMs() - this.#sinceWallMs);
    if (agoMs <= OUTCOME_OPEN_MS_MAX) return;
    const minutes = OUTCOME_OPEN_MS_MAX / 60_000;
    const why = this.#reason === undefined ? '' : `: ${this.#reason.message}`;
    const message = `it was sent ${minutes} minutes ago, and whether it was applied cannot be asked any more${why}`;
    throw new FsError('OUTCOME_EXPIRED', message, { cause: this.#reason });
  }
}
