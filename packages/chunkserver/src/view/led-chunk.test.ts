/** What a server says of a chunk that it has led: where ends all that it ever acknowledged. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { type FsError, toFsError } from '@cairnfs/base';
import type { MutateReply, PrepareViewReply } from '@cairnfs/protocol';
import { MutationCluster } from '../mutation/testing/mutation-cluster.ts';
import { HANDLE } from '../mutation/testing/scripted-master.ts';

const RECORD = Buffer.from('a record;');

function append(cluster: MutationCluster): Promise<MutateReply> {
  const kind = { $case: 'append' as const, value: true };
  const reply = cluster.mutate({ kind, operation: undefined, capacity: 0 }, RECORD);
  reply.catch(() => {}); // looked at later, where it matters
  return reply;
}

async function until<T>(cluster: MutationCluster, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {}); // awaited below
  await cluster.time.run(() => isDone, cluster.time.nowMs + 30_000); // also for a server lease to run out
  return done;
}

/** A chunk of three members with one mutation that is acknowledged. */
async function ledChunk(seed = 1): Promise<MutationCluster> {
  const cluster = new MutationCluster({ seed, serverCount: 3 });
  await until(cluster, append(cluster));
  await cluster.time.run(() => false, cluster.time.nowMs + 100);
  return cluster;
}

function prepare(cluster: MutationCluster, serverId: number, newVersion = 2): Promise<PrepareViewReply> {
  const request = { handle: HANDLE, oldVersion: 1, newVersion, removed: false, masterSession: 1, serverId };
  return cluster.callServer(serverId, 'prepareView', { ...request, committedSequence: 0 }) as Promise<PrepareViewReply>;
}

async function refusalOf(cluster: MutationCluster, work: Promise<unknown>): Promise<FsError | undefined> {
  return until(
    cluster,
    work.then(
      () => undefined,
      (error: unknown) => toFsError(error),
    ),
  );
}

test('led chunk: only the server that leads it knows what was acknowledged, until it is started anew', async () => {
  for (const [id, isStartedAnew, hasLed] of [
    [1, false, true],
    [2, false, false],
    [1, true, false],
  ] as const) {
    const cluster = await ledChunk();
    if (isStartedAnew) {
      cluster.server(id).crash();
      cluster.server(id).start();
    }
    const reply = await until(cluster, prepare(cluster, id));
    deepEqual([reply.stagedSequence, reply.hasLed], [1, hasLed]);
    // An attempt that follows hears the same.
    equal((await until(cluster, prepare(cluster, id, 3))).hasLed, hasLed);
  }
});

test('led chunk: what becomes READY behind the promise is neither committed nor acknowledged', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const cluster = await ledChunk(seed);
    const { log } = cluster.server(1).replica!;
    const second = append(cluster);
    await cluster.time.run(() => log.stagedSequence === 2, cluster.time.nowMs + 1_000);
    const { primaries } = cluster.server(1).mutations;
    equal(primaries.isServing(HANDLE), true);
    const promised = cluster.server(1).mutations.prepareView({
      ...{ handle: HANDLE, oldVersion: 1, newVersion: 2, removed: false, masterSession: 1, serverId: 1 },
      committedSequence: 0,
      disk: '',
    });
    equal((await refusalOf(cluster, second))?.reaction, 'unknown');
    const { message } = await until(cluster, promised);
    deepEqual([message.committedSequence, message.stagedSequence, message.hasLed], [1, 2, true]);
    await cluster.time.run(() => false, cluster.time.nowMs + 1_000);
    deepEqual(
      [2, 3].map((id) => cluster.server(id).replica!.log.durableSequence),
      [2, 2],
    );
    equal(log.committedSequence, 1);
  }
});

test('led chunk: what its primary acknowledged just before it died is kept by those who do not know that', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const cluster = await ledChunk(seed);
    cluster.master.endsWhereLed = true;
    await until(cluster, append(cluster));
    cluster.server(1).crash();
    await until(cluster, cluster.master.change([1]));
    deepEqual(
      [2, 3].map((id) => cluster.server(id).replica!.log.committedSequence),
      [1, 1],
    );
    equal(cluster.master.view.baseSequence, 2);
  }
});

test('led chunk: a primary whose disk failed says what it committed, for as long as it knows', async () => {
  const cluster = await ledChunk();
  cluster.server(1).failDisk();
  const refusal = await refusalOf(cluster, prepare(cluster, 1));
  const { ledSequence, ledLength } = refusal!.details;
  deepEqual([refusal!.kind, Number(ledSequence), Number(ledLength)], ['CHUNK_NOT_FOUND', 1, RECORD.length]);
  cluster.server(1).crash();
  cluster.server(1).start();
  equal((await refusalOf(cluster, prepare(cluster, 1)))?.details.ledSequence, undefined);
});
