/** Appends to the chunk of a `MutationCluster`, and a limit to how long they take. */
import type { MutateReply } from '@cairnfs/protocol';
import type { MutationCluster } from './mutation-cluster.ts';

export function append(cluster: MutationCluster, number: number, client = 1): Promise<MutateReply> {
  const operation = { client: Buffer.alloc(16, client), number, settledBelow: 0 };
  const kind = { $case: 'append' as const, value: true };
  return cluster.mutate({ kind, operation, capacity: 0 }, Buffer.from(`record ${number};`));
}

/** What comes of `work`, within so much of the cluster's time. */
export async function until<T>(cluster: MutationCluster, work: Promise<T>, withinMs: number): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {}); // awaited below, unless it takes too long
  await cluster.time.run(() => isDone, cluster.time.nowMs + withinMs);
  if (!isDone) throw new Error(`no answer within ${withinMs} ms`);
  return done;
}
