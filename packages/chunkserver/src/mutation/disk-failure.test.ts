/** The disk of a member fails under a mutation: nobody waits for the end of a time, and a retry applies nothing twice. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, isFsError } from '@cairnfs/base';
import type { MutateReply } from '@cairnfs/protocol';
import { MutationCluster } from './testing/mutation-cluster.ts';
import { append, until } from './testing/record-appends.ts';

/** Some messages there and back, and a write to a disk: far below every patience. */
const SOON_MS = 100;

/** A chunk that was mutated once, and a second mutation staged on server `id`, whose disk fails under it. */
async function failUnderMutation(
  seed: number,
  id: number,
): Promise<{ cluster: MutationCluster; second: Promise<MutateReply> }> {
  const cluster = new MutationCluster({ seed, serverCount: 3 });
  await until(cluster, append(cluster, 1), 10_000);
  const server = cluster.server(id);
  const second = append(cluster, 2);
  second.catch(() => {}); // looked at later
  await cluster.time.run(() => server.replica!.log.stagedSequence === 2, cluster.time.nowMs + 1_000);
  equal(server.replica!.log.durableSequence, 1);
  server.failDisk();
  return { cluster, second };
}

const contents = (cluster: MutationCluster) =>
  cluster.master.view.members.map((id) => Buffer.from(cluster.server(id).replica?.content ?? []).toString());

test('disk failure: what was in flight at the primary is answered as unknown at once, and a retry applies it once', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { cluster, second } = await failUnderMutation(seed, 1);
    await rejects(until(cluster, second, SOON_MS), (error) => error instanceof FsError && error.reaction === 'unknown');
    // The view changes meanwhile, with all that the others have staged of it.
    await cluster.time.run(() => false, cluster.time.nowMs + SOON_MS);
    deepEqual(cluster.master.view.members, [2, 3]);
    equal((await until(cluster, append(cluster, 2), SOON_MS)).offset, 9);
    await cluster.time.run(() => false, cluster.time.nowMs + 1_000);
    deepEqual(contents(cluster), Array(2).fill('record 1;record 2;'));
  }
});

test('disk failure: a secondary says so, and the mutation is acknowledged by the view without it', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { cluster, second } = await failUnderMutation(seed, 3);
    equal((await until(cluster, second, SOON_MS)).offset, 9);
    deepEqual(cluster.master.view.members, [1, 2]);
    await cluster.time.run(() => false, cluster.time.nowMs + 1_000);
    deepEqual(contents(cluster), Array(2).fill('record 1;record 2;'));
  }
});

test('disk failure: a primary whose disk failed while it took its view leaves it to the others', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const cluster = new MutationCluster({ seed, serverCount: 3 });
    const first = append(cluster, 1);
    first.catch(() => {});
    const server = cluster.server(1);
    await cluster.time.run(() => server.replica?.log.version === 1, cluster.time.nowMs + 1_000);
    server.failDisk();
    await cluster.time.run(() => cluster.master.view.members[0] === 2, cluster.time.nowMs + SOON_MS);
    deepEqual(cluster.master.view.members, [2, 3]);
    await rejects(until(cluster, first, SOON_MS), (error) => error instanceof FsError && error.reaction !== 'never');
    equal((await until(cluster, append(cluster, 1), SOON_MS)).offset, 0);
  }
});

test('disk failure: where too few are left the caller is told what is wrong with the others', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { cluster, second } = await failUnderMutation(seed, 3);
    cluster.server(2).failDisk();
    const isTold = (error: unknown) =>
      isFsError(error, 'VIEW_TOO_SMALL') && /^\d members left: server [23]: [A-Z_]+: \S/.test(error.message);
    await rejects(until(cluster, second, SOON_MS), isTold);
  }
});
