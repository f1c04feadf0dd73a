/** Whether a failure within a tree is that of one file, or would meet all that follow it too. */
import { isFsError, UNREACHABLE } from '@cairnfs/base';
import type { CairnClient } from '../client.ts';
import type { CallOptions } from '../options.ts';

/** Of the cluster and not of one file: the next would fail for it too, perhaps after as long a wait. */
const FAILURES_OF_ALL = [
  ...(['NO_SPACE', 'NOT_ENOUGH_SERVERS', 'SAFE_MODE', 'OVERLOADED', 'UNAVAILABLE'] as const),
  ...(['CLUSTER_MISMATCH', 'PROTOCOL_MISMATCH', 'UNKNOWN_METHOD', 'CANCELLED'] as const),
];

/** A file may be out of reach alone, with the servers of its chunks; without the master all are: it is asked. */
export async function concernsAll(
  client: Pick<CairnClient, 'stat'>,
  error: unknown,
  options: CallOptions,
): Promise<boolean> {
  if (options.signal?.aborted || isFsError(error, ...FAILURES_OF_ALL)) return true;
  if (!isFsError(error, ...UNREACHABLE)) return false;
  return client.stat('/', options).then(
    () => false,
    () => true,
  );
}
