/**
 * Whether one operation may have been applied, unanswered, and since when. Servers recognise it when it is sent again, for a
 * while: who asks later than that could have it applied a second time. The calendar counts too: it goes on while the machine
 * sleeps, and the clock does not.
 */
import { type Clock, FsError, type Moment } from '@cairnfs/base';
import { OUTCOME_OPEN_MS_MAX } from '../limits.ts';

export class OpenOutcome {
  readonly #clock: Clock;
  #since: Moment | undefined;
  /** Of the last try of those. */
  #reason: FsError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#since !== undefined;
  }

  /** @param sent  taken before the try that may have been applied, and failed with `reason`. */
  opened(sent: Moment, reason: FsError): void {
    this.#since ??= sent;
    this.#reason = reason;
  }

  /** It was not applied. */
  settled(): void {
    this.#since = undefined;
  }

  /** To be asked before each try. @throws FsError OUTCOME_EXPIRED  it must not be sent again. */
  check(): void {
    if (this.#since === undefined) return;
    const { atMs, wallMs } = this.#since;
    const agoMs = Math.max(this.#clock.nowMs() - atMs, this.#clock.wallMs() - wallMs);
    if (agoMs <= OUTCOME_OPEN_MS_MAX) return;
    const minutes = OUTCOME_OPEN_MS_MAX / 60_000;
    const why = this.#reason === undefined ? '' : `: ${this.#reason.message}`;
    const message = `it was sent ${minutes} minutes ago, and whether it was applied cannot be asked any more${why}`;
    throw new FsError('OUTCOME_EXPIRED', message, { cause: this.#reason });
  }
}
