/** Who waits for records to become durable, in order of the record they wait for; first come first among equals. */
import type { FsError } from '@cairnfs/base';
import type { Sequence } from './types.ts';

interface Waiter {
  sequence: Sequence;
  durable: () => void;
  failed: (failure: FsError) => void;
}

export class DurableWaiters {
  #waiters: Waiter[] = [];
  #first = 0;

  add(sequence: Sequence, durable: () => void, failed: (failure: FsError) => void): void {
    const waiters = this.#waiters;
    let index = waiters.length;
    // Most wait for the newest record; an answer that read something older goes in a little before the end.
    while (index > this.#first && waiters[index - 1]!.sequence > sequence) index--;
    const waiter = { sequence, durable, failed };
    if (index === waiters.length) waiters.push(waiter);
    else waiters.splice(index, 0, waiter);
  }

  /** Runs those that wait for records up to `through`; they may add others. */
  run(through: Sequence): void {
    for (let waiter = this.#waiters[this.#first]; waiter !== undefined; waiter = this.#waiters[this.#first]) {
      if (waiter.sequence > through) break;
      this.#first++;
      waiter.durable();
    }
    if (this.#first * 2 < this.#waiters.length) return;
    this.#waiters = this.#waiters.slice(this.#first);
    this.#first = 0;
  }

  /** Nothing they wait for will be durable: tells all of them, in their order. */
  fail(failure: FsError): void {
    const waiters = this.#waiters.slice(this.#first);
    this.#waiters = [];
    this.#first = 0;
    for (const { failed } of waiters) failed(failure);
  }
}
