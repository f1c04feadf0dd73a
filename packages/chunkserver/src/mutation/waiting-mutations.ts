/** The mutations of one chunk that are staged nowhere yet: they wait for a lease, a view, or room in flight. */
import { FsError } from '@cairnfs/base';
import { WAITING_BYTES_MAX, WAITING_MUTATIONS_MAX } from './limits.ts';
import type { MutationCall } from './mutation-call.ts';

export class WaitingMutations {
  readonly #handle: string;
  #calls: MutationCall[] = [];
  #bytes = 0;

  constructor(handle: string) {
    this.#handle = handle;
  }

  get count(): number {
    return this.#calls.length;
  }

  /** @throws FsError OVERLOADED  too many wait already. */
  add(call: MutationCall): void {
    const { length } = this.#calls;
    if (length >= WAITING_MUTATIONS_MAX || this.#bytes + call.byteCount > WAITING_BYTES_MAX) {
      throw new FsError(
        'OVERLOADED',
        `chunk ${this.#handle}: ${length} mutations of ${this.#bytes} bytes wait already; try again`,
      );
    }
    this.#calls.push(call);
    this.#bytes += call.byteCount;
  }

  /** Hands the first ones to `take`, in order, for as long as `mayGo` says so. `take` may let one wait again, or end all. */
  release(mayGo: (call: MutationCall) => boolean, take: (call: MutationCall) => void): void {
    while (this.#calls.length > 0 && mayGo(this.#calls[0]!)) {
      const call = this.#calls.shift()!;
      this.#bytes -= call.byteCount;
      take(call);
    }
  }

  takeAll(): MutationCall[] {
    const calls = this.#calls;
    this.#calls = [];
    this.#bytes = 0;
    return calls;
  }
}
