/**
 * Cuts what clients asked of a file into changes and observations that are atomic (`file-model.ts`), as few as the promises
 * allow: a write or read is cut only at places where a chunk may end, and only where something else under way could
 * come between its parts.
 */
import type { FileOperation } from '../../history/file-calls.ts';
import type { Interval } from '../linearizability/model.ts';
import { boundariesOf, cutAt, firstAbove } from './boundaries.ts';
import type { Contents } from './contents.ts';
import {
  type Change,
  changesOf,
  drawEndsNearer,
  mayBeSeen,
  orderOverwrites,
  placeAppends,
  type SeenBytes,
} from './file-changes.ts';
import type { FileStep } from './file-model.ts';
import { type PossibleEnds, possibleEnds, seenEndsOf } from './possible-ends.ts';

/** Ends that a file may have had, where the places of its appends are not known; each cuts writes into more parts. */
const ENDS_MAX = 400;
/** The same where only few of them cut anything. There are as many as sums of the lengths of appends. */
const TELLING_ENDS_MAX = 300_000;

export interface FileRules {
  readonly chunkBytes: number;
  /** What is appended in one piece. */
  readonly recordBytesMax: number;
}

export interface FileIntervals {
  readonly intervals: readonly Interval<FileStep>[];
  /** For each interval, the operation it is from. */
  readonly sources: readonly FileOperation[];
}

export interface PreparedFile {
  /**
   * Without the unknown changes of which no read shows a byte, nor what makes the file reach to a later part of a write:
   * legal histories hardly ever need them.
   */
  readonly likely: FileIntervals;
  /** With all; undefined when that is the same. */
  readonly whole: FileIntervals | undefined;
  /** False where the file may have had more ends than were taken in: a write may have been cut at one of those. */
  readonly areEndsKnown: boolean;
}

/** @param moreEnds  that the file may have had (`tellingEnds`). */
export function prepareFile(
  operations: readonly FileOperation[],
  rules: FileRules,
  contents: Contents,
  moreEnds: ReadonlySet<number> = new Set(),
): PreparedFile {
  const reads = readsOf(operations);
  const uncut = placedChanges(operations, reads, rules, contents);
  const { ends, areAll } = possibleEnds(operations, uncut, ENDS_MAX);
  const boundaries = boundariesOf(new Set([...ends, ...moreEnds]), rules.chunkBytes);
  const seenEnds = new Set(seenEndsOf(operations, uncut).map(({ at }) => at));
  const strays = uncut.filter(({ kind, start }) => kind === 'append' && start === undefined);
  const { chunkBytes } = rules;
  const surroundings = { chunkBytes, operations, reads, boundaries, ends: seenEnds, strays, contents };
  const changes = uncut.flatMap((change) => {
    const parts = cutChange(change, surroundings);
    // One that failed may have got so far.
    if (parts.length === 0) return growthOf(change, surroundings);
    return parts.flatMap((part) => [...growthOf(part, surroundings), part]);
  });
  drawEndsNearer(changes, reads, contents);
  orderParts(changes);
  orderOverwrites(changes, reads, contents);
  const likely = changes.filter((change) => {
    const { end, kind, position, length } = change;
    if (kind === 'grow') return position === 0;
    return Number.isFinite(end) || kind === 'truncate' || length === 0 || mayBeSeen(change, reads, contents);
  });
  return {
    likely: toIntervals(operations, likely, boundaries),
    whole: likely.length === changes.length ? undefined : toIntervals(operations, changes, boundaries),
    areEndsKnown: areAll,
  };
}

/**
 * Of all ends that the file may have had, those where a chunk would have ended at a place at which the bytes of some write end in
 * a read. They are few, and a write that was cut where nobody can see it may as well have been cut elsewhere.
 */
export function tellingEnds(operations: readonly FileOperation[], rules: FileRules, contents: Contents): PossibleEnds {
  const reads = readsOf(operations);
  const { ends, areAll } = possibleEnds(
    operations,
    placedChanges(operations, reads, rules, contents),
    TELLING_ENDS_MAX,
  );
  const { chunkBytes } = rules;
  const inChunk = new Set<number>();
  for (const { offset, bytes } of reads) {
    for (const { from, to } of contents.runsOf(bytes)) {
      // A byte of another write may look like one of this.
      for (const at of [from, from + 1, to - 1, to]) inChunk.add((offset + at) % chunkBytes);
    }
  }
  return { ends: new Set([...ends].filter((end) => inChunk.has(end % chunkBytes))), areAll };
}

function placedChanges(
  operations: readonly FileOperation[],
  reads: readonly SeenBytes[],
  { recordBytesMax }: FileRules,
  contents: Contents,
): Change[] {
  const changes = operations.flatMap((operation) => changesOf(operation, recordBytesMax));
  placeAppends(changes, reads, contents);
  return changes;
}

interface Surroundings {
  readonly chunkBytes: number;
  readonly operations: readonly FileOperation[];
  readonly reads: readonly SeenBytes[];
  readonly boundaries: readonly number[];
  /** Sizes that somebody saw, or appended at. */
  readonly ends: ReadonlySet<number>;
  /** Appends whose place is not known. */
  readonly strays: readonly Change[];
  readonly contents: Contents;
}

/**
 * A write that nothing comes between stays whole; otherwise its parts are those of which anyone could tell that they were
 * not applied at once. One that failed may have been applied in part, if there are parts.
 */
function cutChange(change: Change, surroundings: Surroundings): Change[] {
  const { operations, reads, boundaries, ends, strays, contents } = surroundings;
  if (change.kind !== 'write') return [change];
  const { source } = change;
  const start = change.start!;
  const cuts = cutAt(boundaries, start, start + change.length);
  if (cuts.length === 2) return source.outcome.kind === 'failed' ? [] : [change];
  const rivals = operations.filter((other) => comesBetween(change, other));
  const witnesses = reads.filter(
    (read) => read.source.end > source.begin && (rivals.length > 0 || read.source.begin < source.end),
  );
  const marks = marksOf(change, cuts, { rivals, witnesses, contents });
  // For each part, where the last of those ends that nobody can tell from it.
  const groupEnds = cuts.slice(1);
  for (let index = marks.length - 2; index >= 0; index -= 1) {
    if (marks[index] === marks[index + 1]) groupEnds[index] = groupEnds[index + 1]!;
  }
  // The file ended there because an append that nobody saw went there. Where the write hides all of it, one place is as good as another.
  const between = strays.filter((stray) => overlapInTime(stray.source, source));
  const isStrayAt = (at: number, isFirst: boolean, groupEnd: number) =>
    between.some(({ end, length }) => {
      return ends.has(at + length) || (Number.isFinite(end) && (isFirst || at + length > groupEnd));
    });
  // Where there was nothing to read, the file ended at that place or before, though nobody saw where.
  const voids = witnesses.filter(({ source: { call }, bytes }) => {
    return call.kind === 'read' && call.length > 0 && bytes.length === 0;
  });
  const isBeforeVoid = (from: number, to: number) => voids.some(({ offset }) => offset >= from && offset < to);
  const kept = [start];
  for (let index = 1, isFirst = true; index < marks.length; index += 1) {
    const [cut, nextCut] = [cuts[index]!, cuts[index + 1]!];
    const isOther = marks[index] !== marks[index - 1];
    if (isOther) isFirst = true;
    const isStray = isStrayAt(cut, isFirst, groupEnds[index]!);
    if (isOther || ends.has(cut) || isStray || isBeforeVoid(cut, nextCut)) kept.push(cut);
    if (isStray) isFirst = false;
  }
  kept.push(start + change.length);
  return kept.slice(1).map((end, index) => {
    const from = kept[index]!;
    return { ...change, position: from - start, length: end - from, start: from, after: [] };
  });
}

interface Tellers {
  /** Who writes or cuts there. */
  readonly rivals: readonly FileOperation[];
  /** Who may have seen some of it. */
  readonly witnesses: readonly SeenBytes[];
  readonly contents: Contents;
}

/**
 * For each part between two cuts, whatever tells it from the next: who writes there, who cuts there, what of it was seen, and where
 * that was a part, what of the others: they may have come before it in one chunk and after it in the next.
 */
function marksOf(
  { start, writeId }: Change,
  cuts: readonly number[],
  { rivals, witnesses, contents }: Tellers,
): string[] {
  const isCut = rivals.some(({ call }) => call.kind === 'truncate');
  const markOf = (from: number, to: number) =>
    [
      ...rivals.map(({ call }) => {
        if (call.kind === 'truncate') return call.length < to;
        return call.kind === 'write' && overlaps(call.offset, call.length, from, to - from);
      }),
      ...witnesses.map(({ offset, bytes }) => {
        const [low, high] = [Math.max(from, offset), Math.min(to, offset + bytes.length)];
        if (low >= high) return 'unseen';
        const shown = contents.shown(bytes, low - offset, high - offset, writeId, low - start!);
        // Zeros are where a part was cut off; what is hidden by other bytes may have come after the cut.
        const hasZeros = isCut && shown !== 'all' && bytes.subarray(low - offset, high - offset).includes(0);
        const ofRivals = shown === 'some' ? rivals.map((rival) => shownOf(rival, { offset, bytes }, [low, high])) : [];
        return [hasZeros ? `${shown}, cut` : shown, ...ofRivals].join(' and ');
      }),
    ].join();
  const shownOf = (
    { call }: FileOperation,
    { offset, bytes }: Pick<SeenBytes, 'offset' | 'bytes'>,
    range: number[],
  ) => {
    if (call.kind !== 'write') return '';
    const [low, high] = [Math.max(range[0]!, call.offset), Math.min(range[1]!, call.offset + call.length)];
    return low < high ? contents.shown(bytes, low - offset, high - offset, call.writeId, low - call.offset) : '';
  };
  return cuts.slice(1).map((to, index) => markOf(cuts[index]!, to));
}

/**
 * A part of a write behind the end first makes the file reach to the chunk that it begins in: the master seals the last chunk
 * and opens that one, and then the bytes go there. Left out where nobody can tell.
 */
function growthOf({ kind, source, position, start, end }: Change, surroundings: Surroundings): Change[] {
  const { chunkBytes, operations, reads, ends, strays } = surroundings;
  if (kind !== 'write') return [];
  // The file reaches to a later part by the one before it, unless it was cut in between.
  const isCut = (other: FileOperation) =>
    other.call.kind === 'truncate' && other.call.length < start! && overlapInTime(other, source);
  if (position > 0 && !operations.some(isCut)) return [];
  const length = start! - (start! % chunkBytes);
  // Somebody saw the file end there, or appended there; or saw zeros up to where the read ended, before that.
  const isEnd =
    ends.has(length) || strays.some((stray) => stray.source.begin <= end && comesAt(stray, length, surroundings));
  const isSeen = ({ source: read, offset, bytes }: SeenBytes) =>
    read.begin < end && read.end > source.begin && bytes.at(-1) === 0 && offset + bytes.length <= length;
  if (length === 0 || !(isEnd || reads.some(isSeen))) return [];
  return [{ source, kind: 'grow', writeId: 0, position, length, start: undefined, end, after: [] }];
}

function overlapInTime(a: FileOperation, b: FileOperation): boolean {
  return a.begin <= b.end && b.begin <= a.end;
}

function comesAt({ end, length }: Change, at: number, { ends }: Surroundings): boolean {
  return Number.isFinite(end) || ends.has(at + length);
}

/**
 * Whether another operation can tell a write that was applied at once from one that was applied in parts. A put cannot: what
 * is written to the file it replaced comes before it.
 */
function comesBetween({ source, start, length }: Change, other: FileOperation): boolean {
  if (other === source || !overlapInTime(other, source)) return false;
  const { call } = other;
  return call.kind === 'truncate' || (call.kind === 'write' && overlaps(call.offset, call.length, start!, length));
}

function overlaps(offset: number, length: number, otherOffset: number, otherLength: number): boolean {
  return offset < otherOffset + otherLength && otherOffset < offset + length;
}

/** The parts of one operation come in order: each before those that must have happened. */
function orderParts(changes: readonly Change[]): void {
  for (let index = changes.length - 2; index >= 0; index -= 1) {
    const [change, next] = [changes[index]!, changes[index + 1]!];
    if (change.source === next.source) change.end = Math.min(change.end, next.end);
  }
  for (const [index, next] of changes.entries()) {
    const change = changes[index - 1];
    if (change?.source !== next.source) continue;
    next.after.push(change);
    // A growth may be left out.
    if (change.kind === 'grow') next.after.push(...change.after);
  }
}

function readsOf(operations: readonly FileOperation[]): SeenBytes[] {
  const reads: SeenBytes[] = [];
  for (const source of operations) {
    const { call, outcome } = source;
    if (call.kind !== 'read' || outcome.kind !== 'ok' || outcome.result.bytes === undefined) continue;
    reads.push({ source, offset: call.offset, bytes: outcome.result.bytes });
  }
  return reads.sort((a, b) => a.source.end - b.source.end);
}

function toIntervals(
  operations: readonly FileOperation[],
  changes: readonly Change[],
  boundaries: readonly number[],
): FileIntervals {
  const intervals: Interval<FileStep>[] = [];
  const sources: FileOperation[] = [];
  const places = new Map(changes.map((change, index) => [change, index]));
  for (const change of changes) {
    const { source, end } = change;
    const isOptional = !Number.isFinite(end);
    const after = change.after.flatMap((other) => places.get(other) ?? []);
    intervals.push({ operation: stepOf(change), begin: source.begin, end, isOptional, after });
    sources.push(source);
  }
  for (const source of operations) {
    for (const operation of observationsOf(source, changes, boundaries)) {
      intervals.push({ operation, begin: source.begin, end: source.end, isOptional: false });
      sources.push(source);
    }
  }
  return { intervals, sources };
}

function stepOf({ kind, writeId, position, length, start }: Change): FileStep {
  switch (kind) {
    case 'write':
      return { kind, piece: { start: start!, end: start! + length, writeId, origin: start! - position } };
    case 'append':
      return { kind, writeId, position, length, offset: start };
    case 'put':
      return { kind, writeId, length };
    case 'grow':
    case 'truncate':
      return { kind, length };
  }
}

function observationsOf(source: FileOperation, changes: readonly Change[], boundaries: readonly number[]): FileStep[] {
  const { call, outcome } = source;
  if (outcome.kind !== 'ok') return [];
  const { size, bytes } = outcome.result;
  if (call.kind === 'size' && size !== undefined) return [{ kind: 'size', atLeast: size, atMost: size }];
  if (call.kind !== 'read' || bytes === undefined) return [];
  const { offset } = call;
  const end = offset + bytes.length;
  const steps: FileStep[] = [];
  if (bytes.length < call.length) steps.push({ kind: 'size', atLeast: bytes.length === 0 ? 0 : end, atMost: end });
  for (const ranges of momentsOf(source, offset, end, changes, boundaries)) {
    steps.push({ kind: 'seen', bytes, offset, ranges, doubt: { start: 0, end: 0 } });
  }
  return steps;
}

/**
 * The ranges of a read that were each seen at one moment. Where only one place could change while it ran, one moment fits
 * everything. Otherwise what could not change is one, and each part between boundaries that could is another: only writes at an
 * offset change bytes that are there, and truncations take them away; a read stays with one incarnation of a file that is replaced.
 */
function momentsOf(
  source: FileOperation,
  offset: number,
  end: number,
  changes: readonly Change[],
  boundaries: readonly number[],
): number[][] {
  if (offset === end) return [];
  const unstable = new Map<number, { readonly to: number; changes: string }>();
  for (const [index, { kind, source: writer, start, length, end: changeEnd }] of changes.entries()) {
    if (changeEnd < source.begin || writer.begin > source.end) continue;
    if (kind !== 'write' && kind !== 'truncate') continue;
    const low = Math.max(offset, kind === 'truncate' ? length : start!);
    const high = kind === 'truncate' ? end : Math.min(end, start! + length);
    for (let at = low; at < high; ) {
      const above = firstAbove(boundaries, at);
      const from = Math.max(offset, boundaries[above - 1] ?? 0);
      const to = Math.min(end, boundaries[above] ?? end);
      const known = unstable.get(from);
      unstable.set(from, { to, changes: `${known?.changes ?? ''} ${index}` });
      at = to;
    }
  }
  if (unstable.size <= 1) return [[offset, end]];
  // What the same changes touch, and nothing else, changes with them.
  const moments = new Map<string, number[]>();
  const see = (from: number, to: number, touching: string) => {
    const ranges = moments.get(touching);
    if (ranges === undefined) moments.set(touching, [from, to]);
    else ranges.push(from, to);
  };
  let at = offset;
  for (const [from, { to, changes: touching }] of [...unstable].sort(([a], [b]) => a - b)) {
    if (from > at) see(at, from, '');
    see(from, to, touching.includes(' ', 1) ? `${touching} ${from}` : touching);
    at = to;
  }
  if (at < end) see(at, end, '');
  return [...moments.values()];
}
