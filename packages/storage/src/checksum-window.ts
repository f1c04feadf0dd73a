/** The checksums of the records after the last one folded: folding stores the one it ends at. */
import { assert } from '@cairnfs/base';
import type { ChainPoint } from './journal-recovery.ts';
import type { Sequence } from './types.ts';

export class ChecksumWindow {
  #checksums: number[] = [];
  #first = 0;
  #firstSequence: Sequence;

  constructor(firstSequence: Sequence) {
    this.#firstSequence = firstSequence;
  }

  get length(): number {
    return this.#checksums.length - this.#first;
  }

  push({ sequence, checksum }: ChainPoint): void {
    assert(
      sequence === this.#firstSequence + this.length,
      () => `record ${sequence} after ${this.#firstSequence + this.length - 1}`,
    );
    this.#checksums.push(checksum);
  }

  at(sequence: Sequence): ChainPoint {
    const checksum = this.#checksums[this.#first + sequence - this.#firstSequence];
    assert(
      checksum !== undefined,
      () => `record ${sequence} is not among ${this.length} from ${this.#firstSequence} on`,
    );
    return { sequence, checksum };
  }

  dropThrough(sequence: Sequence): void {
    const count = sequence - this.#firstSequence + 1;
    this.#first += count;
    this.#firstSequence += count;
    if (this.#first * 2 < this.#checksums.length) return;
    this.#checksums = this.#checksums.slice(this.#first);
    this.#first = 0;
  }
}
