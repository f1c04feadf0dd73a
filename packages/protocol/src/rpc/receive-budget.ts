/**
 * Memory that the requests of all connections of one server hold, from before their bytes arrive until their calls end. A
 * frame takes its memory first; one that does not fit waits, in order of arrival, and its connection is not read.
 *
 * No circle of servers waits for each other here: only frames from clients wait. What another server sends is counted and
 * never waits, because the end of something counted may depend on it (a forwarded frame, a staged mutation). So everything
 * counted ends without this budget, at the latest at its deadline, and the first in line proceeds then; alone it proceeds
 * whatever its size.
 */
import { assert } from '@cairnfs/base';

interface Waiting {
  readonly bytes: number;
  readonly granted: () => void;
}

export class ReceiveBudget {
  readonly #bytesMax: number;
  readonly #waiting: Waiting[] = [];
  #heldBytes = 0;
  #isGranting = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Counts what is here already, or must not wait. */
  take(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /**
   * Takes `bytes` when they fit and nobody waits.
   *
   * @param granted otherwise runs once they are taken, unless the returned wait is cancelled before.
   */
  reserve(bytes: number, granted: () => void): ReceiveWait | undefined {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#heldBytes += bytes;
      return undefined;
    }
    const waiting = { bytes, granted };
    this.#waiting.push(waiting);
    return {
      cancel: () => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        this.#grant();
      },
    };
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    assert(this.#heldBytes >= 0, () => `${-this.#heldBytes} bytes more were released than taken`);
    this.#grant();
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#bytesMax;
  }

  #grant(): void {
    if (this.#isGranting) return; // the loop that called goes on
    this.#isGranting = true;
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const { bytes, granted } = this.#waiting.shift()!;
      this.#heldBytes += bytes;
      granted();
    }
    this.#isGranting = false;
  }
}

export interface ReceiveWait {
  cancel(): void;
}
