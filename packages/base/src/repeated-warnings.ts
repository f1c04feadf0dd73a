/** Warnings about faults that go on: each is said when it begins and then now and then, however often it is met. */
import type { Clock, Log, LogFields } from './seams.ts';

/** Subjects remembered; past it the one said longest ago is taken for new again. About 200 KB. */
const SUBJECTS_MAX = 1000;

interface Said {
  atMs: number;
  /** How often it was met since without being said. */
  withheldCount: number;
}

export class RepeatedWarnings {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #intervalMs: number;
  /** In order of time. */
  readonly #said = new Map<string, Said>();

  constructor({ clock, log }: { clock: Clock; log: Log }, intervalMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  /** Logs the warning, unless the same one about the same subject was logged within the interval: then at `debug`. */
  warn(subject: string, message: string, fields: LogFields): void {
    const nowMs = this.#clock.nowMs();
    const key = `${subject}: ${message}`;
    const said = this.#said.get(key);
    if (said !== undefined && nowMs - said.atMs < this.#intervalMs) {
      said.withheldCount += 1;
      this.#log.debug(message, fields);
      return;
    }
    this.#said.delete(key);
    this.#said.set(key, { atMs: nowMs, withheldCount: 0 });
    if (this.#said.size > SUBJECTS_MAX) this.#said.delete(this.#said.keys().next().value!);
    const withheld = said?.withheldCount ?? 0;
    this.#log.warn(message, withheld === 0 ? fields : { ...fields, timesSinceLastSaid: withheld });
  }
}
