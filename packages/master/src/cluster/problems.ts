/** The newest problems, for status: a ring in memory. The same one is not repeated within a minute. */
import type { Clock } from '@cairnfs/base';
import type { Problem } from '@cairnfs/protocol';
import { PROBLEM_REPEAT_MS, PROBLEMS_KEPT } from '../limits.ts';

export class Problems {
  readonly #clock: Clock;
  #ring: Problem[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  report({ kind, handle, serverId, path, message }: Omit<Problem, 'atMs'>): void {
    const atMs = this.#clock.wallMs();
    const isSame = (other: Problem) =>
      other.kind === kind &&
      other.handle === handle &&
      other.serverId === serverId &&
      atMs - other.atMs < PROBLEM_REPEAT_MS;
    if (this.#ring.some(isSame)) return;
    this.#ring.push({ atMs, kind, handle, serverId, path, message });
    if (this.#ring.length > PROBLEMS_KEPT) this.#ring.shift();
  }

  /** Oldest first. */
  list(): Problem[] {
    return [...this.#ring];
  }
}
