/** Bytes at any position, zero where nothing was written. Pages of zeros take no memory: journals are full of them. */

const PAGE_BYTES = 16 * 1024;
const ZEROS = new Uint8Array(PAGE_BYTES);

export class SparseBytes {
  /** By their number; absent ones are zeros. */
  readonly #pages: (Uint8Array | undefined)[] = [];

  read(position: number, target: Uint8Array): void {
    for (let at = 0; at < target.length; ) {
      const { page, offset, length } = pieceAt(position + at, target.length - at);
      const bytes = this.#pages[page];
      if (bytes === undefined) target.fill(0, at, at + length);
      else target.set(length === PAGE_BYTES ? bytes : bytes.subarray(offset, offset + length), at);
      at += length;
    }
  }

  write(position: number, source: Uint8Array): void {
    for (let at = 0; at < source.length; ) {
      const { page, offset, length } = pieceAt(position + at, source.length - at);
      const piece = source.subarray(at, at + length);
      let bytes = this.#pages[page];
      if (bytes !== undefined || !isZeros(piece)) {
        if (bytes === undefined) {
          bytes = new Uint8Array(PAGE_BYTES);
          while (this.#pages.length < page) this.#pages.push(undefined);
          this.#pages[page] = bytes;
        }
        bytes.set(piece, offset);
      }
      at += length;
    }
  }

  /** Makes zeros of everything from `start` up to `end`. */
  clear(start: number, end: number): void {
    for (let at = start; at < end; ) {
      const { page, offset, length } = pieceAt(at, end - at);
      if (length === PAGE_BYTES) this.#pages[page] = undefined;
      else this.#pages[page]?.fill(0, offset, offset + length);
      at += length;
    }
  }

  /** False only when there are zeros from `start` to `end`. */
  hasContent(start: number, end: number): boolean {
    for (let page = Math.floor(start / PAGE_BYTES); page * PAGE_BYTES < end; page++) {
      if (this.#pages[page] !== undefined) return true;
    }
    return false;
  }
}

function pieceAt(position: number, length: number): { page: number; offset: number; length: number } {
  const page = Math.floor(position / PAGE_BYTES);
  const offset = position - page * PAGE_BYTES;
  return { page, offset, length: Math.min(length, PAGE_BYTES - offset) };
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}
