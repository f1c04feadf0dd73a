/** What a master hears of one replica: its state in a `ReplicaReport`. */
import { ReplicaCondition, ReplicaReport } from '@cairnfs/protocol';
import type { Replica } from './replica.ts';
import type { SoundReplica } from './stored-pages.ts';

const BLOCKS_NAMED_MAX = 8;

export function describeReplica({ handle, log, corruptBlocks, view, members }: Replica): ReplicaReport {
  const { version, promisedVersion, committedLength: length, committedSequence: sequence } = log;
  const isUploading = view === undefined && version === 1 && members.length > 0;
  const { isRemoved: removed, keptVersion, isLearner } = log;
  const corrupt = [...corruptBlocks];
  return reportOf({
    ...{ handle, version, promisedVersion, length, sequence },
    ...{ isUploading, removed, keptVersion, isLearner, corruptBlocks: corrupt },
  });
}

/** As `describeReplica` of the object that would be made of it. */
export function describeStored({ handle, state, point }: SoundReplica): ReplicaReport {
  const { version, corruptBlocks, members, view, isRemoved: removed, keptVersion, isLearner } = state;
  const promisedVersion = Math.max(state.promisedVersion, version);
  const isUploading = view.length === 0 && version === 1 && members.length > 0;
  return reportOf({
    ...{ handle, version, promisedVersion, length: point.length, sequence: point.sequence },
    ...{ isUploading, removed, keptVersion, isLearner, corruptBlocks },
  });
}

export function unreadable(handle: string): ReplicaReport {
  const condition = ReplicaCondition.REPLICA_CONDITION_CORRUPT;
  return ReplicaReport.fromPartial({ handle, condition, message: 'its entry in the index is damaged' });
}

function reportOf(facts: {
  handle: string;
  version: number;
  promisedVersion: number;
  length: number;
  sequence: number;
  isUploading: boolean;
  removed: boolean;
  keptVersion: number;
  isLearner: boolean;
  corruptBlocks: readonly number[];
}): ReplicaReport {
  const { handle, version, promisedVersion, length, sequence, isUploading, removed, isLearner, corruptBlocks } = facts;
  const keptVersion = removed ? Math.max(facts.keptVersion, version) : 0;
  const isCorrupt = corruptBlocks.length > 0;
  const condition = isCorrupt
    ? ReplicaCondition.REPLICA_CONDITION_CORRUPT
    : isUploading
      ? ReplicaCondition.REPLICA_CONDITION_UPLOADING
      : ReplicaCondition.REPLICA_CONDITION_PRESENT;
  const named = corruptBlocks.slice(0, BLOCKS_NAMED_MAX).join(', ');
  const message = isCorrupt ? `blocks ${named} do not match their checksums` : '';
  const pendingVersion = promisedVersion > version ? promisedVersion : 0;
  return { handle, version, length, condition, message, pendingVersion, removed, keptVersion, sequence, isLearner };
}
