/**
 * The changes of a file that a history may hold, part by part, with what the reads tell of them: bytes that a read saw were
 * written before it ended, and where an append's bytes were seen is where it went.
 */
import type { FileOperation } from '../../history/file-calls.ts';
import { type Contents, PROOF_BYTES } from './contents.ts';

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

/** Finds the place of each append of which a read shows some bytes, whichever: the rest may have been overwritten before. */
export function placeAppends(changes: readonly Change[], reads: readonly SeenBytes[], contents: Contents): void {
  const unplaced = changes.filter(({ kind, start }) => kind === 'append' && start === undefined);
  if (unplaced.length === 0) return;
  for (const { source, offset, bytes } of reads) {
    for (const run of contents.runsOf(bytes)) {
      for (const change of unplaced) {
        if (change.start !== undefined || change.writeId !== run.writeId || source.end < change.source.begin) continue;
        const shown =
          Math.min(change.position + change.length, run.position + run.to - run.from) -
          Math.max(change.position, run.position);
        if (shown >= PROOF_BYTES) change.start = offset + run.from - run.position + change.position;
      }
    }
  }
}

/**
 * Draws the end of each change to the end of the first read that shows bytes of it.
 */
export function drawEndsNearer(changes: readonly Change[], reads: readonly SeenBytes[], contents: Contents): void {
  for (const change of changes) {
    if (change.start === undefined || change.kind === 'truncate' || change.kind === 'grow') continue;
    for (const read of reads) {
      if (read.source.end >= change.end) break;
      if (read.source.end > change.source.begin && shows(read, change, change.start, contents)) {
        change.end = read.source.end;
        break;
      }
    }
  }
}

function shows({ offset, bytes }: SeenBytes, change: Change, start: number, contents: Contents): boolean {
  const low = Math.max(start, offset);
  const high = Math.min(start + change.length, offset + bytes.length);
  if (high - low < PROOF_BYTES) return false;
  const shown = contents.shown(bytes, low - offset, high - offset, change.writeId, change.position + low - start);
  return shown === 'all' || shown === 'some';
}

/** Of one too short for a proof: whether a read shows bytes like all of it that the read covers. */
export function mayBeSeen(change: Change, reads: readonly SeenBytes[], contents: Contents): boolean {
  const { source, start, writeId, position, length } = change;
  if (start === undefined || length >= PROOF_BYTES) return false;
  return reads.some((read) => {
    const low = Math.max(start, read.offset);
    const high = Math.min(start + length, read.offset + read.bytes.length);
    if (low >= high || read.source.end < source.begin) return false;
    return contents.equal(read.bytes, low - read.offset, high - read.offset, writeId, position + low - start);
  });
}

/**
 * Of two changes under way at once, the one whose bytes a later read shows where they overlap came second: whatever else
 * was there went under it.
 */
export function orderOverwrites(changes: readonly Change[], reads: readonly SeenBytes[], contents: Contents): void {
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
      let part: Change | undefined; // few are followed by a read
      const isLater = (read: SeenBytes) => {
        if (read.source.begin <= loser.end) return false;
        part ??= { ...winner, position: winner.position + from - start, length: to - from };
        return shows(read, part, from, contents);
      };
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
