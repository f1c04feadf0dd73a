/** One timer for the commit points of all chunks: those that no further mutation carried are told to the members. */
import type { Clock } from '@cairnfs/base';
import { COMMIT_DELAY_MS } from './limits.ts';

export interface CommitPointOwner {
  /** @returns whether a commit point is still owed, later. */
  commitPointDue(nowMs: number): boolean;
}

export class CommitTicker {
  readonly #clock: Clock;
  #owing = new Set<CommitPointOwner>();
  #isArmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(owner: CommitPointOwner): void {
    this.#owing.add(owner);
    this.#arm();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#clock.after(COMMIT_DELAY_MS, this.#fire);
  }

  readonly #fire = (): void => {
    this.#isArmed = false;
    const nowMs = this.#clock.nowMs();
    for (const owner of this.#owing) if (!owner.commitPointDue(nowMs)) this.#owing.delete(owner);
    if (this.#owing.size > 0) this.#arm();
  };
}
