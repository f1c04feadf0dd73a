/** Moves the commit point of one replica, and drops mutations that no view counts: log, operations and bytes together. */
import { type MutationLog, releaseMutation, type StagedMutation } from './mutation-log.ts';
import type { Failed, MutableReplica } from './replica-port.ts';

/** Commits up to `sequence`, which must be durable here, and makes the bytes visible. */
export function commitReplica(replica: MutableReplica, sequence: number): readonly StagedMutation[] {
  const committed = replica.log.commit(sequence);
  if (committed.length === 0) return committed;
  replica.applyCommitted(committed);
  for (const mutation of committed) releaseMutation(mutation);
  return committed;
}

/** What `MutationLog.install` dropped: a retry of these operations is new again. */
export function dropMutations(replica: MutableReplica, dropped: readonly StagedMutation[]): void {
  if (dropped.length === 0) return;
  replica.forgetDropped(dropped);
  for (const mutation of dropped) {
    if (mutation.operation !== undefined) replica.operations.drop(mutation.operation, mutation.sequence);
    releaseMutation(mutation);
  }
}

/** Stages the next mutation: journal first, because only it may refuse; then log and operation table. */
export function stageMutation(replica: MutableReplica, mutation: StagedMutation, options: StageOptions): void {
  const { log, operations } = replica;
  const durable = (): void => {
    log.markDurable(mutation);
    options.durable();
  };
  replica.journalStaged(mutation, log.committedSequence, durable, options.failed);
  mutation.memory?.retain();
  log.stage(mutation);
  const { operation, sequence, offset, bytes } = mutation;
  if (operation === undefined) return;
  operations.add(operation, { sequence, offset, length: bytes.length }, options.nowMs);
}

export interface StageOptions {
  readonly nowMs: number;
  /** Runs after `log` counts the mutation as durable, also when it was dropped meanwhile. Never within the call. */
  readonly durable: () => void;
  /** The disk failed first: the mutation may be on it or not, and nobody may count it. Never within the call. */
  readonly failed: Failed;
}

/** Length of the chunk after bytes at `offset`. */
export function lengthAfter(log: MutationLog, offset: number, length: number): number {
  return Math.max(log.stagedLength, offset + length);
}
