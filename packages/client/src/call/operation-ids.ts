/** Numbers of mutating operations, so that a retry is recognised (docs/protocol.md, "Exactly once"). */
import type { Random } from '@cairnfs/base';
import type { OperationId } from '@cairnfs/protocol';

const CLIENT_BYTES = 16;

export class OperationIds {
  readonly #client: Uint8Array;
  #next = 1;
  /** In ascending order, since numbers are given in order. */
  readonly #open = new Set<number>();

  constructor(random: Random) {
    this.#client = random.bytes(CLIENT_BYTES);
  }

  /** Runs `work` with a fresh number; settled when it ends, however it ends. */
  async use<T>(work: (operation: OperationId) => Promise<T>): Promise<T> {
    const number = this.#next;
    this.#next += 1;
    this.#open.add(number);
    try {
      return await work(this.#id(number));
    } finally {
      this.#open.delete(number);
    }
  }

  #id(number: number): OperationId {
    const [oldest] = this.#open;
    return { client: this.#client, number, settledBelow: oldest ?? number };
  }
}
