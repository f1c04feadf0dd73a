/**
 * Which pieces of chunks were read lately. The first bulk read of a piece goes past the page cache: most bulk data is read
 * once, and a page of cache costs a copy and pushes out another. A piece read again is worth keeping, so that read and
 * those after it go through the cache (the admission rule of 2Q: Johnson and Shasha, VLDB 1994).
 */
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { READ_HISTORY_CHUNKS_MAX } from '../limits.ts';

const PIECES = 64;
const PIECE_BYTES = CHUNK_BYTES_MAX / PIECES;

/** One bit for each piece. */
interface Pieces {
  low: number;
  high: number;
}

export class ReadHistory {
  /** By handle, the chunk first read longest ago first. */
  readonly #chunks = new Map<string, Pieces>();

  /** @returns whether the piece that holds `offset` was read before; it counts as read from now on. */
  noteRead(handle: string, offset: number): boolean {
    const piece = Math.floor(offset / PIECE_BYTES);
    const bit = 1 << (piece & 31);
    let pieces = this.#chunks.get(handle);
    if (pieces === undefined) {
      pieces = { low: 0, high: 0 };
      this.#chunks.set(handle, pieces);
      if (this.#chunks.size > READ_HISTORY_CHUNKS_MAX) this.#chunks.delete(this.#chunks.keys().next().value!);
    }
    const half = piece < 32 ? 'low' : 'high';
    const wasRead = (pieces[half] & bit) !== 0;
    pieces[half] |= bit;
    return wasRead;
  }
}
