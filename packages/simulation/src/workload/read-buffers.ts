/**
 * Buffers that clients read into, used again from read to read. Most reads ask for far more than there is, and a fresh
 * one for each, kept whole in the history, would be a fifth of all memory that a run allocates. A buffer is full of
 * what no write contains, so that bytes which a read claims and did not fill, holes among them, are found out.
 */

/** Kept for reuse. Clients have one operation under way each, so there are hardly more. */
const FREE_MAX = 8;
/** Writes have the top bit set in every byte, and holes are zeros. */
const UNREAD = 0x55;

export class ReadBuffers {
  readonly #free: Uint8Array[] = [];

  /** Exactly `length` bytes. */
  take(length: number): Uint8Array {
    const index = this.#free.findIndex((memory) => memory.byteLength >= length);
    const memory = index < 0 ? new Uint8Array(length) : this.#free.splice(index, 1)[0]!;
    return new Uint8Array(memory.buffer, 0, length).fill(UNREAD);
  }

  giveBack(buffer: Uint8Array): void {
    if (this.#free.length < FREE_MAX) this.#free.push(new Uint8Array(buffer.buffer));
  }
}
