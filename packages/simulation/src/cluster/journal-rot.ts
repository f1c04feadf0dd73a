/**
 * Bits that flip at rest in a server's journal, in a record of which a later one, durable itself, says that it was durable.
 * The last two batches are spared: one that is broken in the last batch cannot be told from one that was never synced
 * (docs/spec/journal.md, Recovery), and that batch may be torn already, or go with the next loss of power. Records are found
 * by what that page says of their format, and not by the code that is put to the test.
 */
import { getU32LE } from '@cairnfs/base';
import type { SimDisk, SimFile } from '@cairnfs/sim';
import { bitsToFlip } from './bit-rot.ts';

/** A segment's path; the newest one sorts last. */
const SEGMENT = /\/segment-\d+\.journal$/;
const SEGMENT_HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 40;
const RECORD_ALIGNMENT = 8;

export interface RottenRecord {
  readonly path: string;
  readonly sequence: number;
  /** The bits are as they were, where the record has not gone since: with the disk, with its segment, or cut off. */
  readonly mend: () => void;
}

interface JournalRecord {
  readonly path: string;
  readonly file: SimFile;
  readonly position: number;
  /** Header and payload, without the padding. */
  readonly sizeBytes: number;
  readonly sequence: number;
  /** All up to this one were synced before it was written. */
  readonly durable: number;
}

/**
 * @param folder of the disk: one of several of that machine, or '' for all there is.
 * @param choice a ratio, which picks a record and where its bits flip.
 * @returns undefined when there is no such record.
 */
export function rotJournal(
  disk: SimDisk,
  { folder, choice, bits }: { folder: string; choice: number; bits: number },
): RottenRecord | undefined {
  const prefix = folder === '' ? '' : `${folder}/`;
  const records = [...disk.files]
    .filter(([path]) => path.startsWith(prefix) && SEGMENT.test(path))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, file]) => recordsOf(path, file));
  const witnesses = upTo(durableThrough(records), records);
  const candidates = upTo(durableThrough(witnesses), records);
  const record = candidates[Math.floor(choice * candidates.length)];
  if (record === undefined) return undefined;
  const { path, file, position, sizeBytes, sequence } = record;
  const flip = () => {
    for (const bitIndex of bitsToFlip(sizeBytes, { choice, bits })) file.flipBit(position * 8 + bitIndex);
  };
  flip();
  const mend = () => {
    if (disk.files.get(path) === file && file.sizeBytes >= position + sizeBytes) flip();
  };
  return { path, sequence, mend };
}

function durableThrough(witnesses: readonly JournalRecord[]): number {
  return Math.max(0, ...witnesses.map(({ durable }) => durable));
}

function upTo(last: number, records: readonly JournalRecord[]): JournalRecord[] {
  return records.filter(({ sequence }) => sequence <= last);
}

/** Those of a segment, up to where what stands there is not the next one. */
function recordsOf(path: string, file: SimFile): JournalRecord[] {
  const bytes = new Uint8Array(file.sizeBytes);
  file.read(0, bytes);
  const records: JournalRecord[] = [];
  let position = SEGMENT_HEADER_BYTES;
  while (position + RECORD_HEADER_BYTES <= bytes.length) {
    const payloadBytes = getU32LE(bytes, position + 4) + getU32LE(bytes, position + 20);
    // A simulated run has few records: the upper halves of these are 0.
    const sequence = getU32LE(bytes, position + 8);
    const durable = getU32LE(bytes, position + 24);
    const sizeBytes = RECORD_HEADER_BYTES + payloadBytes;
    const isNext = sequence === (records.at(-1)?.sequence ?? sequence - 1) + 1;
    if (sequence === 0 || durable >= sequence || !isNext || position + sizeBytes > bytes.length) break;
    records.push({ path, file, position, sizeBytes, sequence, durable });
    position += Math.ceil(sizeBytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
  }
  return records;
}
