/**
 * The ledger: journal, overlay and store as one durable state machine (types.ts has the contract, docs/spec/journal.md
 * the formats). A record is appended and applied in one synchronous step; the journal makes it durable in a batch; folding moves
 * the effects of durable records to the store, and a segment goes when the store has flushed what it holds.
 */
import {
  assert,
  concatBytes,
  type Disk,
  DiskError,
  FsError,
  type Key,
  type Seams,
  type StateStore,
  type Timer,
  toError,
} from '@cairnfs/base';
import { ChecksumWindow } from './checksum-window.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { checkFormat } from './format-file.ts';
import { Journal } from './journal.ts';
import { type ChainPoint, type RecoveredJournal, recoverJournal } from './journal-recovery.ts';
import {
  BACKLOG_MAX,
  BACKLOG_RESERVE,
  type Backlog,
  DEFAULT_SIZING,
  FOLD_EARLY_BYTES,
  FOLD_EARLY_CHANGES,
  FOLD_INTERVAL_MS,
  type JournalSizing,
  MAX_RECORD_BYTES,
} from './limits.ts';
import { Overlay } from './overlay.ts';
import { recordSpace, SEGMENT_HEADER_BYTES } from './record-format.ts';
import { SegmentFiles } from './segment-files.ts';
import { appliedChange, OverlayTransaction, OverlayView, readApplied } from './state-view.ts';
import type { JournalRoom, Ledger, LedgerOptions, LedgerStatistics, Sequence, StateView } from './types.ts';

export interface LedgerSeams extends Pick<Seams, 'clock' | 'openStateStore' | 'log' | 'random'> {
  readonly disk: Disk;
}

/**
 * Opens the ledger in `options.directory`, creating it when nothing is there, and replays what the store does not hold
 * yet. The caller keeps other processes out of the directory (`Disk.lock`).
 *
 * @throws FsError DAMAGED  what is there is damaged, incomplete, or another purpose's; nothing was changed.
 */
export async function openLedger(
  seams: LedgerSeams,
  options: LedgerOptions,
  sizing: JournalSizing = DEFAULT_SIZING,
): Promise<Ledger> {
  const { disk, log } = seams;
  const { directory } = options;
  await disk.makeDirectory(directory);
  await checkFormat(disk, directory, options.format);
  await disk.makeDirectory(`${directory}/journal`);
  await disk.makeDirectory(`${directory}/state`);
  await disk.syncDirectory(directory);
  const store = await seams.openStateStore(`${directory}/state`, { bulkyPrefixes: options.bulkyPrefixes ?? [] });
  try {
    const applied = readApplied(store, directory);
    const files = new SegmentFiles({ seams, directory: `${directory}/journal`, segmentBytes: sizing.segmentBytes });
    const ledger = new JournaledLedger({ seams, options, store, applied, sizing });
    const replay = ledger.replay.bind(ledger);
    const recovered = await recoverJournal({ disk, log, files, applied, replay });
    await ledger.start(files, recovered);
    log.info('ledger opened', {
      directory,
      replayed: recovered.end.sequence - applied.sequence,
      last: recovered.end.sequence,
    });
    return ledger;
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface LedgerParts {
  seams: LedgerSeams;
  options: LedgerOptions;
  store: StateStore;
  applied: ChainPoint;
  sizing: JournalSizing;
}

class JournaledLedger implements Ledger {
  readonly failed: Promise<Error>;
  readonly #seams: LedgerSeams;
  readonly #options: LedgerOptions;
  readonly #sizing: JournalSizing;
  readonly #recordBytesMax: number;
  readonly #store: StateStore;
  readonly #overlay = new Overlay();
  readonly #transaction: OverlayTransaction;
  readonly #waiters = new DurableWaiters();
  readonly #checksums: ChecksumWindow;
  /** Past which a record of the class is refused. */
  #backlogMax: Record<JournalRoom, Backlog> = { common: BACKLOG_MAX, reserve: BACKLOG_MAX };
  #journal: Journal | undefined;
  #lastSequence: Sequence;
  #durableSequence: Sequence;
  #foldedSequence: Sequence;
  #failure: FsError | undefined;
  #resolveFailed: (error: Error) => void = () => {};
  #isClosed = false;
  #timer: Timer | undefined;
  /** Folding and checkpoints, one after another. */
  #background: Promise<void> = Promise.resolve();
  #isFoldQueued = false;

  constructor({ seams, options, store, applied, sizing }: LedgerParts) {
    this.#sizing = sizing;
    this.#recordBytesMax = Math.min(MAX_RECORD_BYTES, sizing.segmentBytes - SEGMENT_HEADER_BYTES - recordSpace(0));
    this.#seams = seams;
    this.#options = options;
    this.#store = store;
    this.#transaction = new OverlayTransaction(this.#overlay, store);
    this.#lastSequence = applied.sequence;
    this.#durableSequence = applied.sequence;
    this.#foldedSequence = applied.sequence;
    this.#checksums = new ChecksumWindow(applied.sequence + 1);
    this.failed = new Promise((resolve) => {
      this.#resolveFailed = resolve;
    });
  }

  get lastSequence(): Sequence {
    return this.#lastSequence;
  }

  get durableSequence(): Sequence {
    return this.#durableSequence;
  }

  get foldedSequence(): Sequence {
    return this.#foldedSequence;
  }

  /** One record found in the journal at open, in order. */
  replay(record: Uint8Array, data: Uint8Array | undefined, point: ChainPoint): void {
    this.#apply(record, point.sequence, data);
    this.#checksums.push(point);
    this.#lastSequence = point.sequence;
    this.#options.onReplay?.(record, point.sequence, data);
  }

  async start(files: SegmentFiles, recovered: RecoveredJournal): Promise<void> {
    assert(
      recovered.end.sequence === this.#lastSequence,
      () => `replayed ${this.#lastSequence} of ${recovered.end.sequence}`,
    );
    this.#durableSequence = this.#lastSequence;
    this.#backlogMax = { common: BACKLOG_MAX, reserve: aboveReplayed(this.#backlog) };
    this.#journal = new Journal({
      clock: this.#seams.clock,
      log: this.#seams.log,
      files,
      recovered,
      sizing: this.#sizing,
      onDurable: (through) => this.#madeDurable(through),
      onFailure: (error) => this.#fail(error),
    });
    await this.#journal.start();
    if (this.#failure !== undefined) throw this.#failure;
    this.#scheduleFold();
  }

  view(): StateView {
    return new OverlayView(this.#overlay, this.#store);
  }

  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return new OverlayView(this.#overlay, this.#store).load(key);
  }

  append(record: Uint8Array | readonly Uint8Array[], data?: Uint8Array, room: JournalRoom = 'common'): Sequence {
    const isWhole = record instanceof Uint8Array;
    const whole = isWhole ? record : record.length === 1 ? record[0]! : concatBytes(record);
    const dataBytes = data === undefined ? 0 : data.length;
    this.#checkAdmission(whole.length + dataBytes, room);
    const sequence = this.#lastSequence + 1;
    try {
      this.#apply(whole, sequence, data);
    } catch (error) {
      this.#fail(error); // half of its effects may be in the overlay
      throw error;
    }
    const parts = isWhole ? [record] : [...record];
    if (data !== undefined) parts.push(data);
    this.#checksums.push(this.#journal!.append(parts, whole.length, dataBytes));
    this.#lastSequence = sequence;
    return sequence;
  }

  whenDurable(sequence: Sequence): Promise<void> {
    if (sequence <= this.#durableSequence) return done;
    return new Promise((resolve) => this.#waiters.add(sequence, resolve, () => {}));
  }

  onDurable(sequence: Sequence, durable: () => void, failed: (failure: FsError) => void): void {
    if (sequence <= this.#durableSequence) durable();
    else if (this.#failure !== undefined) failed(this.#failure);
    else this.#waiters.add(sequence, durable, failed);
  }

  fail(cause: unknown): void {
    this.#fail(cause);
  }

  async checkpoint(): Promise<void> {
    const target = this.#durableSequence;
    await this.#checkpoint();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#foldedSequence >= target) return;
    throw new FsError(
      'NO_SPACE',
      `The disk of ${this.#options.directory} has no room for a checkpoint: free some space.`,
    );
  }

  statistics(): LedgerStatistics {
    return {
      journalBytes: this.#journal!.bytes,
      segmentCount: this.#journal!.segmentCount,
      undurableRecords: this.#lastSequence - this.#durableSequence,
      unfoldedRecords: this.#durableSequence - this.#foldedSequence,
      overlayEntries: this.#overlay.entryCount,
      overlayBytes: this.#overlay.bytes,
      stateBytes: this.#store.sizeBytes(),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return this.#background;
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#journal!.whenIdle();
    try {
      await this.#checkpoint();
    } finally {
      await this.#inBackground(async () => {
        await this.#journal!.close();
        await this.#store.close();
      });
    }
  }

  #checkpoint(): Promise<void> {
    return this.#inBackground(async () => {
      await this.#foldDurable();
      await this.#dropSegments();
    });
  }

  #apply(record: Uint8Array, sequence: Sequence, data: Uint8Array | undefined): void {
    this.#transaction.sequence = sequence;
    this.#options.apply(this.#transaction, record, sequence, data);
  }

  get #backlog(): Backlog {
    return { changes: this.#overlay.changeCount, bytes: this.#overlay.bytes, records: this.#checksums.length };
  }

  /** Everything that can refuse a record, before any of its effects. */
  #checkAdmission(payloadBytes: number, room: JournalRoom): void {
    const { directory } = this.#options;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new FsError('UNAVAILABLE', `The ledger in ${directory} is closed.`);
    if (payloadBytes > this.#recordBytesMax) {
      throw new FsError(
        'TOO_LARGE',
        `A journal record of ${payloadBytes} bytes is above ${this.#recordBytesMax}: split it.`,
      );
    }
    const { changes, bytes, records } = this.#backlog;
    const max = this.#backlogMax[room];
    if (changes > max.changes || bytes > max.bytes || records > max.records) {
      const message = `The ledger in ${directory} has ${changes} changes (${bytes} bytes) that its store does not hold yet: try again shortly.`;
      throw new FsError('OVERLOADED', message);
    }
    this.#journal!.checkRoom(payloadBytes, room);
  }

  #madeDurable(through: Sequence): void {
    if (this.#failure !== undefined) return;
    this.#durableSequence = through;
    this.#waiters.run(through);
    if (this.#overlay.bytes > FOLD_EARLY_BYTES || this.#overlay.changeCount > FOLD_EARLY_CHANGES) this.#foldSoon();
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const { directory } = this.#options;
    const cause = toError(error).message;
    const message = `The ledger in ${directory} failed and takes no more records: ${cause}. Check the disk, then start the server again.`;
    this.#failure = new FsError('DISK_FAILED', message, { cause: error, details: { path: directory } });
    this.#timer?.cancel();
    this.#seams.log.error('ledger failed', { directory, error: cause });
    this.#resolveFailed(this.#failure);
    this.#waiters.fail(this.#failure);
  }

  #scheduleFold(): void {
    this.#timer = this.#seams.clock.after(FOLD_INTERVAL_MS, () => {
      this.#foldSoon();
      if (!this.#isClosed && this.#failure === undefined) this.#scheduleFold();
    });
  }

  #foldSoon(): void {
    if (this.#isFoldQueued || this.#isClosed) return;
    if (this.#durableSequence === this.#foldedSequence && !this.#journal!.hasSegmentThrough(this.#foldedSequence))
      return;
    this.#isFoldQueued = true;
    void this.#inBackground(async () => {
      this.#isFoldQueued = false;
      await this.#foldDurable();
      if (this.#journal!.hasSegmentThrough(this.#foldedSequence)) await this.#dropSegments();
    });
  }

  /** Runs `work` after all such work before it; a failure of it fails the ledger. */
  #inBackground(work: () => Promise<void>): Promise<void> {
    this.#background = this.#background.then(work).catch((error: unknown) => {
      // Nothing is lost by either: appends are refused, at the latest when the overlay is full, until the next try gets through.
      if (error instanceof DiskError && (error.isFull || error.isShortage)) {
        const facts = { directory: this.#options.directory, error: error.message };
        this.#seams.log.warn('the journal was not folded into the state yet', facts);
      } else {
        this.#fail(error);
      }
    });
    return this.#background;
  }

  /** Moves the effects of every record durable now to the store. */
  async #foldDurable(): Promise<void> {
    const target = this.#durableSequence;
    if (this.#failure !== undefined || target === this.#foldedSequence) return;
    await this.#options.beforeFold?.(target);
    while (this.#failure === undefined && this.#foldedSequence < target) {
      const batch = this.#overlay.takeBatch(target);
      const change = appliedChange(this.#checksums.at(batch.through));
      batch.changes.set(change.key, change);
      // The overlay answers for the batch until the store does.
      await this.#store.write(batch.changes.values());
      this.#overlay.drop(batch);
      this.#checksums.dropThrough(batch.through);
      this.#foldedSequence = batch.through;
      if (this.#foldedSequence < target) await new Promise<void>((resolve) => this.#seams.clock.soon(resolve));
    }
  }

  async #dropSegments(): Promise<void> {
    if (this.#failure !== undefined) return;
    const through = this.#foldedSequence;
    await this.#store.flushed();
    await this.#journal!.dropThrough(through);
  }
}

/** A start brings back what the one before it had: that alone must not refuse the records it begins with. */
function aboveReplayed(replayed: Backlog): Backlog {
  const above = (kind: keyof Backlog) => Math.max(BACKLOG_MAX[kind], replayed[kind]) + BACKLOG_RESERVE[kind];
  return { changes: above('changes'), bytes: above('bytes'), records: above('records') };
}

const done = Promise.resolve();
