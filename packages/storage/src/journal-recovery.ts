/**
 * Reads a journal after a start. The chain of records is followed from the first segment on: consecutive sequence numbers, each naming
 * the checksum of the one before. Where it ends, all that is left is searched for records: one that was written after
 * the missing record was durable proves damage, and the journal is refused; otherwise what is there was never
 * acknowledged, and is cut off durably before anything new is written (docs/spec/journal.md, Recovery). Segments with
 * nothing but zeros behind the chain go on as they are: on a full disk no others could be made.
 */
import { type Disk, FsError, type Log } from '@cairnfs/base';
import {
  checkSegmentHeader,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  recordAt,
  recordSpace,
  SEGMENT_HEADER_BYTES,
  type SegmentSeal,
  sealOf,
  WHAT_TO_DO,
} from './record-format.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { Sequence } from './types.ts';

const ZEROS = new Uint8Array(64 * 1024);

/** A position in the chain: the last record up to which something is complete. */
export interface ChainPoint {
  sequence: Sequence;
  checksum: number;
}

/** A segment that takes no more records; it may go when the store has flushed through `lastSequence`. */
export interface SealedSegment {
  number: number;
  bytes: number;
  lastSequence: Sequence;
}

/** A segment of full size with nothing but zeros behind `end`. */
export interface ReusableSegment {
  number: number;
  seal: SegmentSeal;
  /** Where the next record may go. */
  end: number;
}

export interface RecoveredJournal {
  end: ChainPoint;
  segments: SealedSegment[];
  /** The newest ones, behind `segments`; all but the first hold no record. */
  reusable: ReusableSegment[];
}

export interface RecoveryOptions {
  disk: Disk;
  log: Log;
  files: SegmentFiles;
  /** The last record whose effects the store holds. */
  applied: ChainPoint;
  /** Runs for every record after `applied`, in order; the arrays are its own. */
  replay: (record: Uint8Array, data: Uint8Array | undefined, point: ChainPoint) => void;
}

/** Where the chain stands in one segment. */
interface Scan {
  number: number;
  path: string;
  seal: SegmentSeal;
  sizeBytes: number;
  /** End of the last record of the chain. */
  end: number;
  /** Something was written behind it: records that were never acknowledged, whole or in part. */
  isTorn: boolean;
  lastSequence: Sequence;
  /** The chain's last batch in it: read back, but not proven to have been synced. */
  lastBatch: { position: number; bytes: Uint8Array };
}

export async function recoverJournal(options: RecoveryOptions): Promise<RecoveredJournal> {
  const { files, applied } = options;
  const numbers = await files.list();
  if (numbers.length === 0 && applied.sequence > 0) {
    throw damaged(
      files.directory,
      0,
      `it has no segment, but the state beside it holds records up to ${applied.sequence}`,
    );
  }
  const scans: Scan[] = [];
  let point: ChainPoint | undefined;
  let missingAt = { path: files.directory, offset: 0 };
  let memory: Uint8Array | undefined; // one for all segments: nothing of it is kept
  for (const number of numbers) {
    const path = files.path(number);
    const bytes = await readWhole(options.disk, path, memory);
    memory = new Uint8Array(bytes.buffer);
    checkSegmentHeader(bytes, { path, number });
    const seal = sealOf(bytes);
    const walk = followChain({ bytes, seal, path }, point, options);
    // An unused end is no end of the chain: it may go on in the next segment, so the place of the next record moves only with the chain.
    if (walk.point !== point || scans.length === 0) missingAt = { path, offset: walk.end };
    point = walk.point;
    const isTorn = !isBlank(bytes, walk.end);
    const missing = { missing: (point ?? applied).sequence + 1, at: missingAt };
    if (isTorn) checkNoLaterRecord({ bytes, seal, path }, walk.end, missing);
    scans.push({
      number,
      path,
      seal,
      sizeBytes: bytes.length,
      end: walk.end,
      isTorn,
      lastSequence: (point ?? applied).sequence,
      lastBatch: { position: walk.batchStart, bytes: bytes.slice(walk.batchStart, walk.end) },
    });
  }
  if (point !== undefined && point.sequence < applied.sequence) {
    const fault = `record ${point.sequence + 1} is missing, but the state beside it holds records up to ${applied.sequence}`;
    throw damaged(missingAt.path, missingAt.offset, fault);
  }
  const reusable = findReusable(scans, files.segmentBytes);
  await settle(options, scans, reusable);
  const ended = scans.slice(0, scans.length - reusable.length);
  return {
    end: point ?? applied,
    segments: ended.map(({ number, end, lastSequence }) => ({ number, bytes: end, lastSequence })),
    reusable: reusable.map(({ number, seal, end }) => ({ number, seal, end })),
  };
}

/** From the newest back to the one with the last record, as long as each is whole and blank behind the chain. */
function findReusable(scans: readonly Scan[], segmentBytes: number): Scan[] {
  let first = scans.length;
  for (; first > 0; first--) {
    const { isTorn, sizeBytes, end } = scans[first - 1]!;
    if (isTorn || sizeBytes !== segmentBytes) break;
    if (end > SEGMENT_HEADER_BYTES) return scans.slice(first - 1);
  }
  return scans.slice(first);
}

interface SegmentBytes {
  bytes: Uint8Array;
  seal: SegmentSeal;
  path: string;
}

/** Replays the records of one segment that continue the chain. */
function followChain(
  { bytes, seal, path }: SegmentBytes,
  start: ChainPoint | undefined,
  { applied, replay }: RecoveryOptions,
): { point: ChainPoint | undefined; end: number; batchStart: number } {
  let point = start;
  let end = SEGMENT_HEADER_BYTES;
  let batchStart = end;
  for (;;) {
    const header = recordAt(bytes, end, seal);
    if (header === undefined || !continues(header, point, applied)) return { point, end, batchStart };
    const { sequence, checksum, recordBytes, dataBytes } = header;
    if (sequence === applied.sequence && checksum !== applied.checksum) {
      throw damaged(path, end, `record ${sequence} is not the one that the state beside it holds`);
    }
    if (header.durable === sequence - 1) batchStart = end;
    point = { sequence, checksum };
    if (sequence > applied.sequence) {
      const payload = bytes.slice(end + RECORD_HEADER_BYTES, end + RECORD_HEADER_BYTES + recordBytes + dataBytes);
      const data = dataBytes === 0 ? undefined : payload.subarray(recordBytes);
      replay(payload.subarray(0, recordBytes), data, point);
    }
    end += recordSpace(recordBytes + dataBytes);
  }
}

function continues(header: RecordHeader, point: ChainPoint | undefined, applied: ChainPoint): boolean {
  if (point !== undefined) {
    return header.sequence === point.sequence + 1 && header.previousChecksum === point.checksum;
  }
  // The oldest record kept: what came before it is in the state.
  if (header.sequence <= applied.sequence) return true;
  return header.sequence === applied.sequence + 1 && header.previousChecksum === applied.checksum;
}

/**
 * Sectors of a batch that was never synced reach the disk in any order, so a whole record behind a broken one is no
 * proof of damage by itself. It is one if the missing record was durable when it was written.
 */
function checkNoLaterRecord(
  { bytes, seal, path }: SegmentBytes,
  from: number,
  { missing, at }: { missing: Sequence; at: { path: string; offset: number } },
): void {
  for (let offset = from; offset + RECORD_HEADER_BYTES <= bytes.length; offset += RECORD_ALIGNMENT) {
    const header = recordAt(bytes, offset, seal);
    if (header === undefined || (header.sequence > missing && header.durable < missing)) continue;
    const fault = `record ${missing} is missing or broken there, but record ${header.sequence} follows in ${path} at offset ${offset}`;
    throw damaged(at.path, at.offset, fault);
  }
}

/**
 * Makes what was found the truth for every later start: the last batch is written again, because pages that a failed
 * sync left in memory read well and may never reach the disk, and what follows the chain in a segment that takes no more
 * records is cut off.
 */
async function settle(
  { disk, log }: RecoveryOptions,
  scans: readonly Scan[],
  reusable: readonly Scan[],
): Promise<void> {
  const last = scans.findLast(({ end }) => end > SEGMENT_HEADER_BYTES);
  for (const scan of scans) {
    const isCut = !reusable.includes(scan) && scan.sizeBytes > scan.end;
    if (scan !== last && !isCut) continue;
    const file = await disk.open(scan.path, 'readWrite');
    try {
      if (scan === last) await file.write(scan.lastBatch.position, [scan.lastBatch.bytes]);
      if (isCut) await file.truncate(scan.end);
      await file.sync();
    } finally {
      await file.close();
    }
    const { path, end, isTorn, sizeBytes } = scan;
    log.debug('journal segment settled', { path, bytes: end, cutBytes: isCut ? sizeBytes - end : 0, isTorn });
  }
}

/** Whether all is zero from there on, as room made ahead is. */
function isBlank(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) return false;
  }
  return true;
}

/** Into `memory` when it is large enough. */
async function readWhole(disk: Disk, path: string, memory?: Uint8Array): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    const sizeBytes = await file.size();
    const bytes =
      memory !== undefined && memory.length >= sizeBytes ? memory.subarray(0, sizeBytes) : new Uint8Array(sizeBytes);
    const count = await file.read(0, bytes);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

function damaged(path: string, offset: number, fault: string): FsError {
  const message = `The journal is damaged in ${path} at offset ${offset}: ${fault}. ${WHAT_TO_DO}`;
  return new FsError('DAMAGED', message, { details: { path, offset } });
}
