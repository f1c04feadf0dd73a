/**
 * One replica in memory: the decisions of `MutationLog` and `OperationTable` over what its disk holds, and the port by
 * which they become durable. `replica-bytes.ts` reads its bytes, `settle.ts` puts committed ones in place.
 *
 * Invariants: `unsettled` are the committed mutations above `settledSequence`, in order; the journal's records of one
 * replica are appended in the order of the calls; what this object shows was appended to the journal before.
 */
import { type Clock, FsError, isFsError, type ProcessCalendar } from '@cairnfs/base';
import { ChunkView, decodeMessage, encodeMessage } from '@cairnfs/protocol';
import type { ReplicaState, StoredMutation } from '../gen/cairn/chunkserver/v1/store.ts';
import { JOURNAL_RETRY_MS, REPLICA_PINNED_MS } from '../limits.ts';
import { MutationLog, type StagedMutation } from '../mutation/mutation-log.ts';
import {
  type ClientKey,
  type ClientWindow,
  OperationTable,
  type StoredOperations,
} from '../mutation/operation-table.ts';
import type { Failed, MutableReplica } from '../mutation/replica-port.ts';
import type { DiskStore, RecordKind } from './disk-store.ts';
import { readChecksums, readCommitPoint, readMutations, readOperations, readReplica } from './stored-replica.ts';

/** A committed mutation whose bytes are not in place on stable storage yet. */
export interface Unsettled {
  readonly sequence: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Bytes from here up to `offset` read as zeros, where it lies below. */
  readonly lengthBefore: number;
  readonly lengthAfter: number;
}

export interface ReplicaShell {
  readonly clock: Clock;
  readonly calendar: ProcessCalendar;
  /** Committed bytes wait to be put in place. */
  readonly unsettled: (replica: Replica) => void;
  /** What a master knows of the replica changed. */
  readonly changed: (replica: Replica) => void;
  /** Before a mutation makes the chunk longer by so many bytes. @throws FsError NO_SPACE, OVERLOADED */
  readonly checkRoom: (store: DiskStore, bytes: number) => void;
  /** The chunk takes so many bytes more, or fewer. */
  readonly grew: (replica: Replica, bytes: number) => void;
  /** It outgrew the index and has a chunk file now. */
  readonly movedToFile: (replica: Replica) => void;
}

/** Of a record: one of both runs. */
interface Waiter {
  readonly durable: () => void;
  readonly failed: Failed;
}

/** A record that the journal refused for the moment. */
interface Deferred {
  readonly kind: RecordKind;
  readonly waiter: Waiter;
  readonly appended: () => void;
}

export class Replica implements MutableReplica {
  readonly handle: string;
  readonly store: DiskStore;
  readonly log: MutationLog;
  readonly operations = new OperationTable();
  readonly members: readonly number[];
  view: ChunkView | undefined;
  isInFile: boolean;
  uploadId: string;
  /** What the block checksums speak of (`ReplicaState`). */
  summedLength: number;
  summedSequence: number;
  settledSequence: number;
  readonly corruptBlocks: Set<number>;
  unsettled: Unsettled[] = [];
  unsettledBytes = 0;
  /** Raised whenever chunk file, checksums or `unsettled` change their part in the chunk's bytes. */
  generation = 0;
  /** An upload, a clone or a settlement works on it. */
  uses = 0;
  /** Entries of the operation table in the index: more than the table holds, until they are removed. */
  storedOperations = 0;
  isGone = false;
  readonly #shell: ReplicaShell;
  #checksums: number[] | undefined;
  /** Where the chunk ends with all of `unsettled`. */
  #visibleLength: number;
  /** Records waiting for their durability, and those the journal refused for the moment. */
  #journalling = 0;
  #refused: Deferred[] = [];
  #touchedAtMs = Number.NEGATIVE_INFINITY;

  /** @throws FsError DAMAGED  its entries in the index are not what was put there. */
  constructor(store: DiskStore, handle: string, state: ReplicaState, shell: ReplicaShell) {
    const view = store.ledger.view();
    this.store = store;
    this.handle = handle;
    this.#shell = shell;
    this.members = state.members;
    this.uploadId = state.uploadId;
    this.isInFile = state.isInFile;
    this.view = state.view.length === 0 ? undefined : decodeMessage(ChunkView, state.view);
    this.summedLength = state.summedLength;
    this.summedSequence = state.summedSequence;
    this.settledSequence = state.settledSequence;
    this.corruptBlocks = new Set(state.corruptBlocks);
    const point = readCommitPoint(view, handle);
    const staged: StagedMutation[] = [];
    let reached = state.settledSequence;
    for (const { mutation, bytes } of readMutations(view, handle, reached)) {
      const { sequence, offset, lengthBefore, lengthAfter } = mutation;
      if (sequence !== reached + 1) throw missing(handle, reached + 1);
      reached = sequence;
      if (sequence <= point.sequence) this.#addUnsettled({ sequence, offset, bytes, lengthBefore, lengthAfter });
      else staged.push(loadStaged(mutation, bytes));
    }
    if (reached < point.sequence) throw missing(handle, reached + 1);
    this.#visibleLength = point.length;
    const { version, term, promisedVersion, isRemoved, keptVersion, isLearner, isSealed } = state;
    this.log = new MutationLog(handle, {
      version,
      term,
      promisedVersion,
      isRemoved,
      keptVersion,
      isLearner,
      isSealed,
      staged,
      committedSequence: point.sequence,
      committedLength: point.length,
    });
    if (state.summedSequence > 0 || point.sequence > 0 || staged.length > 0) {
      const { entries, windows } = readOperations(view, handle);
      // A retry would be told of bytes that are not there.
      if (entries.some(({ sequence }) => sequence > reached)) throw missing(handle, reached + 1);
      this.storedOperations = entries.length;
      // Times in the index are the calendar's, those of the table are this process's.
      const onProcessClock = <T extends { readonly atMs: number }>(stored: T): T => {
        return { ...stored, atMs: shell.calendar.onProcessClock(stored.atMs) };
      };
      const loaded = { entries: entries.map(onProcessClock), windows: windows.map(onProcessClock) };
      this.operations.load(loaded, shell.clock.nowMs());
    }
  }

  static load(store: DiskStore, handle: string, shell: ReplicaShell): Replica | undefined {
    const state = readReplica(store.ledger.view(), handle);
    return state === undefined ? undefined : new Replica(store, handle, state, shell);
  }

  /** CRC32C of each 64 KiB block up to `summedLength`. */
  get checksums(): readonly number[] {
    this.#checksums ??= readChecksums(this.store.ledger.view(), this.handle);
    return this.#checksums;
  }

  /** The operation table up to `sequence`, as a clone takes it along: times since the Unix epoch. */
  operationsThrough(sequence: number): StoredOperations {
    const { operations } = this;
    return {
      entries: this.#onCalendar(operations.entries(sequence)),
      windows: this.#onCalendar(operations.windows()),
    };
  }

  /** What is known of these clients, with times since the Unix epoch; nothing of those the table does not know. */
  clientWindows(clients: Iterable<ClientKey>): ClientWindow[] {
    const known = [...clients].map((client) => this.operations.window(client)).filter((window) => window !== undefined);
    return this.#onCalendar(known);
  }

  #onCalendar<T extends { readonly atMs: number }>(items: readonly T[]): T[] {
    const { calendar } = this.#shell;
    return items.map((item) => ({ ...item, atMs: calendar.of(item.atMs) }));
  }

  /** A view or a mutation of a while ago may still be on its way here. */
  isTouched(nowMs: number): boolean {
    return nowMs - this.#touchedAtMs < REPLICA_PINNED_MS;
  }

  /** May not be forgotten: a second object of the same replica would decide on its own. */
  isPinned(nowMs: number): boolean {
    const isBusy = this.uses > 0 || this.#journalling > 0 || this.#refused.length > 0;
    return isBusy || this.unsettled.length > 0 || this.log.staged.length > 0 || this.isTouched(nowMs);
  }

  /** The state of the index changed under it. */
  refresh(changes: { summedLength: number; summedSequence: number; settledSequence: number; isInFile: boolean }): void {
    if (changes.isInFile && !this.isInFile && !this.isGone) this.#shell.movedToFile(this);
    Object.assign(this, changes);
    this.#checksums = undefined;
    const settled = this.unsettled.filter(({ sequence }) => sequence <= this.settledSequence);
    this.unsettled = this.unsettled.slice(settled.length);
    for (const { bytes } of settled) this.unsettledBytes -= bytes.length;
    this.generation += 1;
  }

  // ---- MutableReplica ----

  journalStaged(mutation: StagedMutation, committedSequence: number, durable: () => void, failed: Failed): void {
    if (this.#refused.length > 0)
      throw new FsError('OVERLOADED', `the journal of chunk ${this.handle} is behind; try again`);
    this.#checkPresent();
    this.#shell.checkRoom(this.store, mutation.lengthAfter - this.log.stagedLength);
    const { sequence, offset, checksum, isAppend, lengthAfter, operation, bytes } = mutation;
    const stored: StoredMutation = {
      sequence,
      offset,
      checksum,
      isAppend,
      lengthAfter,
      lengthBefore: this.log.stagedLength,
      client: operation === undefined ? new Uint8Array(0) : Buffer.from(operation.client, 'latin1'),
      number: operation?.number ?? 0,
      settledBelow: operation?.settledBelow ?? 0,
      atMs: this.#shell.calendar.nowMs(),
    };
    this.#append({ $case: 'staged', value: { mutation: stored, committedSequence } }, { durable, failed }, bytes);
    if (operation !== undefined) this.storedOperations += 1;
  }

  journalCommitted(committedSequence: number, durable: () => void, failed: Failed): void {
    this.#journal({ $case: 'committed', value: { committedSequence } }, { durable, failed });
  }

  journalPromise(durable: () => void, failed: Failed): void {
    const { promisedVersion, isRemoved } = this.log;
    this.#journal({ $case: 'promised', value: { promisedVersion, isRemoved } }, { durable, failed });
    this.#shell.changed(this);
  }

  journalView(view: ChunkView, durable: () => void, failed: Failed): void {
    this.#journalTaken(view, false, { durable, failed });
  }

  journalTerm(view: ChunkView, durable: () => void, failed: Failed): void {
    this.#journalTaken(view, true, { durable, failed });
  }

  journalSealed(durable: () => void, failed: Failed): void {
    this.#journal({ $case: 'sealed', value: {} }, { durable, failed });
  }

  applyCommitted(mutations: readonly StagedMutation[]): void {
    for (const { sequence, offset, bytes, memory, lengthAfter } of mutations) {
      this.#addUnsettled({
        sequence,
        offset,
        bytes: memory === undefined ? bytes : memory.keep(bytes),
        lengthBefore: this.#visibleLength,
        lengthAfter,
      });
      this.#shell.grew(this, lengthAfter - this.#visibleLength);
      this.#visibleLength = lengthAfter;
    }
    this.generation += 1;
    this.#shell.unsettled(this);
  }

  forgetDropped(_mutations: readonly StagedMutation[]): void {} // the record of the view removes them

  /** In a chunk file the bytes above stay where they are, summed and invisible, until mutations cover them. */
  applyCut(length: number): void {
    // What the index holds is as long as before until it takes the record.
    const appended = (): void => {
      const { summedLength, summedSequence, settledSequence, isInFile } = this;
      this.refresh({ summedLength: isInFile ? summedLength : length, summedSequence, settledSequence, isInFile });
    };
    this.#journal({ $case: 'cut', value: { length } }, NOBODY, appended);
    this.#shell.grew(this, length - this.#visibleLength);
    this.#visibleLength = length;
    this.#shell.changed(this);
  }

  #journalTaken(view: ChunkView, keepsStaged: boolean, waiter: Waiter): void {
    this.view = { ...view, disks: [] }; // where it is made, it is
    const { version, term, committedSequence, isSealed } = this.log;
    const encoded = encodeMessage(ChunkView, this.view);
    const value = { version, term, view: encoded, committedSequence, isSealed, keepsStaged };
    this.#journal({ $case: 'viewTaken', value }, waiter);
    this.#shell.changed(this);
  }

  #addUnsettled(mutation: Unsettled): void {
    this.unsettled.push(mutation);
    this.unsettledBytes += mutation.bytes.length;
  }

  /** As `#append`, for what may not be refused: tried again until the journal takes it, in order. */
  #journal(kind: RecordKind, waiter: Waiter, appended: () => void = () => {}): void {
    if (this.#refused.length > 0) {
      this.#refused.push({ kind, waiter, appended });
      return;
    }
    try {
      this.#append(kind, waiter);
      appended();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // The replica or its disk is gone, or the server ends.
      if (this.isGone || this.store.failure !== undefined || isFsError(error, 'DISK_FAILED', 'UNAVAILABLE')) {
        waiter.failed(error);
        return;
      }
      this.#refused.push({ kind, waiter, appended });
      this.#shell.clock.after(JOURNAL_RETRY_MS, () => this.#retry());
    }
  }

  #retry(): void {
    const refused = this.#refused;
    this.#refused = [];
    for (const { kind, waiter, appended } of refused) this.#journal(kind, waiter, appended);
  }

  #append(kind: RecordKind, { durable, failed }: Waiter, data?: Uint8Array): void {
    this.#checkPresent();
    const sequence = this.#appended(kind, data);
    this.#touchedAtMs = this.#shell.clock.nowMs();
    this.#journalling += 1;
    const isDurable = (): void => {
      this.#journalling -= 1;
      durable();
    };
    this.store.onDurable(sequence, isDurable, failed); // a replica that is gone needs no count
  }

  /** @throws FsError DISK_FAILED  its entries in the index are damaged: it is gone, as with its disk. */
  #appended(kind: RecordKind, data?: Uint8Array): number {
    try {
      return this.store.append(this.handle, kind, data);
    } catch (error) {
      if (isFsError(error, 'DAMAGED')) this.#checkPresent();
      throw error;
    }
  }

  #checkPresent(): void {
    if (!this.isGone) return;
    throw new FsError('DISK_FAILED', `the replica of chunk ${this.handle} is no longer here; look the chunk up again`);
  }
}

/** A bit that flips in a key puts the entry elsewhere, and no checksum is there to tell. */
function missing(handle: string, sequence: number): FsError {
  return new FsError(
    'DAMAGED',
    `mutation ${sequence} of chunk ${handle} is not in the index; the replica is not served`,
  );
}

const NOBODY: Waiter = { durable: () => {}, failed: () => {} };

function loadStaged(mutation: StoredMutation, bytes: Uint8Array): StagedMutation {
  const { sequence, offset, checksum, isAppend, lengthAfter, client, number, settledBelow } = mutation;
  const owner = Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1');
  const operation = number === 0 ? undefined : { client: owner, number, settledBelow };
  return { sequence, offset, bytes, checksum, isAppend, lengthAfter, operation, isDurable: true, isGone: false };
}
