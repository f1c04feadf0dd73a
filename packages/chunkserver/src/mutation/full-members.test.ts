/** Members without room for a mutation: the primary tells the master, itself included, and answers nothing for certain that is not. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { MutationCluster } from './testing/mutation-cluster.ts';
import { append, until } from './testing/record-appends.ts';

/** Some messages there and back, and writes to disks: far below every patience. */
const SOON_MS = 200;
const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

function clusterWithFull(seed: number, full: readonly number[]): MutationCluster {
  const cluster = new MutationCluster({ seed, serverCount: 3 });
  for (const id of full) cluster.server(id).journal.isFull = true;
  return cluster;
}

test('full members: a primary that cannot make its replica reports itself', async () => {
  for (const seed of SEEDS) {
    const cluster = clusterWithFull(seed, [1]);
    cluster.master.ofFull = new FsError('NOT_PRIMARY', 'the chunk is closed');
    await rejects(until(cluster, append(cluster, 1), SOON_MS), { kind: 'NOT_PRIMARY' });
    deepEqual(cluster.master.reportedFull, [1]);
  }
});

test('full members: a primary that cannot stage a mutation reports itself, and nothing of it was applied', async () => {
  for (const seed of SEEDS) {
    const cluster = clusterWithFull(seed, []);
    await until(cluster, append(cluster, 1), SOON_MS);
    cluster.server(1).journal.isFull = true;
    const refused = [2, 3, 4].map((number) => append(cluster, number));
    for (const one of refused) await rejects(until(cluster, one, SOON_MS), { kind: /NOT_PRIMARY|STALE_VERSION/ });
    deepEqual(cluster.master.reportedFull, [1]);
    equal((await until(cluster, append(cluster, 3), SOON_MS)).offset, 9);
    equal((await until(cluster, append(cluster, 2), SOON_MS)).repeatedOperation, false);
  }
});

test('full members: all that wait for a primary whose disk fills meanwhile hear of it, and nothing is staged', async () => {
  for (const seed of SEEDS) {
    const cluster = clusterWithFull(seed, []);
    cluster.master.ofFull = new FsError('NOT_PRIMARY', 'the chunk is closed');
    const waiting = [1, 2, 3, 4].map((number) => append(cluster, number));
    for (const one of waiting) one.catch(() => {}); // looked at later
    await cluster.time.run(() => cluster.server(1).replica !== undefined, cluster.time.nowMs + SOON_MS);
    cluster.server(1).journal.isFull = true;
    for (const one of waiting) await rejects(until(cluster, one, SOON_MS), { kind: /NOT_PRIMARY|STALE_VERSION/ });
    equal(cluster.server(1).replica!.log.stagedSequence, 0);
    const { reportedFull } = cluster.master;
    deepEqual([...new Set(reportedFull)], [1]);
    ok(reportedFull.length <= waiting.length);
  }
});

test('full members: secondaries that have no room, for the replica or for a mutation, are reported as full', async () => {
  for (const seed of SEEDS) {
    const fresh = clusterWithFull(seed, [3]);
    equal((await until(fresh, append(fresh, 1), SOON_MS)).offset, 0);
    deepEqual([fresh.master.reportedFull, fresh.master.view.members], [[3], [1, 2]]);
    const begun = clusterWithFull(seed, []);
    await until(begun, append(begun, 1), SOON_MS);
    begun.server(2).journal.isFull = true;
    equal((await until(begun, append(begun, 2), SOON_MS)).offset, 9);
    deepEqual([begun.master.reportedFull, begun.master.view.members], [[2], [1, 3]]);
  }
});

test('full members: of an empty chunk, a member is full as well whose disk has failed, or fails with its replica', async () => {
  for (const seed of SEEDS) {
    for (const id of [1, 3]) {
      for (const isBefore of [true, false]) {
        const cluster = new MutationCluster({ seed, serverCount: 3 });
        cluster.master.ofFull = new FsError('NOT_PRIMARY', 'the chunk is closed');
        const server = cluster.server(id);
        if (isBefore) server.failDisk();
        const first = append(cluster, 1);
        first.catch(() => {}); // looked at below
        if (!isBefore) {
          await cluster.time.run(() => server.replica !== undefined, cluster.time.nowMs + SOON_MS);
          server.failDisk();
        }
        await rejects(until(cluster, first, SOON_MS), { kind: 'NOT_PRIMARY' });
        deepEqual(cluster.master.reportedFull, [id]);
      }
    }
  }
});

test('full members: a sealed chunk gives way to no other, so whose disk fails is to be left out', async () => {
  for (const seed of SEEDS) {
    const cluster = new MutationCluster({ seed, serverCount: 3 });
    cluster.master.view = { ...cluster.master.view, sealed: true };
    cluster.server(1).failDisk();
    // The master of these tests has nothing to change a view with before a replica was made.
    await rejects(until(cluster, append(cluster, 1), SOON_MS), { kind: 'VIEW_TOO_SMALL' });
    deepEqual(cluster.master.reportedFull, []);
  }
});

test('full members: where the master knows of no room, only what was staged nowhere is told so', async () => {
  for (const seed of SEEDS) {
    const cluster = clusterWithFull(seed, []);
    cluster.master.ofFull = new FsError('NO_SPACE', 'no server has room');
    await until(cluster, append(cluster, 1), SOON_MS);
    cluster.server(3).journal.isFull = true;
    const isUnknown = (error: unknown) => error instanceof FsError && error.reaction === 'unknown';
    await rejects(until(cluster, append(cluster, 2), SOON_MS), isUnknown); // staged here, and by server 2
    cluster.server(1).journal.isFull = true;
    await rejects(until(cluster, append(cluster, 3), SOON_MS), { kind: 'NO_SPACE' });
  }
});
