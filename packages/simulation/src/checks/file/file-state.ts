/**
 * The content of a file as runs of bytes, each from one write: immutable, cheap to change, one form only, so that equal
 * contents have equal states.
 */

/** The write that holes are from: zeros. */
export const HOLE = 0;

export interface FileState {
  readonly size: number;
  /**
   * Three numbers for each run, in order, from 0 to the size without gaps: where it ends, the id of its write, and the offset in
   * the file at which position 0 of that write lies (0 for a hole). Neighbours differ in one of the last two.
   */
  readonly runs: readonly number[];
  /** Of size and runs. */
  readonly hash: number;
}

export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly writeId: number;
  /** Where position 0 of the write lies in the file. */
  readonly origin: number;
}

export const EMPTY_FILE: FileState = stateOf([]);

/** The bytes of the piece take their place; what lies between the end and the piece becomes a hole. */
export function writePiece(state: FileState, { start, end, writeId, origin }: Piece): FileState {
  const runs: number[] = [];
  copyRuns(state, 0, start, runs);
  if (start > state.size) push(runs, start, HOLE, 0);
  push(runs, end, writeId, origin);
  copyRuns(state, end, state.size, runs);
  return stateOf(runs);
}

export function truncateTo(state: FileState, length: number): FileState {
  if (length === state.size) return state;
  const runs: number[] = [];
  copyRuns(state, 0, length, runs);
  if (length > state.size) push(runs, length, HOLE, 0);
  return stateOf(runs);
}

export function equalStates(a: FileState, b: FileState): boolean {
  if (a === b) return true;
  if (a.hash !== b.hash || a.runs.length !== b.runs.length) return false;
  for (let index = 0; index < a.runs.length; index += 1) if (a.runs[index] !== b.runs[index]) return false;
  return true;
}

function copyRuns(state: FileState, from: number, to: number, into: number[]): void {
  const { runs } = state;
  for (let index = 0, start = 0; index < runs.length && start < to; index += 3) {
    const end = runs[index]!;
    if (end > from) push(into, Math.min(end, to), runs[index + 1]!, runs[index + 2]!);
    start = end;
  }
}

function push(runs: number[], end: number, writeId: number, origin: number): void {
  const last = runs.length - 3;
  if (end === (last < 0 ? 0 : runs[last])) return;
  if (last >= 0 && runs[last + 1] === writeId && runs[last + 2] === origin) runs[last] = end;
  else runs.push(end, writeId, origin);
}

function stateOf(runs: readonly number[]): FileState {
  let hash = 0;
  for (const value of runs) {
    hash = Math.imul(hash ^ value, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return { size: runs.length === 0 ? 0 : runs[runs.length - 3]!, runs, hash };
}
