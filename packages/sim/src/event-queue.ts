/** Events by virtual time; those of one time run in the order in which they were added. A binary heap. */
import type { Timer } from '@cairnfs/base';

/** Whose event it is: asked when it is due. */
export interface EventOwner {
  readonly hostName: string;
  /** False: the event does not run now. An owner that wants it later puts it in again. */
  admits(event: SimEvent): boolean;
}

export class SimEvent implements Timer {
  atMs: number;
  /** Consecutive over the whole run: the tie-break. */
  order: number;
  /** Undefined once cancelled. */
  run: (() => void) | undefined;
  /** The process that runs it; undefined for what lies between hosts. */
  readonly owner: EventOwner | undefined;

  constructor(atMs: number, order: number, run: () => void, owner: EventOwner | undefined) {
    this.atMs = atMs;
    this.order = order;
    this.run = run;
    this.owner = owner;
  }

  cancel(): void {
    this.run = undefined;
  }
}

export class EventQueue {
  readonly #heap: SimEvent[] = [];
  #nextOrder = 0;

  get size(): number {
    return this.#heap.length;
  }

  push(atMs: number, run: () => void, owner?: EventOwner): SimEvent {
    const event = new SimEvent(atMs, this.#nextOrder++, run, owner);
    this.#insert(event);
    return event;
  }

  /** Puts an event that was popped in again for a later time. */
  postpone(event: SimEvent, atMs: number): void {
    event.atMs = atMs;
    event.order = this.#nextOrder++;
    this.#insert(event);
  }

  #insert(event: SimEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (!isBefore(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length && isBefore(heap[childIndex + 1]!, heap[childIndex]!)) childIndex += 1;
      if (!isBefore(heap[childIndex]!, last)) break;
      heap[index] = heap[childIndex]!;
      index = childIndex;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
