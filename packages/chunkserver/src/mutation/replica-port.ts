/**
 * What mutations and views need of a replica on a disk. The state machines (`MutationLog`, `OperationTable`) decide;
 * the port makes decisions durable and bytes visible. Journal records of one replica become durable in the order of
 * the calls: a promise that is durable has everything staged before it under it. Apart from `journalStaged` the calls
 * do not throw. Of `durable` and `failed` exactly one runs: `failed` with DISK_FAILED when the disk failed, or the replica
 * left it; the replica is no longer found then, and whether a restart finds the record is not known.
 */
import type { FsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import type { MutationLog, StagedMutation } from './mutation-log.ts';
import type { OperationTable } from './operation-table.ts';

export type Failed = (failure: FsError) => void;

export interface MutableReplica {
  readonly handle: string;
  readonly log: MutationLog;
  readonly operations: OperationTable;
  /** The view last installed; undefined for an upload that was never opened. */
  readonly view: ChunkView | undefined;

  /**
   * Journals one staged mutation with its bytes, and the commit point known now; `durable` runs once it is on stable
   * storage, neither of both within the call. The bytes must not change before that.
   *
   * @throws FsError OVERLOADED, NO_SPACE, DISK_FAILED  nothing was journalled.
   */
  journalStaged(mutation: StagedMutation, committedSequence: number, durable: () => void, failed: Failed): void;
  /** Journals the commit point. */
  journalCommitted(committedSequence: number, durable: () => void, failed: Failed): void;
  /** Journals the promise that `log` holds. */
  journalPromise(durable: () => void, failed: Failed): void;
  /** Journals version, term, commit point and seal that `log` holds, with the view, and that nothing is staged above. */
  journalView(view: ChunkView, durable: () => void, failed: Failed): void;
  /** Journals that term and view were taken while the staged tail stays. */
  journalTerm(view: ChunkView, durable: () => void, failed: Failed): void;
  /** Journals that the chunk may not grow any more. */
  journalSealed(durable: () => void, failed: Failed): void;
  /** Makes the bytes visible to reads and the length known, in sequence order. The bytes may be reused afterwards. */
  applyCommitted(mutations: readonly StagedMutation[]): void;
  /** Forgets what it keeps of mutations that were dropped. */
  forgetDropped(mutations: readonly StagedMutation[]): void;
  /** Cuts an uploaded replica to the length confirmed; `log.cut` was called. */
  applyCut(length: number): void;
}

export interface MutableReplicas {
  find(handle: string): MutableReplica | undefined;
  /**
   * Makes an empty replica of the view's chunk at version 0: `journalView` gives it its version.
   *
   * @param disk the disk's id; empty: the server's choice.
   * @throws FsError NO_SPACE, DISK_FAILED
   */
  create(view: ChunkView, disk: string): MutableReplica;
  /** The disk of that id is one of the server's, and works. */
  isInService(disk: string): boolean;
  /** An entry of the chunk is here and cannot be read. */
  isUnreadable(handle: string): boolean;
  /** Another disk in service than the one of that id has room for a chunk. */
  hasRoomBeside(disk: string): boolean;
}
