/**
 * The files of a journal. A segment is prepared under another name, filled with zeros, synced, and only then gets its
 * own: so a file named as a segment always has a whole header, and appending to it changes no file system metadata.
 * Numbers are consecutive and never used twice; files go oldest first, each durably before the next.
 */
import { type Clock, type Disk, DiskError, type DiskFile, FsError, type Log, type Random } from '@cairnfs/base';
import { PREPARE_STEP_BYTES } from './limits.ts';
import { encodeSegmentHeader, SEGMENT_NONCE_BYTES, type SegmentSeal, sealOf, WHAT_TO_DO } from './record-format.ts';

const NAME_PATTERN = /^segment-(\d{12})\.journal$/;
const PREPARING_NAME = 'preparing';
const zeros = new Uint8Array(PREPARE_STEP_BYTES);

export interface OpenSegment {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  readonly seal: SegmentSeal;
}

export interface SegmentFilesOptions {
  seams: { clock: Clock; disk: Disk; log: Log; random: Random };
  directory: string;
  segmentBytes: number;
}

export class SegmentFiles {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: Random;

  constructor({ seams, directory, segmentBytes }: SegmentFilesOptions) {
    this.directory = directory;
    this.segmentBytes = segmentBytes;
    this.#disk = seams.disk;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#random = seams.random;
  }

  path(number: number): string {
    return `${this.directory}/segment-${String(number).padStart(12, '0')}.journal`;
  }

  /** The numbers of all segments, rising; throws `DAMAGED` when one between them is missing. */
  async list(): Promise<number[]> {
    const numbers: number[] = [];
    for (const name of await this.#disk.list(this.directory)) {
      const match = NAME_PATTERN.exec(name);
      if (match !== null) numbers.push(Number(match[1]));
      else if (name === PREPARING_NAME) await this.#removePreparing();
      else this.#log.warn('a file in the journal directory is none of its own and is left alone', { name });
    }
    numbers.sort((a, b) => a - b);
    for (const [index, number] of numbers.entries()) {
      const expected = numbers[0]! + index;
      if (number === expected) continue;
      const path = this.path(expected);
      const message = `The journal segment ${path} is missing, but ${this.path(number)} exists. ${WHAT_TO_DO}`;
      throw new FsError('DAMAGED', message, { details: { path, offset: 0 } });
    }
    return numbers;
  }

  /** Throws the disk's error, `ENOSPC` for one; then nothing of it is left, unless the disk refuses that as well. */
  async prepare(number: number): Promise<OpenSegment> {
    const preparingPath = `${this.directory}/${PREPARING_NAME}`;
    const header = encodeSegmentHeader({
      number,
      createdWallMs: this.#clock.wallMs(),
      nonce: this.#random.bytes(SEGMENT_NONCE_BYTES),
    });
    const preparing = await this.#disk.open(preparingPath, 'openOrCreate'); // one that is left is written over
    try {
      try {
        for (let offset = 0; offset < this.segmentBytes; offset += zeros.length) {
          await preparing.write(offset, [zeros.subarray(0, this.segmentBytes - offset)]);
        }
        await preparing.write(0, [header]);
        await preparing.sync();
      } finally {
        await preparing.close();
      }
      await this.#disk.rename(preparingPath, this.path(number));
    } catch (error) {
      await this.#removePreparing();
      throw error;
    }
    await this.#disk.syncDirectory(this.directory);
    return this.open(number, sealOf(header));
  }

  /** One that a start found. */
  async open(number: number, seal: SegmentSeal): Promise<OpenSegment> {
    const path = this.path(number);
    return { number, path, file: await this.#disk.open(path, 'readWrite'), seal };
  }

  /** Durably, so that a crash never leaves a gap between segments that stay. */
  async remove(number: number): Promise<void> {
    const path = this.path(number);
    // Tried again, it may be gone though the folder could not be synced.
    if ((await this.#disk.stat(path)) !== undefined) await this.#disk.remove(path);
    await this.#disk.syncDirectory(this.directory);
  }

  /** What a full disk does not let go of stays: zeros and a header, that the next one is written over. */
  async #removePreparing(): Promise<void> {
    try {
      await this.#disk.remove(`${this.directory}/${PREPARING_NAME}`);
    } catch (error) {
      if (!(error instanceof DiskError && error.isFull)) throw error;
    }
  }
}
