/**
 * Mutations that a secondary did not take because it has too much to do for the moment: its journal prepares a segment, or
 * its disk is behind. That is no failure yet, and a view without it would cost a copy of the chunk: they are sent again, in
 * order, until it takes them or has taken nothing for as long as one that is silent may be.
 */
import type { Clock } from '@cairnfs/base';
import { STAGE_RETRY_BYTES_MAX, STAGE_RETRY_MS, STAGE_RETRY_MUTATIONS_MAX, STAGE_TIMEOUT_MS } from './limits.ts';
import type { StagedMutation } from './mutation-log.ts';

export class RefusedMutations {
  readonly #clock: Clock;
  readonly #send: (mutation: StagedMutation) => void;
  /** By sequence. While there are any, a timer runs. */
  readonly #refused = new Map<number, StagedMutation>();
  /** The first refusal since the member last got on. */
  #sinceMs: number | undefined;

  /** @param send tries a mutation once more; not for one that the member has by then, or when the term has ended. */
  constructor(clock: Clock, send: (mutation: StagedMutation) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** @returns false when the member has refused for too long. */
  add(mutation: StagedMutation): boolean {
    const nowMs = this.#clock.nowMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs >= STAGE_TIMEOUT_MS) return false;
    this.#refused.set(mutation.sequence, mutation);
    if (this.#refused.size === 1) this.#sendLater();
    return true;
  }

  /** The member has taken more. */
  gotOn(): void {
    this.#sinceMs = undefined;
  }

  #sendLater(): void {
    this.#clock.after(STAGE_RETRY_MS, () => {
      const inOrder = [...this.#refused.values()].sort((a, b) => a.sequence - b.sequence);
      let bytes = 0;
      for (const mutation of inOrder.slice(0, STAGE_RETRY_MUTATIONS_MAX)) {
        if (bytes >= STAGE_RETRY_BYTES_MAX) break;
        bytes += mutation.bytes.length;
        this.#refused.delete(mutation.sequence);
        this.#send(mutation);
      }
      if (this.#refused.size > 0) this.#sendLater();
    });
  }
}
