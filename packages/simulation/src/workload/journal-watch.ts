/**
 * Looks at the disk of a server that has just read a journal. What a crash left behind the records kept must be gone from
 * stable storage before the server goes on (docs/spec/journal.md, Recovery); room that was never written may stay. A piece of
 * a record that is left shows only at a start much later, when the records written in its place have gone to the state and
 * power fails once more while the segment is being removed: hardly any schedule comes by that.
 */
import type { SimDisk, SimFile, TraceEntry } from '@cairnfs/sim';
import { secondsOf, type Violation } from '../checks/violation.ts';

const SETTLED = 'debug journal segment settled';

export class JournalWatch {
  readonly #diskOf: (host: string) => Pick<SimDisk, 'files'>;
  readonly #note: (violation: Violation) => void;

  constructor(diskOf: (host: string) => Pick<SimDisk, 'files'>, note: (violation: Violation) => void) {
    this.#diskOf = diskOf;
    this.#note = note;
  }

  logged({ atMs, host, event, fields }: TraceEntry): void {
    if (event !== SETTLED) return;
    const path = String(fields.path);
    const end = Number(fields.bytes);
    const file = this.#diskOf(host).files.get(path);
    const left = file === undefined ? 0 : bytesBehind(file, end);
    if (left === 0 && file?.unsyncedCount === 0) return;
    const found =
      file === undefined ? 'it is gone' : `${left} bytes lie behind them, ${file.unsyncedCount} changes are not synced`;
    const summary = `${host} goes on with ${path}, whose records end at ${end}, but ${found}`;
    this.#note({ check: 'journal', summary, details: `at ${secondsOf(atMs)}` });
  }
}

/** Looked at together; a segment is mostly room that was never written. */
const PIECE_BYTES = 16 * 1024;
const ZEROS = new Uint8Array(PIECE_BYTES);
const piece = new Uint8Array(PIECE_BYTES);

/** How many are not zero. */
function bytesBehind(file: SimFile, end: number): number {
  let count = 0;
  for (let at = end; at < file.sizeBytes; at += PIECE_BYTES) {
    const length = file.read(at, piece);
    if (Buffer.compare(piece.subarray(0, length), ZEROS.subarray(0, length)) === 0) continue;
    for (let index = 0; index < length; index += 1) if (piece[index] !== 0) count += 1;
  }
  return count;
}
