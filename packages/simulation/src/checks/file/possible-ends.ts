/** Ends that a file may have had: those its history tells, and those to which appends lead whose places nobody saw. */
import type { FileOperation } from '../../history/file-calls.ts';
import type { Moment } from '../../history/operation.ts';
import type { Change } from './file-changes.ts';

export interface PossibleEnds {
  readonly ends: ReadonlySet<number>;
  /** False when there are more than were asked for. */
  readonly areAll: boolean;
}

/** When the file may have ended somewhere. */
interface Span {
  readonly from: Moment;
  /** By then something else has told where it ends; Infinity if nothing has. */
  readonly until: Moment;
}

/** @param endsMax  how many, at most, of those that appends lead to: as many as sums of their lengths. */
export function possibleEnds(
  operations: readonly FileOperation[],
  changes: readonly Change[],
  endsMax: number,
): PossibleEnds {
  const spans = new Map<number, Span>();
  const resets = changes.filter(
    ({ kind, start, end }) => Number.isFinite(end) && (kind === 'append' ? start !== undefined : kind !== 'write'),
  );
  const untilReset = (latest: Moment) =>
    resets.reduce(
      (earliest, { source, end }) => (source.begin > latest ? Math.min(earliest, end) : earliest),
      Number.POSITIVE_INFINITY,
    );
  const add = (at: number, from: Moment, until: Moment) => {
    const known = spans.get(at);
    spans.set(at, known ? { from: Math.min(known.from, from), until: Math.max(known.until, until) } : { from, until });
  };

  add(0, 0, untilReset(0));
  for (const { at, begin, end } of [...seenEndsOf(operations, changes), ...endsOfChanges(changes)]) {
    add(at, begin, untilReset(end));
  }
  // By their ends: of some that follow each other, the last in this order is the latest to have happened, as far as anyone can tell.
  const strays = changes
    .filter(({ kind, start }) => kind === 'append' && start === undefined)
    .sort((a, b) => (a.end < b.end ? -1 : Number(a.end > b.end)));
  for (const { source, end, length } of strays) {
    const until = untilReset(end);
    for (const [at, span] of [...spans]) {
      if (source.begin >= span.until || end <= span.from) continue;
      if (spans.size >= endsMax && !spans.has(at + length)) return { ends: new Set(spans.keys()), areAll: false };
      add(at + length, Math.max(span.from, source.begin), until);
    }
  }
  return { ends: new Set(spans.keys()), areAll: true };
}

interface SeenEnd {
  readonly at: number;
  readonly begin: Moment;
  readonly end: Moment;
}

/** Where the file ended for somebody who looked, or appended. */
export function seenEndsOf(operations: readonly FileOperation[], changes: readonly Change[]): SeenEnd[] {
  const seen: SeenEnd[] = [];
  for (const { kind, start, source, end } of changes) {
    if (kind === 'append' && start !== undefined) seen.push({ at: start, begin: source.begin, end });
  }
  for (const { call, outcome, begin, end } of operations) {
    if (outcome.kind !== 'ok') continue;
    const { size, bytes } = outcome.result;
    if (size !== undefined) seen.push({ at: size, begin, end });
    const length = bytes?.length ?? 0;
    if (call.kind === 'read' && length > 0 && length < call.length) seen.push({ at: call.offset + length, begin, end });
  }
  return seen;
}

function endsOfChanges(changes: readonly Change[]): SeenEnd[] {
  return changes.flatMap(({ kind, start, length, source, end }) => {
    const at = kind === 'truncate' ? length : start === undefined ? undefined : start + length;
    return at === undefined ? [] : [{ at, begin: source.begin, end }];
  });
}
