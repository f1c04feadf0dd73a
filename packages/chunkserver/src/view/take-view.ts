/** One replica takes a view that its primary brings: durable before the answer, and the same again when it comes twice. */
import { FsError } from '@cairnfs/base';
import type { ChunkView, InstallViewReply } from '@cairnfs/protocol';
import { commitReplica, dropMutations } from '../mutation/commit.ts';
import type { MutableReplica } from '../mutation/replica-port.ts';

export interface ViewToTake {
  readonly view: ChunkView;
  readonly term: number;
  /** Refuse earlier terms and say what is staged; neither commit nor drop, unless the version is new here. */
  readonly fence: boolean;
}

/**
 * @returns what the replica holds, once that is on stable storage.
 * @throws FsError STALE_VERSION  a later view or term was promised or taken here, also while this one became durable.
 * @throws FsError DISK_FAILED  it may have become durable or not.
 */
export async function takeView(replica: MutableReplica, { view, term, fence }: ViewToTake): Promise<InstallViewReply> {
  const { log } = replica;
  const take = { version: view.version, term, base: view.baseSequence };
  // The primary may know the version from a read that proved it, or from an attempt that this server missed, while this
  // replica has only promised it, or is just being made: nothing was ever staged here under it, so its base is what the
  // replica starts from.
  const isPromised = view.version !== log.version && view.version === log.promisedVersion;
  const fencesOnly = fence && !isPromised && log.version !== 0;
  if (fencesOnly) log.fence(view.version, term);
  const keepsStaged = fencesOnly || log.checkInstall(take);
  if (!keepsStaged) {
    // Committed first, so that bytes become visible in order and what is dropped is exactly what lies above the base.
    commitReplica(replica, view.baseSequence);
    dropMutations(replica, log.install(take).dropped);
  }
  // A seal that was asked for with the lease may never have been logged.
  log.takeSeal(view.sealed);
  cutToBase(replica, view);
  // A view that comes twice must not say of later mutations that they were dropped.
  await new Promise<void>((durable, failed) => {
    if (keepsStaged) replica.journalTerm(view, durable, failed);
    else replica.journalView(view, durable, failed);
  });
  log.checkTerm(view.version, term);
  return {
    stagedSequence: log.durableSequence,
    committedSequence: log.committedSequence,
    committedLength: log.committedLength,
  };
}

/** An upload may have left more here than was confirmed; the first mutation must find the same end everywhere. */
function cutToBase(replica: MutableReplica, { handle, baseSequence, baseLength }: ChunkView): void {
  const { log } = replica;
  if (baseLength === undefined || baseSequence !== 0 || log.stagedSequence !== 0) return;
  if (log.committedLength < baseLength) {
    throw new FsError(
      'STALE_VERSION',
      `chunk ${handle}: ${baseLength} bytes were confirmed, this replica has ${log.committedLength}; it must be copied anew`,
      { details: { baseLength, committedLength: log.committedLength } },
    );
  }
  if (log.committedLength === baseLength) return;
  log.cut(baseLength);
  replica.applyCut(baseLength);
}
