/**
 * A file as the checker sees it: changes that are atomic, and observations that are. What a client asked for is cut into
 * these by `file-intervals.ts`.
 *
 * The promises (docs/protocol.md, docs/spec/mutations.md, namespace.md), as strict as they can be read:
 * - a write takes effect chunk by chunk, in order of offset, each part at once; beyond the end it leaves a hole of zeros, and
 *   where a part begins in a later chunk than that of the end, the file first grows to the start of that chunk;
 * - a record is appended whole, at what is the end of the file at that moment;
 * - a put replaces the whole content at once; a truncation cuts or extends it at once;
 * - a read sees the size at one moment and the bytes of each chunk at one moment, all after it began and before it ended.
 *
 * Of more than 1 MiB each is promised only for pieces of at most that: the chunks of a run are no longer.
 */
import type { Model } from '../linearizability/model.ts';
import type { Contents } from './contents.ts';
import { EMPTY_FILE, equalStates, type FileState, type Piece, truncateTo, writePiece } from './file-state.ts';

export type FileStep =
  | { readonly kind: 'write'; readonly piece: Piece }
  /** Bytes of a write from `position` on; `offset`: where they went, when that is known. */
  | {
      readonly kind: 'append';
      readonly writeId: number;
      readonly position: number;
      readonly length: number;
      readonly offset: number | undefined;
    }
  | { readonly kind: 'put'; readonly writeId: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly length: number }
  /** The size is at least `length` from then on. */
  | { readonly kind: 'grow'; readonly length: number }
  /** The size was from `atLeast` to `atMost`. */
  | { readonly kind: 'size'; readonly atLeast: number; readonly atMost: number }
  | Seen;

/** Bytes that were in the file at one moment: `bytes` starts at `offset`, `ranges` (start, end, ...) are offsets in the file. */
export interface Seen {
  readonly kind: 'seen';
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly ranges: readonly number[];
  /** Where a state last differed from it: looked at first next time. */
  doubt: { start: number; end: number };
}

export class FileModel implements Model<FileState, FileStep> {
  readonly initial = EMPTY_FILE;
  readonly #contents: Contents;
  readonly #known = new Map<number, { readonly state: FileState; readonly key: number }[]>();
  #keys = 0;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  step(state: FileState, step: FileStep): readonly FileState[] | undefined {
    switch (step.kind) {
      case 'write':
        return [writePiece(state, step.piece)];
      case 'append': {
        if (step.offset !== undefined && step.offset !== state.size) return undefined;
        const { writeId, position, length } = step;
        const start = state.size;
        return [writePiece(state, { start, end: start + length, writeId, origin: start - position })];
      }
      case 'put':
        return [writePiece(EMPTY_FILE, { start: 0, end: step.length, writeId: step.writeId, origin: 0 })];
      case 'truncate':
        return [truncateTo(state, step.length)];
      case 'grow':
        return [state.size < step.length ? truncateTo(state, step.length) : state];
      case 'size':
        return step.atLeast <= state.size && state.size <= step.atMost ? [state] : undefined;
      case 'seen':
        return this.#shows(state, step) ? [state] : undefined;
    }
  }

  /** A number for each content that came up. */
  key(state: FileState): number {
    const alike = this.#known.get(state.hash);
    const known = alike?.find((other) => equalStates(other.state, state));
    if (known !== undefined) return known.key;
    this.#keys += 1;
    const entry = { state, key: this.#keys };
    if (alike === undefined) this.#known.set(state.hash, [entry]);
    else alike.push(entry);
    return entry.key;
  }

  isObserver({ kind }: FileStep): boolean {
    return kind === 'seen' || kind === 'size';
  }

  #shows(state: FileState, seen: Seen): boolean {
    const { ranges, doubt } = seen;
    if (doubt.end > doubt.start && !this.#showsRange(state, seen, doubt.start, doubt.end)) return false;
    for (let index = 0; index < ranges.length; index += 2) {
      if (!this.#showsRange(state, seen, ranges[index]!, ranges[index + 1]!)) return false;
    }
    return true;
  }

  #showsRange(state: FileState, seen: Seen, start: number, end: number): boolean {
    if (end > state.size) return false;
    const { runs } = state;
    let runStart = 0;
    for (let index = 0; runStart < end; index += 3) {
      const runEnd = runs[index]!;
      if (runEnd > start) {
        const from = Math.max(start, runStart);
        const to = Math.min(end, runEnd);
        const position = from - runs[index + 2]!;
        if (!this.#contents.equal(seen.bytes, from - seen.offset, to - seen.offset, runs[index + 1]!, position)) {
          seen.doubt = { start: from, end: to };
          return false;
        }
      }
      runStart = runEnd;
    }
    return true;
  }
}
