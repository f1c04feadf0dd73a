/**
 * Chunks that wait for repair, a bounded number, those with the fewest copies first: such a one finds room also where there is
 * none, in place of one with more. What can be done for some of them now is nothing, for as long as a server is away: they
 * take no more than half of the room. The scans find again whatever had none (repair-scans.ts).
 */
import type { Clock } from '@cairnfs/base';

export class RepairQueue {
  readonly #clock: Clock;
  readonly #max: number;
  /** How many copies of each were in reach when it was found; the earliest found first. */
  readonly #copies = new Map<string, number>();
  /** The same by that number. */
  readonly #byCopies = new Map<number, Set<string>>();
  /** As it was last put in order, most copies first: its end is the next. */
  #byNeed: string[] = [];
  /** After a copy that failed; the earliest first. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#copies.size;
  }

  /** Those of which no copy is in reach. */
  get unavailableCount(): number {
    return this.#byCopies.get(0)?.size ?? 0;
  }

  has(handle: string): boolean {
    return this.#copies.has(handle);
  }

  /**
   * The chunk waits, if there is room for it.
   *
   * @param isReady something can be done for it now; asked only where there is not plenty of room.
   */
  add(handle: string, copies: number, isReady: () => boolean): void {
    this.delete(handle);
    if (this.size >= this.#max / 2 && !isReady()) return;
    if (this.size >= this.#max) {
      const leastNeedy = this.#leastNeedy();
      if (leastNeedy === undefined || this.#copies.get(leastNeedy)! <= copies) return;
      this.delete(leastNeedy);
    }
    this.#copies.set(handle, copies);
    const alike = this.#byCopies.get(copies);
    if (alike === undefined) this.#byCopies.set(copies, new Set([handle]));
    else alike.add(handle);
  }

  delete(handle: string): void {
    const copies = this.#copies.get(handle);
    if (copies === undefined) return;
    this.#copies.delete(handle);
    const alike = this.#byCopies.get(copies)!;
    alike.delete(handle);
    if (alike.size === 0) this.#byCopies.delete(copies);
  }

  /** At its turn nothing could be done for it: it leaves, unless there is plenty of room. */
  giveWay(handle: string): void {
    if (this.size > this.#max / 2) this.delete(handle);
  }

  /** As many as were found first; they stay in the queue. */
  first(count: number): string[] {
    const handles: string[] = [];
    for (const handle of this.#copies.keys()) {
      if (handles.length === count) break;
      handles.push(handle);
    }
    return handles;
  }

  /** Takes out as many as were found first. */
  takeOldest(count: number): string[] {
    const handles = this.first(count);
    for (const handle of handles) this.delete(handle);
    return handles;
  }

  putInOrder(): void {
    this.#byNeed = [...this.#byCopies].sort(([a], [b]) => b - a).flatMap(([, handles]) => [...handles]);
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

  #leastNeedy(): string | undefined {
    let most = -1;
    for (const copies of this.#byCopies.keys()) most = Math.max(most, copies);
    const [handle] = this.#byCopies.get(most) ?? [];
    return handle;
  }
}
