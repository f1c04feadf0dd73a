/**
 * Times that are written down and must be compared after a restart. They are counted on from the wall clock as it was when
 * the process began: a calendar that is set later, forwards or back, makes nothing older or younger. How long a server was
 * down nobody can tell for certain, for its calendar may have been set meanwhile: what was written down before counts as of
 * the start of the process, so that it is kept too long rather than forgotten too early.
 */
import type { Clock } from './seams.ts';

export class ProcessCalendar {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #startWallMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#startWallMs = clock.wallMs();
  }

  /** Milliseconds since the Unix epoch, a whole number. */
  nowMs(): number {
    return this.of(this.#clock.nowMs());
  }

  /**
   * Now, for what is deleted some time after: the later of this calendar and the wall clock. This calendar stays behind where
   * the wall clock was behind at the start of the process or the machine slept, and the next process would delete too early.
   */
  stampMs(): number {
    return Math.max(this.nowMs(), Math.floor(this.#clock.wallMs()));
  }

  /** A time on the process's clock as it is written down. */
  of(atMs: number): number {
    return Math.max(0, Math.floor(this.#startWallMs + atMs - this.#startMs));
  }

  /** How old what was written down is, at least. */
  ageMs(writtenMs: number): number {
    return this.#clock.nowMs() - this.onProcessClock(writtenMs);
  }

  /** What was written down, on the process's clock; not before its start, and not after now. */
  onProcessClock(writtenMs: number): number {
    const nowMs = this.#clock.nowMs();
    return Math.min(nowMs, this.#startMs + Math.max(0, writtenMs - this.#startWallMs));
  }
}
