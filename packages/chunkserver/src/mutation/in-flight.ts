/** The mutations of one chunk that its primary has staged and not answered, in order of sequence. */
import { IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MUTATIONS_MAX } from './limits.ts';
import type { MutationCall } from './mutation-call.ts';

export class InFlight {
  #calls: MutationCall[] = [];
  #bytes = 0;

  get count(): number {
    return this.#calls.length;
  }

  /** One is admitted whatever its size. */
  hasRoomFor(call: MutationCall): boolean {
    if (this.#calls.length === 0) return true;
    return this.#calls.length < IN_FLIGHT_MUTATIONS_MAX && this.#bytes + call.byteCount <= IN_FLIGHT_BYTES_MAX;
  }

  add(call: MutationCall): void {
    this.#calls.push(call);
    this.#bytes += call.byteCount;
  }

  at(index: number): MutationCall | undefined {
    return this.#calls[index];
  }

  /** The first ones, at most `count`: the caller answers them. */
  take(count: number): MutationCall[] {
    const taken = this.#calls.splice(0, count);
    for (const { byteCount } of taken) this.#bytes -= byteCount;
    return taken;
  }

  takeAll(): MutationCall[] {
    return this.take(this.#calls.length);
  }
}
