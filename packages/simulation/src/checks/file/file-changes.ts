/**
 * The changes of a file that a history may hold, part by part, with what the reads tell of them: bytes that a read saw were
 * written before it ended, and where an append's bytes were seen is where it went.
 */
import type { FileOperation } from '../../history/file-calls.ts';
import type { Contents } from './contents.ts';

/** So many bytes alike are no accident: 56 random bits or more. */
const PROOF_BYTES = 8;
const PROBE_BYTES = 16;

/** One part of a write or append, a put, or a truncation. */
export interface Change {
  readonly source: FileOperation;
  readonly kind: 'write' | 'grow' | 'append' | 'put' | 'truncate';
  readonly writeId: number;
  /** The part of the write: `position` and `length` bytes from there. A truncation's new size is its length, a growth's least one. */
  readonly position: number;
  readonly length: number;
  /** Where in the file the part starts, if that is known. */
  start: number | undefined;
  /** It must have happened by then; Infinity: it need not have happened. */
  end: number;
  /** What must come before it. */
  readonly after: Change[];
}

/** What a read saw, in order of the reads' ends. */
export interface SeenBytes {
  readonly source: FileOperation;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Definite failures have changed nothing, except that parts of what was in several may have been applied. */
export function changesOf(source: FileOperation, recordBytesMax: number): Change[] {
  const { call, outcome } = source;
  const end = outcome.kind === 'ok' ? source.end : Number.POSITIVE_INFINITY;
  const isDropped = outcome.kind === 'failed';
  switch (call.kind) {
    case 'write':
      return [
        {
          source,
          kind: 'write',
          writeId: call.writeId,
          position: 0,
          length: call.length,
          start: call.offset,
          end,
          after: [],
        },
      ];
    case 'append':
    case 'appendRecord': {
      if (isDropped && call.length <= recordBytesMax) return [];
      const parts: Change[] = [];
      for (let position = 0; position < call.length; position += recordBytesMax) {
        const length = Math.min(recordBytesMax, call.length - position);
        const start = outcome.kind === 'ok' ? outcome.result.offset : undefined;
        parts.push({ source, kind: 'append', writeId: call.writeId, position, length, start, end, after: [] });
      }
      return parts;
    }
    case 'put':
      if (isDropped) return [];
      return [
        { source, kind: 'put', writeId: call.writeId, position: 0, length: call.length, start: 0, end, after: [] },
      ];
    case 'truncate':
      if (isDropped) return [];
      return [
        { source, kind: 'truncate', writeId: 0, position: 0, length: call.length, start: undefined, end, after: [] },
      ];
    default:
      return [];
  }
}

/** Finds the place of each append that a read shows, at one of the `ends` that the file may have had; adds the ends that follow. */
export function placeAppends(
  changes: readonly Change[],
  reads: readonly SeenBytes[],
  ends: Set<number>,
  contents: Contents,
): void {
  let unplaced = changes.filter(
    ({ kind, start, length }) => kind === 'append' && start === undefined && length >= PROOF_BYTES,
  );
  for (let isNews = true; isNews && unplaced.length > 0; ) {
    isNews = false;
    const candidates = [...ends];
    for (const change of unplaced) {
      change.start = placeOf(change, reads, candidates, contents);
      if (change.start === undefined) continue;
      ends.add(change.start + change.length);
      isNews = true;
    }
    unplaced = unplaced.filter(({ start }) => start === undefined);
  }
}

function placeOf(
  { source, writeId, position, length }: Change,
  reads: readonly SeenBytes[],
  candidates: readonly number[],
  contents: Contents,
): number | undefined {
  const probe = Math.min(PROBE_BYTES, length);
  const isThere = ({ bytes }: SeenBytes, from: number, at: number) =>
    from >= 0 && from + probe <= bytes.length && contents.equal(bytes, from, from + probe, writeId, at);
  for (const read of reads) {
    if (read.source.end < source.begin) continue;
    // What is left of it may be its begin or its end.
    for (const end of candidates) {
      const from = end - read.offset;
      if (isThere(read, from, position)) return end;
      if (end >= length && isThere(read, from - probe, position + length - probe)) return end - length;
    }
  }
  return undefined;
}

/**
 * Draws the end of each change to the end of the first read that shows bytes of it.
 *
 * @param edges  in order: where changes begin and end, for what is left of one that was partly overwritten begins there.
 */
export function drawEndsNearer(
  changes: readonly Change[],
  reads: readonly SeenBytes[],
  edges: readonly number[],
  contents: Contents,
): void {
  for (const change of changes) {
    if (change.start === undefined || change.kind === 'truncate' || change.kind === 'grow') continue;
    for (const read of reads) {
      if (read.source.end >= change.end) break;
      if (read.source.end > change.source.begin && shows(read, change, change.start, edges, contents)) {
        change.end = read.source.end;
        break;
      }
    }
  }
}

function shows(read: SeenBytes, change: Change, start: number, edges: readonly number[], contents: Contents): boolean {
  const low = Math.max(start, read.offset);
  const high = Math.min(start + change.length, read.offset + read.bytes.length);
  const probe = Math.min(PROBE_BYTES, high - low);
  if (probe < PROOF_BYTES) return false;
  const isAt = (at: number) => {
    if (at < low || at + probe > high) return false;
    const from = at - read.offset;
    return contents.equal(read.bytes, from, from + probe, change.writeId, change.position + at - start);
  };
  if (isAt(low) || isAt(high - probe)) return true;
  return edges.some((edge) => edge > low && edge < high && (isAt(edge) || isAt(edge - probe)));
}

/**
 * Of two changes under way at once, the one whose bytes a later read shows where they overlap came second: whatever else
 * was there went under it.
 */
export function orderOverwrites(
  changes: readonly Change[],
  reads: readonly SeenBytes[],
  edges: readonly number[],
  contents: Contents,
): void {
  for (const winner of changes) {
    const { start } = winner;
    if (start === undefined || winner.kind === 'truncate') continue;
    for (const loser of changes) {
      if (loser === winner || loser.source === winner.source || !Number.isFinite(loser.end)) continue;
      if (loser.end < winner.source.begin || winner.end < loser.source.begin) continue;
      const [low, high] = wipedBy(loser);
      const from = Math.max(start, low);
      const to = Math.min(start + winner.length, high);
      if (from >= to) continue;
      const part = { ...winner, position: winner.position + from - start, length: to - from };
      const isLater = (read: SeenBytes) => read.source.begin > loser.end && shows(read, part, from, edges, contents);
      if (reads.some(isLater)) winner.after.push(loser);
    }
  }
}

/** Where nothing older than the change is left after it. */
function wipedBy({ kind, start, length }: Change): [low: number, high: number] {
  if (kind === 'put') return [0, Number.POSITIVE_INFINITY];
  if (kind === 'truncate') return [length, Number.POSITIVE_INFINITY];
  return start === undefined ? [0, 0] : [start, start + length];
}
