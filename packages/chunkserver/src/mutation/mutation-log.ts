/**
 * The mutations of one replica that are staged and not yet committed, and the versions that decide which messages
 * count: a state machine over plain data. It knows no disk and no network; `replica-port.ts` says how its changes
 * become durable.
 *
 * | state of a mutation | on | becomes |
 * | --- | --- | --- |
 * | staging | its journal record is durable | staged |
 * | staged | commit point at or above it | committed (leaves this log) |
 * | staging, staged | a view whose base lies below it | dropped (leaves this log) |
 *
 * Invariants: committed <= durable <= staged; sequence numbers are consecutive; version and promise never fall, nor does
 * the term within a version; a promise above the version refuses every message of the version, and so does a learner: nobody
 * asks it when the version ends, so it must not be able to answer under it.
 */
import { assert, FsError } from '@cairnfs/base';
import type { PooledBytes } from '@cairnfs/protocol';
import type { Operation } from './operation-table.ts';

export interface StagedMutation {
  readonly sequence: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** CRC32C of `bytes`. */
  readonly checksum: number;
  readonly isAppend: boolean;
  readonly operation: Operation | undefined;
  /** Length of the chunk once it is committed. */
  readonly lengthAfter: number;
  /** Where the bytes live, one reference of it; absent for memory that is left to the garbage collector. */
  readonly memory?: PooledBytes | undefined;
  /** Its journal record is on stable storage. */
  isDurable: boolean;
  /** Committed and applied, or dropped: it is in no log any more. */
  isGone: boolean;
}

/** Once a mutation is in no log and in no journal write, its bytes may be reused. */
export function releaseMutation(mutation: StagedMutation): void {
  mutation.isGone = true;
  if (mutation.isDurable) mutation.memory?.release();
}

export interface MutationLogState {
  readonly version: number;
  readonly term: number;
  readonly promisedVersion: number;
  /** Promised to leave: no view names this replica any more. */
  readonly isRemoved: boolean;
  /** Of a removed one, what it was in sync at before; 0 when that is not known to be above `version`. */
  readonly keptVersion: number;
  /** A copy of `version` on a server that is no member of its view. */
  readonly isLearner: boolean;
  readonly isSealed: boolean;
  readonly committedSequence: number;
  readonly committedLength: number;
  /** Durable and uncommitted, in order. */
  readonly staged: readonly StagedMutation[];
}

export interface Installed {
  readonly committed: readonly StagedMutation[];
  readonly dropped: readonly StagedMutation[];
}

export class MutationLog {
  readonly handle: string;
  #version: number;
  #term: number;
  #promisedVersion: number;
  #isRemoved: boolean;
  #keptVersion: number;
  #isLearner: boolean;
  /** What the log begins with was read from a disk. */
  #isPromiseDurable = true;
  #isSealed: boolean;
  /** In memory alone: after a restart the commit point may be an older one. */
  #ledVersion = 0;
  #committedSequence: number;
  #committedLength: number;
  #durableSequence: number;
  #staged: StagedMutation[];

  constructor(handle: string, state: MutationLogState) {
    this.handle = handle;
    this.#version = state.version;
    this.#term = state.term;
    this.#promisedVersion = Math.max(state.promisedVersion, state.version);
    this.#isRemoved = state.isRemoved;
    this.#keptVersion = Math.max(state.keptVersion, state.version);
    this.#isLearner = state.isLearner;
    this.#isSealed = state.isSealed;
    this.#committedSequence = state.committedSequence;
    this.#committedLength = state.committedLength;
    this.#staged = [...state.staged];
    this.#durableSequence = state.committedSequence + state.staged.length;
    for (const [index, { sequence }] of state.staged.entries()) {
      const expected = state.committedSequence + index + 1;
      assert(sequence === expected, () => `${handle}: staged mutation ${sequence} where ${expected} belongs`);
    }
  }

  get version(): number {
    return this.#version;
  }
  get term(): number {
    return this.#term;
  }
  /** At least `version`. */
  get promisedVersion(): number {
    return this.#promisedVersion;
  }
  get isRemoved(): boolean {
    return this.#isRemoved;
  }
  /** It joins with its first promise; until then it is a copy and nothing more. */
  get isLearner(): boolean {
    return this.#isLearner;
  }
  /** The last version that this replica was in sync at: installed, copied, or promised as one that stays. */
  get keptVersion(): number {
    return this.#isRemoved ? this.#keptVersion : this.#promisedVersion;
  }
  /** The promise is on stable storage, and with it everything staged before. */
  get isPromiseDurable(): boolean {
    return this.#isPromiseDurable;
  }
  /**
   * The last version that this run of the server has served as primary with this log, after every member agreed on where it
   * begins; 0: none. At that version nobody has committed, or answered, more than is committed here.
   */
  get ledVersion(): number {
    return this.#ledVersion;
  }
  get isSealed(): boolean {
    return this.#isSealed;
  }
  get committedSequence(): number {
    return this.#committedSequence;
  }
  get committedLength(): number {
    return this.#committedLength;
  }
  /** Everything up to here is on stable storage. */
  get durableSequence(): number {
    return this.#durableSequence;
  }
  /** Everything up to here is at least in the journal's queue. */
  get stagedSequence(): number {
    return this.#committedSequence + this.#staged.length;
  }
  /** Where the chunk ends once everything staged is committed. */
  get stagedLength(): number {
    return this.#staged.at(-1)?.lengthAfter ?? this.#committedLength;
  }
  get staged(): readonly StagedMutation[] {
    return this.#staged;
  }

  /** @throws FsError STALE_VERSION unless messages of `version` count here. */
  checkVersion(version: number): void {
    if (version === this.#version && this.#promisedVersion === version && !this.#isLearner) return;
    throw this.#staleVersion(version);
  }

  /** @throws FsError STALE_VERSION unless messages of that term of that version count here. */
  checkTerm(version: number, term: number): void {
    this.checkVersion(version);
    if (term === this.#term) return;
    throw new FsError(
      'STALE_VERSION',
      `chunk ${this.handle}: a message of term ${term} of version ${version} reached a replica in term ${this.#term}; ` +
        'the primary has taken its lease anew since, or has not installed its view here',
      { details: { version, term: this.#term } },
    );
  }

  /** Takes the next mutation. Offsets and room are the caller's to check. */
  stage(mutation: StagedMutation): void {
    const { sequence, offset, bytes, lengthAfter } = mutation;
    assert(
      sequence === this.stagedSequence + 1,
      () => `${this.handle}: ${sequence} staged after ${this.stagedSequence}`,
    );
    assert(
      lengthAfter === Math.max(this.stagedLength, offset + bytes.length),
      () => `${this.handle}: length ${lengthAfter} after ${sequence} at ${offset}, ${bytes.length} bytes`,
    );
    this.#staged.push(mutation);
  }

  /** Its journal record is on stable storage. A mutation dropped meanwhile changes nothing. */
  markDurable(mutation: StagedMutation): void {
    mutation.isDurable = true;
    if (mutation.isGone) mutation.memory?.release();
    if (this.find(mutation.sequence) !== mutation) return;
    assert(
      mutation.sequence === this.#durableSequence + 1,
      () => `${this.handle}: ${mutation.sequence} durable after ${this.#durableSequence}`,
    );
    this.#durableSequence = mutation.sequence;
  }

  find(sequence: number): StagedMutation | undefined {
    return this.#staged[sequence - this.#committedSequence - 1];
  }

  /** Commits all up to `sequence`, which must be durable here; nothing when it is committed already. */
  commit(sequence: number): readonly StagedMutation[] {
    if (sequence <= this.#committedSequence) return NONE;
    assert(
      sequence <= this.#durableSequence,
      () => `${this.handle}: commit point ${sequence} above what is durable, ${this.#durableSequence}`,
    );
    const committed = this.#staged.splice(0, sequence - this.#committedSequence);
    this.#committedSequence = sequence;
    this.#committedLength = committed.at(-1)!.lengthAfter;
    return committed;
  }

  /**
   * Promises `newVersion`: from now on nothing of an older version counts.
   *
   * @param oldVersion confirmed, and this replica is in sync at it: installed, or promised. One that promised to leave may
   * be taken back at a version it was in sync at before, when the chunk was closed since. One that is to leave need not be
   * in sync: it may be behind, and serve a version that is older still.
   * @returns false when the same was promised before.
   * @throws FsError STALE_VERSION  a higher version was promised, or to stay in this one, or the replica is not in sync at
   * the old one.
   */
  promise({ oldVersion, newVersion, removed }: { oldVersion: number; newVersion: number; removed: boolean }): boolean {
    if (newVersion < this.#promisedVersion || newVersion <= this.#version) throw this.#staleVersion(newVersion);
    // A version has one set of members. Who asks it to leave has not heard yet that it stays.
    if (removed && !this.#isRemoved && newVersion === this.#promisedVersion) throw this.#staleVersion(newVersion);
    if (oldVersion < this.#version) throw this.#staleVersion(oldVersion);
    // The version it promised to leave was confirmed, and so without it.
    if (this.#isRemoved && oldVersion === this.#promisedVersion) throw this.#staleVersion(oldVersion);
    if (!removed && oldVersion > this.keptVersion) throw this.#staleVersion(oldVersion);
    if (newVersion === this.#promisedVersion && removed === this.#isRemoved) return false;
    this.#keptVersion = this.keptVersion;
    this.#promisedVersion = newVersion;
    this.#isRemoved = removed;
    this.#isLearner = false;
    this.#isPromiseDurable = false;
    return true;
  }

  /** A journal record of that promise is on stable storage. A promise that took its place meanwhile is not by that. */
  markPromiseDurable({ newVersion, removed }: { newVersion: number; removed: boolean }): void {
    if (newVersion === this.#promisedVersion && removed === this.#isRemoved) this.#isPromiseDurable = true;
  }

  /**
   * Installs a confirmed view, or drops a tail under a new term: commits up to `base` and drops what lies above. A term
   * already taken changes nothing, so that a message that comes twice cannot drop what was staged since.
   *
   * @throws FsError STALE_VERSION  a later view was promised or installed, or less than the base is here.
   * @throws FsError DAMAGED  more than the base is committed here.
   */
  install({ version, term, base }: { version: number; term: number; base: number }): Installed {
    if (this.checkInstall({ version, term, base })) return { committed: NONE, dropped: NONE };
    const committed = this.commit(base);
    const dropped = this.#staged.splice(0);
    this.#durableSequence = this.#committedSequence;
    this.#take(version, term);
    return { committed, dropped };
  }

  /** @returns true when it is installed already. */
  checkInstall({ version, term, base }: { version: number; term: number; base: number }): boolean {
    if (this.#checkTake(version, term)) return true;
    if (base > this.#durableSequence) {
      throw new FsError(
        'STALE_VERSION',
        `chunk ${this.handle}: the view of version ${version} starts at sequence ${base}, this replica ends at ` +
          `${this.#durableSequence}; it must be copied anew`,
        { details: { version: this.#version, stagedSequence: this.#durableSequence } },
      );
    }
    if (base < this.#committedSequence) {
      throw new FsError(
        'DAMAGED',
        `chunk ${this.handle}: the view of version ${version} starts at sequence ${base}, below ` +
          `${this.#committedSequence}, which was committed here; a member of the view has lost acknowledged data`,
        { details: { base, committedSequence: this.#committedSequence } },
      );
    }
    return false;
  }

  /**
   * Refuses earlier terms of the version from now on; what is staged stays.
   *
   * @returns true when the term was taken already.
   * @throws FsError STALE_VERSION  a later view or term came first, or the version is not installed here.
   */
  fence(version: number, term: number): boolean {
    if (version !== this.#version) throw this.#staleVersion(version);
    if (this.#checkTake(version, term)) return true;
    this.#take(version, term);
    return false;
  }

  /** Every member has the installed version, and this server serves it as primary. */
  lead(): void {
    this.#ledVersion = this.#version;
  }

  /** Cuts bytes of an upload that were never acknowledged, before the first mutation. */
  cut(length: number): void {
    assert(
      this.stagedSequence === 0 && length <= this.#committedLength,
      () => `${this.handle}: cut to ${length} at sequence ${this.stagedSequence}, length ${this.#committedLength}`,
    );
    this.#committedLength = length;
  }

  seal(): void {
    this.#isSealed = true;
  }

  /** What a view says of it is what the master has logged. */
  takeSeal(isSealed: boolean): void {
    this.#isSealed = isSealed;
  }

  /** Whether bytes from `start` up to `end` are staged and not committed: written, or zeros that a write skipped. */
  isDirty(start: number, end: number): boolean {
    let lengthBefore = this.#committedLength;
    for (const { offset, bytes, lengthAfter } of this.#staged) {
      if (Math.min(offset, lengthBefore) < end && offset + bytes.length > start) return true;
      lengthBefore = lengthAfter;
    }
    return false;
  }

  #take(version: number, term: number): void {
    this.#version = version;
    this.#term = term;
    this.#promisedVersion = version;
    this.#isRemoved = false;
  }

  /** @returns true when exactly this was taken before. */
  #checkTake(version: number, term: number): boolean {
    const isOld = version < this.#promisedVersion || (version === this.#version && term < this.#term);
    const isGone = this.#isRemoved && version === this.#promisedVersion;
    if (isOld || isGone || this.#isLearner) throw this.#staleVersion(version);
    return version === this.#version && term === this.#term;
  }

  #staleVersion(version: number): FsError {
    const promise = this.#promisedVersion > this.#version ? `, promised ${this.#promisedVersion}` : '';
    const leaving = this.#isRemoved ? ', removed from the view' : this.#isLearner ? ', a copy that has not joined' : '';
    const term = version === this.#version ? `, in term ${this.#term}` : '';
    const details = { version: this.#version, promisedVersion: this.#promisedVersion, keptVersion: this.keptVersion };
    return new FsError(
      'STALE_VERSION',
      `chunk ${this.handle}: version ${version} was named, the replica is at ${this.#version}${term}${promise}${leaving}; ` +
        'look the chunk up again',
      { details: { ...details, term: this.#term } },
    );
  }
}

const NONE: readonly StagedMutation[] = [];
