/** Bytes at any position, zero where nothing was written. Pages of zeros take no memory: journals are full of them. */
import type { Memory } from '../memory.ts';

const PAGE_BYTES = 4096;
const ZEROS = new Uint8Array(PAGE_BYTES);

export class SparseBytes {
  /** By their number; absent ones are zeros. */
  readonly #pages: (Uint8Array | undefined)[] = [];
  readonly #memory: Memory;
  /** From here on there are zeros: behind the furthest byte that was ever another. */
  #end = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  read(position: number, target: Uint8Array): void {
    for (let at = 0; at < target.length; ) {
      const offset = (position + at) % PAGE_BYTES;
      const length = Math.min(target.length - at, PAGE_BYTES - offset);
      const bytes = this.#pages[Math.floor((position + at) / PAGE_BYTES)];
      if (bytes === undefined) target.fill(0, at, at + length);
      else target.set(length === PAGE_BYTES ? bytes : bytes.subarray(offset, offset + length), at);
      at += length;
    }
  }

  write(position: number, source: Uint8Array): void {
    for (let at = 0; at < source.length; ) {
      const page = Math.floor((position + at) / PAGE_BYTES);
      const offset = (position + at) % PAGE_BYTES;
      const length = Math.min(source.length - at, PAGE_BYTES - offset);
      const piece = length === source.length ? source : source.subarray(at, at + length);
      let bytes = this.#pages[page];
      if (bytes !== undefined || !isZeros(piece)) {
        if (bytes === undefined) {
          bytes = this.#memory.take(PAGE_BYTES);
          if (length < PAGE_BYTES) bytes.fill(0);
          while (this.#pages.length < page) this.#pages.push(undefined);
          this.#pages[page] = bytes;
        }
        bytes.set(piece, offset);
        this.#end = Math.max(this.#end, position + at + length);
      }
      at += length;
    }
  }

  /** Makes zeros of everything from `start` up to `end`. */
  clear(start: number, end: number): void {
    // Beyond the last page there are zeros already.
    const limit = Math.min(end, this.#pages.length * PAGE_BYTES);
    for (let at = start; at < limit; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const offset = at % PAGE_BYTES;
      const length = Math.min(limit - at, PAGE_BYTES - offset);
      if (length === PAGE_BYTES) this.#pages[page] = undefined;
      else this.#pages[page]?.fill(0, offset, offset + length);
      at += length;
    }
  }

  /** False only when there are zeros from `start` to `end`: a journal is written into those that lie ahead. */
  hasContent(start: number, end: number): boolean {
    const pages = Math.min(this.#pages.length, Math.ceil(Math.min(end, this.#end) / PAGE_BYTES));
    if (start >= this.#end) return false;
    for (let page = Math.floor(start / PAGE_BYTES); page < pages; page++) {
      if (this.#pages[page] !== undefined) return true;
    }
    return false;
  }
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}
