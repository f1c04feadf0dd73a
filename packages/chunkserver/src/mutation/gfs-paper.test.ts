/** Promises of the paper (Ghemawat, Gobioff, Leung: The Google File System, 2003) that mutations keep or strengthen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, isFsError } from '@cairnfs/base';
import type { MutateReply } from '@cairnfs/protocol';
import { MutationCluster } from './testing/mutation-cluster.ts';
import { HANDLE } from './testing/scripted-master.ts';
import type { TestServer } from './testing/test-server.ts';

interface Mutation {
  readonly text: string;
  readonly number: number;
  readonly at?: number;
  readonly capacity?: number;
}

async function mutate(cluster: MutationCluster, { text, number, at, capacity = 0 }: Mutation): Promise<MutateReply> {
  const kind = at === undefined ? { $case: 'append' as const, value: true } : { $case: 'writeAt' as const, value: at };
  const operation = { client: Buffer.alloc(16, 1), number, settledBelow: 0 };
  let outcome: { reply: MutateReply } | { error: unknown } | undefined;
  cluster.mutate({ kind, operation, capacity }, Buffer.from(text)).then(
    (reply) => {
      outcome = { reply };
    },
    (error) => {
      outcome = { error };
    },
  );
  await cluster.time.run(() => outcome !== undefined, cluster.time.nowMs + 60_000);
  assert.ok(outcome !== undefined, `no answer to mutation ${number}`);
  if ('error' in outcome) throw outcome.error;
  return outcome.reply;
}

const contentOf = ({ replica }: TestServer) => Buffer.from(replica?.content ?? []).toString();

test('§3.1: the primary picks a serial order that all replicas follow', async () => {
  const cluster = new MutationCluster({ seed: 1, serverCount: 3 });
  let answered = 0;
  for (let number = 1; number <= 20; number += 1) {
    const request = { kind: { $case: 'append' as const, value: true }, operation: undefined, capacity: 0 };
    void cluster.mutate(request, Buffer.from(`${number};`)).then(() => {
      answered += 1;
    });
  }
  await cluster.time.run(() => answered === 20, 60_000);
  await cluster.time.run(() => false, cluster.time.nowMs + 1_000);
  const [first, ...others] = cluster.servers;
  assert.equal(contentOf(first!).split(';').length, 21);
  for (const other of others) assert.equal(contentOf(other), contentOf(first!));
});

test('§3.1: a write that fails at a secondary does not leave replicas inconsistent', async () => {
  const cluster = new MutationCluster({ seed: 2, serverCount: 3 });
  await mutate(cluster, { text: 'before;', number: 1 });
  cluster.server(3).crash();
  // Its server lease runs out, so that the view can change without it at once.
  await cluster.time.run(() => false, cluster.time.nowMs + 12_000);
  const reply = await mutate(cluster, { text: 'after;', number: 2 });
  assert.equal(reply.offset, 7);
  assert.deepEqual(cluster.master.view.members, [1, 2]);
  await cluster.time.run(() => false, cluster.time.nowMs + 1_000);
  assert.equal(contentOf(cluster.server(1)), 'before;after;');
  assert.equal(contentOf(cluster.server(2)), 'before;after;');
});

test('§3.1: an idle chunk gives its lease back, and the next mutation takes it again', async () => {
  const cluster = new MutationCluster({ seed: 3, serverCount: 3 });
  await mutate(cluster, { text: 'one;', number: 1 });
  await cluster.time.run(() => false, cluster.time.nowMs + 10_000);
  assert.deepEqual(cluster.server(1).mutations.held(), []);
  await mutate(cluster, { text: 'two;', number: 2 });
  assert.equal(contentOf(cluster.server(1)), 'one;two;');
});

test('§3.1: a lease is given back and renewed under the number of its grant', async () => {
  const cluster = new MutationCluster({ seed: 3, serverCount: 3 });
  await mutate(cluster, { text: 'one;', number: 1 });
  assert.deepEqual(
    cluster
      .server(1)
      .mutations.held()
      .map(({ lease }) => lease),
    [1],
  );
  await cluster.time.run(() => false, cluster.time.nowMs + 10_000);
  assert.deepEqual(cluster.master.released, [1]);
  await mutate(cluster, { text: 'two;', number: 2 });
  await cluster.time.run(() => false, cluster.time.nowMs + 10_000);
  assert.deepEqual(cluster.master.released, [1, 2]);
});

test('§3.3: a record is appended at an offset that the primary chooses and answers', async () => {
  const cluster = new MutationCluster({ seed: 4, serverCount: 3 });
  assert.equal((await mutate(cluster, { text: 'first', number: 1 })).offset, 0);
  assert.equal((await mutate(cluster, { text: 'second', number: 2 })).offset, 5);
});

test('§3.3: a record that does not fit goes to the next chunk, without padding', async () => {
  const cluster = new MutationCluster({ seed: 5, serverCount: 3 });
  await mutate(cluster, { text: 'x'.repeat(90), number: 1, capacity: 100 });
  await assert.rejects(mutate(cluster, { text: 'y'.repeat(11), number: 2, capacity: 100 }), (error) =>
    isFsError(error, 'CHUNK_FULL'),
  );
  assert.equal(cluster.server(1).replica?.log.committedLength, 90);
});

test('§3.3: a retried append leaves one copy of the record, where the paper leaves several', async () => {
  const cluster = new MutationCluster({ seed: 6, serverCount: 3 });
  const first = await mutate(cluster, { text: 'once', number: 1 });
  const again = await mutate(cluster, { text: 'once', number: 1 });
  assert.deepEqual([again.offset, again.sequence, again.repeatedOperation], [first.offset, first.sequence, true]);
  assert.equal(contentOf(cluster.server(1)), 'once');
});

test('§3.3: a retry across a crash of the primary leaves one copy of the record', async () => {
  const cluster = new MutationCluster({ seed: 7, serverCount: 3 });
  await mutate(cluster, { text: 'a;', number: 1 });
  cluster.server(1).crash();
  cluster.server(1).start();
  const again = await mutate(cluster, { text: 'a;', number: 1 });
  assert.equal(again.offset, 0);
  await mutate(cluster, { text: 'b;', number: 2 });
  assert.equal(contentOf(cluster.server(1)), 'a;b;');
});

/** From now on `server` refuses what it is to stage, until the returned function runs. */
function overload(server: TestServer): () => void {
  const { secondaries } = server.mutations;
  const stage = secondaries.stage.bind(secondaries);
  secondaries.stage = () => Promise.reject(new FsError('OVERLOADED', 'the journal prepares its next segment'));
  return () => {
    secondaries.stage = stage;
  };
}

test('§3.3: a secondary that has too much to do for a moment stays in the view', async () => {
  const cluster = new MutationCluster({ seed: 21, serverCount: 3 });
  await mutate(cluster, { text: 'first;', number: 1 });
  const relieve = overload(cluster.server(2));
  cluster.time.after(500, relieve);
  const answers: Promise<MutateReply>[] = [];
  for (let number = 2; number < 40; number += 1) {
    const operation = { client: Buffer.alloc(16, 1), number, settledBelow: 0 };
    const request = { kind: { $case: 'append' as const, value: true }, operation, capacity: 0 };
    answers.push(cluster.mutate(request, Buffer.from(`${number};`)));
  }
  let isDone = false;
  void Promise.all(answers).then(() => {
    isDone = true;
  });
  await cluster.time.run(() => isDone, cluster.time.nowMs + 4_000);
  assert.ok(isDone);
  assert.equal(cluster.master.view.version, 1);
  await cluster.time.run(() => false, cluster.time.nowMs + 100);
  const [first, ...others] = cluster.servers.map(contentOf);
  for (const other of others) assert.equal(other, first);
});

test('§3.3: a secondary that takes nothing for too long leaves the view', async () => {
  const cluster = new MutationCluster({ seed: 22, serverCount: 3 });
  await mutate(cluster, { text: 'first;', number: 1 });
  overload(cluster.server(2));
  await mutate(cluster, { text: 'second;', number: 2 });
  assert.deepEqual(cluster.master.view.members, [1, 3]);
  assert.equal(contentOf(cluster.server(1)), 'first;second;');
});

test('§3.1: a primary that was started anew does not say alone where the chunk ends', async () => {
  const cluster = new MutationCluster({ seed: 12, serverCount: 3 });
  for (const [index, text] of ['a;', 'b;'].entries()) {
    await mutate(cluster, { text, number: index + 1 });
    await cluster.time.run(() => false, cluster.time.nowMs + 100); // the commit point is durable everywhere
  }
  const primary = cluster.server(1);
  primary.crash();
  // The end of its journal is lost, from the second mutation on.
  const { records } = primary.journal;
  const lost = records.findIndex(({ record }) => record.kind === 'staged' && record.mutation.sequence === 2);
  assert.ok(lost > 0);
  records.splice(lost);
  primary.start();
  await cluster.time.run(() => false, cluster.time.nowMs + 2_000);
  const request = { handle: HANDLE, version: cluster.master.view.version, seal: false };
  let outcome: unknown;
  cluster.callServer(1, 'revokeLease', request).then(
    (reply) => {
      outcome = reply;
    },
    (error) => {
      outcome = error;
    },
  );
  await cluster.time.run(() => outcome !== undefined, cluster.time.nowMs + 10_000);
  assert.ok(isFsError(outcome, 'UNAVAILABLE'), `it answered ${JSON.stringify(outcome)}`);
});
