/**
 * Records that go to the disk in one write. Headers and small parts are laid out one after another in a slab; a large
 * part goes by reference. Checksums are final when a record is added: a record names as durable all that came
 * before its batch, because a batch is written only when the one before it was synced.
 */
import { crc32c, putU32LE } from '@cairnfs/base';
import { COPIED_PART_BYTES_MAX, FIRST_SLAB_BYTES, SLAB_BYTES } from './limits.ts';
import { putRecordHeader, RECORD_HEADER_BYTES, recordSpace } from './record-format.ts';
import type { OpenSegment } from './segment-files.ts';
import type { Sequence } from './types.ts';

export interface BatchRecord {
  sequence: Sequence;
  previousChecksum: number;
  /** The record's parts, then the data's. */
  parts: readonly Uint8Array[];
  recordBytes: number;
  dataBytes: number;
}

/** Memory for headers and small parts, shared by the batches of one journal. */
export class Slab {
  #bytes = Buffer.allocUnsafeSlow(FIRST_SLAB_BYTES);
  #used = 0;

  /** The slab with room for `length` more bytes, and where they begin. */
  reserve(length: number): { bytes: Buffer; offset: number } {
    // A full slab is left to the batches that still refer to it; each is larger than the one before, up to `SLAB_BYTES`.
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(Math.min(2 * this.#bytes.length, SLAB_BYTES));
      this.#used = 0;
    }
    const offset = this.#used;
    this.#used += length;
    return { bytes: this.#bytes, offset };
  }
}

export class RecordBatch {
  readonly segment: OpenSegment;
  readonly position: number;
  readonly firstSequence: Sequence;
  lastSequence: Sequence = 0;
  bytes = 0;
  readonly #slab: Slab;
  readonly #buffers: Uint8Array[] = [];
  /** The run of slab bytes not yet among the buffers. */
  #run: { bytes: Buffer; start: number; end: number } | undefined;

  constructor(slab: Slab, segment: OpenSegment, position: number, firstSequence: Sequence) {
    this.#slab = slab;
    this.segment = segment;
    this.position = position;
    this.firstSequence = firstSequence;
  }

  /** @returns the record's checksum, which the next record names. */
  add({ sequence, previousChecksum, parts, recordBytes, dataBytes }: BatchRecord): number {
    const payloadBytes = recordBytes + dataBytes;
    const space = recordSpace(payloadBytes);
    const isSmall = payloadBytes <= COPIED_PART_BYTES_MAX;
    const { bytes: slab, offset } = this.#slab.reserve(isSmall ? space : RECORD_HEADER_BYTES);
    putRecordHeader(slab, offset, {
      recordBytes,
      dataBytes,
      previousChecksum,
      sequence,
      durable: this.firstSequence - 1,
      seal: this.segment.seal,
      position: this.position + this.bytes,
    });
    const checksum = isSmall
      ? this.#addSmall(slab, offset, { parts, payloadBytes, space })
      : this.#addLarge(slab, offset, { parts, payloadBytes, space });
    putU32LE(slab, offset, checksum);
    this.lastSequence = sequence;
    this.bytes += space;
    return checksum;
  }

  /** What to write at `position`; the batch takes no more records. */
  buffers(): readonly Uint8Array[] {
    this.#endRun();
    return this.#buffers;
  }

  #addSmall(slab: Buffer, offset: number, { parts, payloadBytes, space }: Payload): number {
    let at = offset + RECORD_HEADER_BYTES;
    for (const part of parts) {
      slab.set(part, at);
      at += part.length;
    }
    slab.fill(0, at, offset + space);
    this.#extendRun(slab, offset, offset + space);
    const covered = slab.subarray(offset + 4, offset + RECORD_HEADER_BYTES + payloadBytes);
    return crc32c(covered, this.segment.seal.checksum);
  }

  #addLarge(slab: Buffer, offset: number, { parts, payloadBytes, space }: Payload): number {
    this.#extendRun(slab, offset, offset + RECORD_HEADER_BYTES);
    let checksum = crc32c(slab.subarray(offset + 4, offset + RECORD_HEADER_BYTES), this.segment.seal.checksum);
    this.#endRun();
    for (const part of parts) {
      if (part.length === 0) continue;
      checksum = crc32c(part, checksum);
      this.#buffers.push(part);
    }
    const paddingBytes = space - RECORD_HEADER_BYTES - payloadBytes;
    if (paddingBytes > 0) this.#buffers.push(padding.subarray(0, paddingBytes));
    return checksum;
  }

  #extendRun(bytes: Buffer, start: number, end: number): void {
    if (this.#run?.bytes === bytes && this.#run.end === start) {
      this.#run.end = end;
      return;
    }
    this.#endRun();
    this.#run = { bytes, start, end };
  }

  #endRun(): void {
    if (this.#run !== undefined) this.#buffers.push(this.#run.bytes.subarray(this.#run.start, this.#run.end));
    this.#run = undefined;
  }
}

type Payload = { parts: readonly Uint8Array[]; payloadBytes: number; space: number };

const padding = new Uint8Array(8);
