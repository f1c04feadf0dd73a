/**
 * Begins and ends of the operations that are still to be ordered, by moment, as a linked list in arrays. Lifting an operation
 * takes its events out; operations are put back in the opposite order (Lowe 2017; Knuth's dancing links). Optional operations are not in it.
 */
import type { Interval } from './model.ts';

export class EventList {
  /** Event 2i is the begin of operation i, 2i + 1 its end; the last one is the anchor, before the first and after the last. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #moments: Float64Array;
  readonly #anchor: number;

  constructor(intervals: readonly Interval<unknown>[]) {
    const events: number[] = [];
    this.#anchor = 2 * intervals.length;
    this.#moments = new Float64Array(this.#anchor + 1).fill(Number.POSITIVE_INFINITY);
    for (const [index, { begin, end, isOptional }] of intervals.entries()) {
      if (isOptional) continue;
      this.#moments[2 * index] = begin;
      this.#moments[2 * index + 1] = end;
      events.push(2 * index, 2 * index + 1);
    }
    // Where moments are equal, begins come first: the operations count as concurrent.
    events.sort((a, b) => this.#compare(a, b));
    this.#next = new Int32Array(this.#anchor + 1);
    this.#previous = new Int32Array(this.#anchor + 1);
    let last = this.#anchor;
    for (const event of [...events, this.#anchor]) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
  }

  get first(): number {
    return this.#next[this.#anchor]!;
  }

  next(event: number): number {
    return this.#next[event]!;
  }

  isBegin(event: number): boolean {
    return event !== this.#anchor && (event & 1) === 0;
  }

  /** Infinity for the anchor. */
  moment(event: number): number {
    return this.#moments[event]!;
  }

  /** When the first of the operations left ends: what begins later cannot come next. */
  horizon(): number {
    let event = this.first;
    while (this.isBegin(event)) event = this.#next[event]!;
    return this.#moments[event]!;
  }

  lift(operation: number): void {
    // The end first: then the begin still leads to the event that comes next in the list.
    this.#unlink(2 * operation + 1);
    this.#unlink(2 * operation);
  }

  putBack(operation: number): void {
    this.#link(2 * operation);
    this.#link(2 * operation + 1);
  }

  #unlink(event: number): void {
    const next = this.#next[event]!;
    const previous = this.#previous[event]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #link(event: number): void {
    this.#next[this.#previous[event]!] = event;
    this.#previous[this.#next[event]!] = event;
  }

  #compare(a: number, b: number): number {
    const [momentA, momentB] = [this.#moments[a]!, this.#moments[b]!];
    if (momentA !== momentB) return momentA < momentB ? -1 : 1;
    return (a & 1) - (b & 1) || a - b;
  }
}
