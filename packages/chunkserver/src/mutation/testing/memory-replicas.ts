/**
 * Replicas over a journal in memory: a crash loses what was not durable, a failing disk takes the replicas away and leaves
 * some of it, a restart replays the rest.
 */
import { assert, FsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import { MutationLog, type StagedMutation } from '../mutation-log.ts';
import { OperationTable } from '../operation-table.ts';
import type { Failed, MutableReplica, MutableReplicas } from '../replica-port.ts';
import type { VirtualTime } from './virtual-time.ts';

type JournalRecord =
  | { kind: 'staged'; mutation: StagedMutation; committedSequence: number; atMs: number }
  | { kind: 'committed'; committedSequence: number }
  | { kind: 'promised'; promisedVersion: number; isRemoved: boolean }
  | {
      kind: 'viewed';
      view: ChunkView;
      version: number;
      term: number;
      base: number;
      keepsStaged: boolean;
      isSealed: boolean;
    }
  | { kind: 'sealed' }
  | { kind: 'cut'; length: number };

/** What survives a crash: the durable part of the journal. */
export class MemoryJournal {
  records: { record: JournalRecord; handle: string; isDurable: boolean }[] = [];
  /** Since the disk failed, until the next start. */
  failure: FsError | undefined;
  /** It takes no further mutation, and makes no replica. */
  isFull = false;
  #waiting: { entry: { isDurable: boolean }; durable: () => void; failed: Failed }[] = [];
  #isSyncing = false;
  readonly #time: VirtualTime;
  #incarnation = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  append(handle: string, record: JournalRecord, durable: () => void, failed: Failed): void {
    if (this.failure !== undefined) {
      failed(this.failure);
      return;
    }
    const entry = { record, handle, isDurable: false };
    this.records.push(entry);
    this.#waiting.push({ entry, durable, failed });
    this.#sync();
  }

  checkRoom(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.isFull) throw new FsError('NO_SPACE', 'the disk is full');
  }

  crash(): void {
    this.failure = undefined;
    this.#waiting = [];
    this.#isSyncing = false;
    this.#incarnation += 1;
    this.records = this.records.filter(({ isDurable }) => isDurable);
  }

  /** Some of what was being written is found by the next start, from the first record on. */
  failDisk(): void {
    this.failure = new FsError('DISK_FAILED', 'the disk failed');
    this.#isSyncing = false;
    this.#incarnation += 1;
    const waiting = this.#waiting.splice(0);
    for (const { entry } of waiting.slice(0, this.#time.below(waiting.length + 1))) entry.isDurable = true;
    for (const { failed } of waiting) failed(this.failure);
  }

  /** Group commit: one sync at a time, for all that came while the last one ran. */
  #sync(): void {
    if (this.#isSyncing || this.#waiting.length === 0) return;
    this.#isSyncing = true;
    const batch = [...this.#waiting];
    const incarnation = this.#incarnation;
    this.#time.after(0.1 + this.#time.chance() * 3, () => {
      if (incarnation !== this.#incarnation) return;
      this.#isSyncing = false;
      this.#waiting = this.#waiting.slice(batch.length);
      for (const { entry } of batch) entry.isDurable = true;
      for (const { durable } of batch) durable();
      this.#sync();
    });
  }
}

const nobody = (): void => {};

export class MemoryReplica implements MutableReplica {
  readonly handle: string;
  log: MutationLog;
  readonly operations = new OperationTable();
  view: ChunkView | undefined;
  /** Committed mutations as they were applied. */
  applied: StagedMutation[] = [];
  #bytes = new Uint8Array(0);
  readonly #journal: MemoryJournal;
  readonly #time: VirtualTime;

  constructor(handle: string, journal: MemoryJournal, time: VirtualTime) {
    this.handle = handle;
    this.#journal = journal;
    this.#time = time;
    this.log = new MutationLog(handle, {
      ...{ version: 0, term: 0, promisedVersion: 0, isRemoved: false, keptVersion: 0, isLearner: false },
      ...{ isSealed: false, committedSequence: 0, committedLength: 0, staged: [] },
    });
  }

  get content(): Uint8Array {
    return this.#bytes.subarray(0, this.log.committedLength);
  }

  journalStaged(mutation: StagedMutation, committedSequence: number, durable: () => void, failed: Failed): void {
    this.#journal.checkRoom();
    const copy = { ...mutation, bytes: mutation.bytes.slice(), memory: undefined };
    this.#journal.append(
      this.handle,
      { kind: 'staged', mutation: copy, committedSequence, atMs: this.#time.nowMs },
      durable,
      failed,
    );
  }
  journalCommitted(committedSequence: number, durable: () => void, failed: Failed): void {
    this.#journal.append(this.handle, { kind: 'committed', committedSequence }, durable, failed);
  }
  journalPromise(durable: () => void, failed: Failed): void {
    const { promisedVersion, isRemoved } = this.log;
    this.#journal.append(this.handle, { kind: 'promised', promisedVersion, isRemoved }, durable, failed);
  }
  journalView(view: ChunkView, durable: () => void, failed: Failed): void {
    this.#journalViewed(view, false, durable, failed);
  }
  journalTerm(view: ChunkView, durable: () => void, failed: Failed): void {
    this.#journalViewed(view, true, durable, failed);
  }
  journalSealed(durable: () => void, failed: Failed): void {
    this.#journal.append(this.handle, { kind: 'sealed' }, durable, failed);
  }
  applyCut(length: number): void {
    this.#bytes = this.#bytes.slice(0, length);
    this.#journal.append(this.handle, { kind: 'cut', length }, nobody, nobody);
  }
  forgetDropped(): void {}

  applyCommitted(mutations: readonly StagedMutation[]): void {
    for (const mutation of mutations) {
      const { offset, bytes, lengthAfter } = mutation;
      if (lengthAfter > this.#bytes.length) {
        const grown = new Uint8Array(lengthAfter);
        grown.set(this.#bytes);
        this.#bytes = grown;
      }
      this.#bytes.set(bytes, offset);
      this.applied.push({ ...mutation, bytes: bytes.slice() });
    }
  }

  #journalViewed(view: ChunkView, keepsStaged: boolean, durable: () => void, failed: Failed): void {
    this.view = view;
    const { version, term, isSealed, committedSequence } = this.log;
    const record = { kind: 'viewed' as const, view, version, term, base: committedSequence, keepsStaged, isSealed };
    this.#journal.append(this.handle, record, durable, failed);
  }

  /** Applies one durable record after a restart. */
  replay(record: JournalRecord): void {
    const { log } = this;
    switch (record.kind) {
      case 'staged': {
        this.#commit(record.committedSequence);
        const mutation = { ...record.mutation, isDurable: false, isGone: false };
        const { operation, sequence, offset, bytes } = mutation;
        log.stage(mutation);
        log.markDurable(mutation);
        if (operation !== undefined)
          this.operations.add(operation, { sequence, offset, length: bytes.length }, record.atMs);
        return;
      }
      case 'committed':
        this.#commit(record.committedSequence);
        return;
      case 'promised':
        this.#restore({
          ...{ promisedVersion: record.promisedVersion, isRemoved: record.isRemoved },
          keptVersion: log.keptVersion,
        });
        return;
      case 'viewed': {
        const { version, term, base, isSealed } = record;
        this.#commit(base);
        const dropped = record.keepsStaged ? [] : log.staged;
        for (const { operation, sequence } of dropped) {
          if (operation !== undefined) this.operations.drop(operation, sequence);
        }
        const staged = record.keepsStaged ? log.staged : [];
        this.#restore({ version, term, promisedVersion: version, isRemoved: false, isSealed, staged });
        this.view = record.view;
        return;
      }
      case 'sealed':
        log.seal();
        return;
      case 'cut':
        log.cut(record.length);
    }
  }

  #commit(sequence: number): void {
    this.applyCommitted(this.log.commit(sequence));
  }

  #restore(changes: Partial<MutationLog>): void {
    const { version, term, promisedVersion, isRemoved, keptVersion, isLearner, isSealed } = this.log;
    const { committedSequence, committedLength, staged } = this.log;
    const versions = { version, term, promisedVersion, isRemoved, keptVersion, isLearner, isSealed };
    const state = { ...versions, committedSequence, committedLength, staged };
    this.log = new MutationLog(this.handle, { ...state, ...changes });
  }
}

export class MemoryReplicas implements MutableReplicas {
  readonly #replicas = new Map<string, MemoryReplica>();
  readonly #journal: MemoryJournal;
  readonly #time: VirtualTime;

  /** Replays what the journal kept. */
  constructor(journal: MemoryJournal, time: VirtualTime) {
    this.#journal = journal;
    this.#time = time;
    for (const { record, handle, isDurable } of journal.records) {
      assert(isDurable, 'replayed a record that was not durable');
      (this.find(handle) ?? this.#make(handle)).replay(record);
    }
  }

  find(handle: string): MemoryReplica | undefined {
    return this.#journal.failure === undefined ? this.#replicas.get(handle) : undefined;
  }

  create(view: ChunkView): MemoryReplica {
    this.#journal.checkRoom();
    return this.#make(view.handle);
  }

  isInService(): boolean {
    return this.#journal.failure === undefined;
  }

  isUnreadable(): boolean {
    return false;
  }

  hasRoomBeside(): boolean {
    return false;
  }

  #make(handle: string): MemoryReplica {
    const replica = new MemoryReplica(handle, this.#journal, this.#time);
    this.#replicas.set(handle, replica);
    return replica;
  }
}
