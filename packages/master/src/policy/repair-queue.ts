/**
 * Chunks that wait for repair, a bounded number, those with the fewest copies first. What can be done for some of them now is
 * nothing, for as long as a server is away: they take no more than half of the room, since whatever finds none waits as well.
 */
import type { Clock } from '@cairnfs/base';

export class RepairQueue {
  readonly #clock: Clock;
  readonly #max: number;
  /** By the number of sound copies when they were found; the earliest found first. */
  readonly #soundCounts = new Map<string, number>();
  /** As it was last put in order, most copies first: its end is the next. */
  #byNeed: string[] = [];
  /** After a copy that failed; the earliest first. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#soundCounts.size;
  }

  get isFull(): boolean {
    return this.size >= this.#max;
  }

  /** Those of which no copy is in reach. */
  get unavailableCount(): number {
    let count = 0;
    for (const soundCount of this.#soundCounts.values()) if (soundCount === 0) count += 1;
    return count;
  }

  has(handle: string): boolean {
    return this.#soundCounts.has(handle);
  }

  /** @param isReady something can be done for it now; otherwise it waits only where there is plenty of room. */
  add(handle: string, soundCount: number, isReady: () => boolean): void {
    if (this.size < this.#max / 2 || isReady()) this.#soundCounts.set(handle, soundCount);
  }

  delete(handle: string): void {
    this.#soundCounts.delete(handle);
  }

  /** At its turn nothing could be done for it: it leaves, unless there is plenty of room. */
  giveWay(handle: string): void {
    if (this.size > this.#max / 2) this.delete(handle);
  }

  /** Takes out as many as were found first. */
  takeOldest(count: number): string[] {
    const handles = [...this.#soundCounts.keys()].slice(0, count);
    for (const handle of handles) this.delete(handle);
    return handles;
  }

  putInOrder(): void {
    this.#byNeed = [...this.#soundCounts].sort(([, a], [, b]) => b - a).map(([handle]) => handle);
  }

  /** Each once from one time that the queue is put in order to the next; it stays in the queue. */
  next(): string | undefined {
    for (;;) {
      const handle = this.#byNeed.pop();
      if (handle === undefined || (this.has(handle) && !this.isPaused(handle))) return handle;
    }
  }

  pause(handle: string, ms: number): void {
    this.#notBeforeMs.delete(handle); // it goes to the end
    this.#notBeforeMs.set(handle, this.#clock.nowMs() + ms);
  }

  isPaused(handle: string): boolean {
    return (this.#notBeforeMs.get(handle) ?? 0) > this.#clock.nowMs();
  }

  endPause(handle: string): void {
    this.#notBeforeMs.delete(handle);
  }

  forgetPauses(): void {
    const nowMs = this.#clock.nowMs();
    for (const [handle, notBeforeMs] of this.#notBeforeMs) {
      if (notBeforeMs > nowMs) break;
      this.#notBeforeMs.delete(handle);
    }
  }
}
