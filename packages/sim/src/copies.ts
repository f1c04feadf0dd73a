/**
 * Copies of small pieces of bytes, side by side in memory that is used once: an allocation for each costs more than its
 * bytes. A copy keeps the memory around it alive.
 */

const MEMORY_BYTES = 64 * 1024;
/** Larger ones get memory of their own. */
const SHARED_BYTES_MAX = 2048;

export class Copies {
  #memory = new Uint8Array(0);
  #end = 0;

  of(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > SHARED_BYTES_MAX) return new Uint8Array(bytes);
    if (this.#end + length > this.#memory.length) {
      this.#memory = new Uint8Array(MEMORY_BYTES);
      this.#end = 0;
    }
    const copy = this.#memory.subarray(this.#end, this.#end + length);
    copy.set(bytes);
    this.#end += length;
    return copy;
  }
}
