/** A client that the primary remembers no longer, and the other members do. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATION_MEMORY_MS } from '@cairnfs/protocol';
import { MutationCluster } from './testing/mutation-cluster.ts';
import { append, until } from './testing/record-appends.ts';

const SOON_MS = 1_000;

test('forgotten client: a number that it uses again is a new operation, at every member', async () => {
  const cluster = new MutationCluster({ seed: 3, serverCount: 3 });
  equal((await until(cluster, append(cluster, 1), SOON_MS)).sequence, 1);
  await until(cluster, cluster.time.sleep(OPERATION_MEMORY_MS + 1), 2 * OPERATION_MEMORY_MS);
  equal((await until(cluster, append(cluster, 1, 2), SOON_MS)).sequence, 2); // another client: the first one is forgotten
  const { sequence, repeatedOperation } = await until(cluster, append(cluster, 1), SOON_MS);
  deepEqual([sequence, repeatedOperation], [3, false]);
  await until(cluster, cluster.time.sleep(SOON_MS), 2 * SOON_MS);
  deepEqual(
    cluster.servers.map(({ replica }) => replica!.log.committedSequence),
    [3, 3, 3],
  );
  deepEqual(cluster.master.view.members, [1, 2, 3]);
  deepEqual(
    cluster.servers.map(({ replica }) => replica!.operations.clientCount),
    [2, 2, 2],
  );
});
