/**
 * The bytes of segment headers and record headers, version 2 (docs/spec/journal.md has the grammar and an example).
 * Integers are little-endian. Every record carries its segment's random mark, bound to its own place, and its checksum starts
 * from that of the segment's header. So no bytes but those the journal put there pass for a record: not those of another
 * segment or place, and not data of a user, who cannot know the mark.
 */
import { crc32c, FsError, getU32LE, putU32LE, putU64LE } from '@cairnfs/base';
import { MAX_RECORD_BYTES } from './limits.ts';
import type { Sequence } from './types.ts';

export const SEGMENT_FORMAT_VERSION = 2;
export const SEGMENT_HEADER_BYTES = 64;
export const RECORD_HEADER_BYTES = 40;
/** Records begin at multiples of this, so that a search for later records tries few places. */
export const RECORD_ALIGNMENT = 8;

/** Random bytes of a segment's header; the first eight are its mark, all of them go into its checksums. */
export const SEGMENT_NONCE_BYTES = 16;

const NONCE_OFFSET = 32;
const MAGIC = Buffer.from('CAIRNJNL', 'latin1');
const UINT32_COUNT = 0x1_0000_0000;

export interface SegmentHeader {
  number: number;
  createdWallMs: number;
  nonce: Uint8Array;
}

/** What ties records to their segment. */
export interface SegmentSeal {
  /** Where the checksums of its records start from. */
  readonly checksum: number;
  readonly markLow: number;
  readonly markHigh: number;
}

export function encodeSegmentHeader({ number, createdWallMs, nonce }: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC, 0);
  putU32LE(bytes, 8, SEGMENT_FORMAT_VERSION);
  putU64LE(bytes, 16, number);
  putU64LE(bytes, 24, Math.max(0, Math.floor(createdWallMs)));
  bytes.set(nonce.subarray(0, SEGMENT_NONCE_BYTES), NONCE_OFFSET);
  putU32LE(bytes, 60, crc32c(bytes.subarray(0, 60)));
  return bytes;
}

export function sealOf(header: Uint8Array): SegmentSeal {
  return {
    checksum: crc32c(header.subarray(0, SEGMENT_HEADER_BYTES)),
    markLow: getU32LE(header, NONCE_OFFSET),
    markHigh: getU32LE(header, NONCE_OFFSET + 4),
  };
}

/** Throws `DAMAGED` when the bytes are not the header of segment `number`. */
export function checkSegmentHeader(bytes: Uint8Array, { path, number }: { path: string; number: number }): void {
  const fault = segmentHeaderFault(bytes, number);
  if (fault === undefined) return;
  throw new FsError('DAMAGED', `The journal segment ${path} is damaged at offset 0: ${fault}. ${WHAT_TO_DO}`, {
    details: { path, offset: 0 },
  });
}

/** The last sentence of every refusal. */
export const WHAT_TO_DO =
  'Nothing was changed. Keep the directory for examination, then either restore it from a backup, or, if other servers ' +
  'hold replicas of what it held, start this server with an empty directory.';

function segmentHeaderFault(bytes: Uint8Array, number: number): string | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return `its ${bytes.length} bytes are no header`;
  if (Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) !== 0) return 'it does not begin with CAIRNJNL';
  if (getU32LE(bytes, 60) !== crc32c(bytes.subarray(0, 60))) return 'the checksum of its header does not match';
  const version = getU32LE(bytes, 8);
  if (version !== SEGMENT_FORMAT_VERSION)
    return `it has format version ${version}, this program reads ${SEGMENT_FORMAT_VERSION}`;
  const named = uint64(bytes, 16);
  return named === number ? undefined : `its header says segment ${named}, its name says ${number}`;
}

/**
 * @param durable every record up to this one was on stable storage before the batch of this record was written; so
 *   the first record of a batch has `sequence - 1`.
 * @param dataBytes how many of the payload's last bytes are the part called data
 */
export interface RecordHeader {
  checksum: number;
  recordBytes: number;
  dataBytes: number;
  previousChecksum: number;
  sequence: Sequence;
  durable: Sequence;
}

/** Where a record lies, and in which segment. */
export interface RecordPlace {
  readonly seal: SegmentSeal;
  /** In the segment. */
  readonly position: number;
}

/** Writes all but the checksum, which covers the rest of the header and the payload. */
export function putRecordHeader(
  target: Uint8Array,
  offset: number,
  header: Omit<RecordHeader, 'checksum'> & RecordPlace,
): void {
  putU32LE(target, offset + 4, header.recordBytes);
  putU64LE(target, offset + 8, header.sequence);
  putU32LE(target, offset + 16, header.previousChecksum);
  putU32LE(target, offset + 20, header.dataBytes);
  putU64LE(target, offset + 24, header.durable);
  const { seal, position } = header;
  putU32LE(target, offset + 32, (seal.markLow ^ position) >>> 0);
  putU32LE(target, offset + 36, seal.markHigh);
}

/** Header, payload and the padding to the next record. */
export function recordSpace(payloadBytes: number): number {
  return Math.ceil((RECORD_HEADER_BYTES + payloadBytes) / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** The record at `offset` of the segment `bytes`, or undefined when what stands there is none. */
export function recordAt(bytes: Uint8Array, offset: number, seal: SegmentSeal): RecordHeader | undefined {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined;
  const isMarked =
    getU32LE(bytes, offset + 32) === (seal.markLow ^ offset) >>> 0 && getU32LE(bytes, offset + 36) === seal.markHigh;
  if (!isMarked) return undefined;
  const recordBytes = getU32LE(bytes, offset + 4);
  const dataBytes = getU32LE(bytes, offset + 20);
  const payloadBytes = recordBytes + dataBytes;
  if (payloadBytes > MAX_RECORD_BYTES || offset + RECORD_HEADER_BYTES + payloadBytes > bytes.length) return undefined;
  const sequence = uint64(bytes, offset + 8);
  const durable = uint64(bytes, offset + 24);
  if (sequence === 0 || durable >= sequence || sequence > Number.MAX_SAFE_INTEGER) return undefined;
  const checksum = getU32LE(bytes, offset);
  const covered = bytes.subarray(offset + 4, offset + RECORD_HEADER_BYTES + payloadBytes);
  if (crc32c(covered, seal.checksum) !== checksum) return undefined;
  return { checksum, recordBytes, dataBytes, previousChecksum: getU32LE(bytes, offset + 16), sequence, durable };
}

/** Unlike base's `getU64LE` does not refuse large values: any bytes may stand where a record is looked for. */
function uint64(bytes: Uint8Array, offset: number): number {
  return getU32LE(bytes, offset + 4) * UINT32_COUNT + getU32LE(bytes, offset);
}
