/**
 * Where a chunk of the file may begin or end. Chunks lie on a grid where nothing disturbs them, but one is also sealed where the file
 * ended when it was cut, when it was written beyond its end, or when a record did not fit; the next one goes on from there.
 */
import { BLOCK_BYTES } from '@cairnfs/protocol';

/** @param ends  every size that the file may have had. */
export function boundariesOf(ends: ReadonlySet<number>, chunkBytes: number): number[] {
  const last = Math.max(0, ...ends);
  const found = new Set<number>();
  for (const end of ends) for (let at = end; at <= last; at += chunkBytes) found.add(at);
  // An upload that went on in another chunk did so at the end of a block.
  for (let at = 0; at <= last; at += BLOCK_BYTES) found.add(at);
  return [...found].sort((a, b) => a - b);
}

/** Index of the first boundary above `offset`. */
export function firstAbove(boundaries: readonly number[], offset: number): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boundaries[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Cuts [start, end) at the boundaries inside. */
export function cutAt(boundaries: readonly number[], start: number, end: number): number[] {
  const cuts = [start];
  for (let index = firstAbove(boundaries, start); index < boundaries.length && boundaries[index]! < end; index += 1) {
    cuts.push(boundaries[index]!);
  }
  cuts.push(end);
  return cuts;
}
