/** Numbers of mutating operations, so that a retry is recognised (docs/protocol.md, "Exactly once"). */
import type { Random } from '@cairnfs/base';
import type { OperationId } from '@cairnfs/protocol';
import { OPERATION_SPAN_MAX } from '../limits.ts';

const CLIENT_BYTES = 16;

/**
 * Servers remember a bounded number of results for each client. So that no operation under way is among those forgotten, the
 * SDK counts as another client as soon as too many have begun since its oldest, and as one more only while all have: there
 * are no more of them than operations are under way.
 */
export class OperationIds {
  readonly #random: Random;
  readonly #series: OperationSeries[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Runs `work` with a fresh number; settled when it ends, however it ends. */
  use<T>(work: (operation: OperationId) => Promise<T>): Promise<T> {
    const series = this.#series.find(({ hasRoom }) => hasRoom) ?? this.#begin();
    return series.use(work);
  }

  #begin(): OperationSeries {
    const series = new OperationSeries(this.#random.bytes(CLIENT_BYTES));
    this.#series.push(series);
    return series;
  }
}

/** What servers take for one client. */
class OperationSeries {
  readonly #client: Uint8Array;
  #next = 1;
  /** In ascending order, since numbers are given in order. */
  readonly #open = new Set<number>();

  constructor(client: Uint8Array) {
    this.#client = client;
  }

  get hasRoom(): boolean {
    return this.#next - this.#oldest < OPERATION_SPAN_MAX;
  }

  async use<T>(work: (operation: OperationId) => Promise<T>): Promise<T> {
    const number = this.#next;
    this.#next += 1;
    this.#open.add(number);
    try {
      return await work({ client: this.#client, number, settledBelow: this.#oldest });
    } finally {
      this.#open.delete(number);
    }
  }

  get #oldest(): number {
    const [oldest] = this.#open;
    return oldest ?? this.#next;
  }
}
