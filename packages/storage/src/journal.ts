/**
 * The journal being written: group commit into prepared segments. Invariants: one write and one sync under way at a time,
 * in order; a batch is written only when the one before it is durable; a record never straddles segments; a record is
 * taken only when room for it is already on disk, so that a full disk refuses records instead of tearing them; a common
 * record is taken only when `RESERVED_SEGMENTS` whole segments are on disk behind it.
 */
import { assert, type Clock, DiskError, FsError, type Log } from '@cairnfs/base';
import type { ChainPoint, RecoveredJournal, SealedSegment } from './journal-recovery.ts';
import { JOURNAL_QUEUE_BYTES_MAX, type JournalSizing, PREPARE_RETRY_MS, RESERVED_SEGMENTS } from './limits.ts';
import { RecordBatch, Slab } from './record-batch.ts';
import { recordSpace, SEGMENT_HEADER_BYTES } from './record-format.ts';
import type { OpenSegment, SegmentFiles } from './segment-files.ts';
import type { JournalRoom, Sequence } from './types.ts';

export interface JournalOptions {
  clock: Clock;
  log: Log;
  files: SegmentFiles;
  recovered: RecoveredJournal;
  sizing: JournalSizing;
  /** Runs each time more records are durable. */
  onDurable: (through: Sequence) => void;
  /** Runs once; nothing becomes durable afterwards. */
  onFailure: (error: unknown) => void;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #slab = new Slab();
  readonly #ready: OpenSegment[] = [];
  readonly #batches: RecordBatch[] = [];
  #sealed: (SealedSegment & { file?: OpenSegment['file'] })[];
  #current: OpenSegment | undefined;
  #position = 0;
  #end: ChainPoint;
  #nextNumber: number;
  #queuedBytes = 0;
  #isWriting = false;
  /** The writes of batches under way. */
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #isClosing = false;
  #preparing: Promise<void> | undefined;
  /** Why the next segment could not be prepared, and when it is tried again. */
  #refusal: { readonly isFull: boolean; readonly retryAtMs: number } | undefined;
  #idle: (() => void)[] = [];

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#sealed = options.recovered.segments.map((segment) => ({ ...segment }));
    this.#end = options.recovered.end;
    const last = options.recovered.reusable.at(-1) ?? this.#sealed.at(-1);
    this.#nextNumber = (last?.number ?? 0) + 1;
  }

  /**
   * Goes on in the segments that recovery left, and prepares what is missing; a full disk is no failure, records are then
   * refused until there is room.
   */
  async start(): Promise<void> {
    const { files, recovered } = this.#options;
    for (const { number, seal, end } of recovered.reusable) {
      const segment = await files.open(number, seal);
      if (end === SEGMENT_HEADER_BYTES) {
        this.#ready.push(segment);
      } else {
        this.#current = segment;
        this.#position = end;
      }
    }
    for (this.#prepareAhead(); this.#preparing !== undefined; this.#prepareAhead()) await this.#preparing;
  }

  get end(): ChainPoint {
    return this.#end;
  }

  get bytes(): number {
    return this.#sealed.reduce((sum, { bytes }) => sum + bytes, this.#position);
  }

  get segmentCount(): number {
    return this.#sealed.length + this.#ready.length + (this.#current === undefined ? 0 : 1);
  }

  /**
   * Makes sure that a record of this size can be appended in this tick.
   *
   * @throws FsError OVERLOADED  too much waits for the disk, or the next segment is not ready yet.
   * @throws FsError NO_SPACE  the disk has no room for the next segment.
   */
  checkRoom(payloadBytes: number, room: JournalRoom): void {
    const space = recordSpace(payloadBytes);
    if (this.#queuedBytes + space > JOURNAL_QUEUE_BYTES_MAX) {
      const message = `The journal in ${this.#options.files.directory} has ${this.#queuedBytes} bytes waiting for the disk: try again shortly.`;
      throw new FsError('OVERLOADED', message);
    }
    const kept = room === 'reserve' ? 0 : RESERVED_SEGMENTS;
    const left = this.#ready.length - (this.#fitsCurrent(space) ? 0 : 1);
    if (left >= kept) return;
    this.#prepareAhead({ isWanted: true });
    const { directory } = this.#options.files;
    if (this.#refusal?.isFull !== true) {
      throw new FsError('OVERLOADED', `The journal in ${directory} is preparing its next segment: try again shortly.`);
    }
    const message = `The disk of ${directory} has no room for the next journal segment (${this.#options.sizing.segmentBytes} bytes): free some space; it is tried again by itself.`;
    throw new FsError('NO_SPACE', message);
  }

  /** Takes a record for which `checkRoom` has just passed. Parts above a few KiB are not copied: leave them unchanged until durable. */
  append(parts: readonly Uint8Array[], recordBytes: number, dataBytes: number): ChainPoint {
    const space = recordSpace(recordBytes + dataBytes);
    if (!this.#fitsCurrent(space)) this.#nextSegment();
    const sequence = this.#end.sequence + 1;
    const batch = this.#openBatch(sequence);
    const previousChecksum = this.#end.checksum;
    const checksum = batch.add({ sequence, previousChecksum, parts, recordBytes, dataBytes });
    this.#position += space;
    this.#queuedBytes += space;
    this.#end = { sequence, checksum };
    if (!this.#isWriting) {
      this.#isWriting = true;
      // What the caller sends in this tick leaves first: at other servers the same record is written meanwhile.
      queueMicrotask(() => {
        this.#options.clock.soon(() => {
          this.#writing = this.#writeBatches();
        });
      });
    }
    this.#prepareAhead();
    return this.#end;
  }

  /** Removes the segments that hold nothing after `through`. */
  async dropThrough(through: Sequence): Promise<void> {
    while (this.#sealed.length > 0 && this.#sealed[0]!.lastSequence <= through) {
      // With no segment left a later start could not tell that one is missing.
      if (this.#current === undefined && this.#ready.length === 0 && this.#sealed.length === 1) return;
      const segment = this.#sealed[0]!;
      await segment.file?.close();
      delete segment.file;
      await this.#options.files.remove(segment.number);
      this.#sealed.shift();
    }
  }

  hasSegmentThrough(through: Sequence): boolean {
    return this.#sealed.length > 0 && this.#sealed[0]!.lastSequence <= through;
  }

  /** Resolves when nothing waits for the disk, or never will reach it. */
  whenIdle(): Promise<void> {
    if (!this.#isWriting || this.#hasFailed) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** The caller appends nothing any more and has waited for `whenIdle`. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#preparing;
    await this.#writing; // also when it has failed otherwise: a descriptor closed under a write may be another file's by then
    for (const { file } of this.#sealed) await file?.close();
    for (const { file } of this.#ready) await file.close();
    await this.#current?.file.close();
  }

  #fitsCurrent(space: number): boolean {
    return this.#current !== undefined && this.#position + space <= this.#options.sizing.segmentBytes;
  }

  #nextSegment(): void {
    const next = this.#ready.shift();
    assert(next !== undefined, 'a record was appended without room for it');
    if (this.#current !== undefined) {
      const { number, file } = this.#current;
      this.#sealed.push({ number, file, bytes: this.#position, lastSequence: this.#end.sequence });
    }
    this.#current = next;
    this.#position = SEGMENT_HEADER_BYTES;
  }

  /** The batch that takes the next record: the last one, unless it is being written or lies in another segment. */
  #openBatch(sequence: Sequence): RecordBatch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.segment === this.#current) return last;
    const batch = new RecordBatch(this.#slab, this.#current!, this.#position, sequence);
    this.#batches.push(batch);
    return batch;
  }

  async #writeBatches(): Promise<void> {
    try {
      for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
        await batch.segment.file.write(batch.position, batch.buffers());
        await batch.segment.file.sync();
        this.#queuedBytes -= batch.bytes;
        this.#options.onDurable(batch.lastSequence);
      }
      this.#isWriting = false;
    } catch (error) {
      this.#fail(error);
    }
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true; // `#isWriting` stays set: nothing is written any more
    this.#isWriting = true;
    this.#options.onFailure(error);
  }

  /** @param isWanted a record waits for a segment, however much room there is ahead for shorter ones. */
  #prepareAhead({ isWanted } = { isWanted: false }): void {
    if (this.#preparing !== undefined || this.#isClosing || this.#hasFailed) return;
    const { segmentBytes, roomAheadBytes } = this.#options.sizing;
    const roomInCurrent = this.#current === undefined ? 0 : segmentBytes - this.#position;
    const roomAhead = roomInCurrent + (this.#ready.length - RESERVED_SEGMENTS) * segmentBytes;
    if (roomAhead >= roomAheadBytes && !isWanted) return;
    if (this.#refusal !== undefined && this.#options.clock.nowMs() < this.#refusal.retryAtMs) return;
    this.#preparing = this.#prepare();
  }

  async #prepare(): Promise<void> {
    try {
      const segment = await this.#options.files.prepare(this.#nextNumber);
      this.#nextNumber++;
      this.#ready.push(segment);
      this.#refusal = undefined;
    } catch (error) {
      if (error instanceof DiskError && (error.isFull || error.isShortage)) {
        const { clock, files, log, sizing } = this.#options;
        this.#refusal = { isFull: error.isFull, retryAtMs: clock.nowMs() + PREPARE_RETRY_MS };
        const facts = { directory: files.directory, bytes: sizing.segmentBytes, error: error.message };
        log.warn('the next journal segment could not be prepared yet', facts);
      } else {
        this.#fail(error);
      }
    }
    this.#preparing = undefined;
  }
}
