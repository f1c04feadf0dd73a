import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { toFsError } from '@cairnfs/base';
import type { CallOptions, RpcChannel } from '@cairnfs/protocol';
import { MutationCluster } from '../mutation/testing/mutation-cluster.ts';
import { HANDLE } from '../mutation/testing/scripted-master.ts';
import type { TestServer } from '../mutation/testing/test-server.ts';

const VERSION = 1;

interface Begun {
  /** The offset, or the kind of the refusal. */
  outcome?: number | string;
}

function beginAppend(cluster: MutationCluster, text: string): Begun {
  const begun: Begun = {};
  const request = { kind: { $case: 'append' as const, value: true }, operation: undefined, capacity: 0 };
  cluster.mutate(request, Buffer.from(text)).then(
    ({ offset }) => {
      begun.outcome = offset;
    },
    (error) => {
      begun.outcome = toFsError(error).kind;
    },
  );
  return begun;
}

async function outcomeOf(cluster: MutationCluster, begun: Begun): Promise<number | string> {
  await cluster.time.run(() => begun.outcome !== undefined, cluster.time.nowMs + 10_000);
  return begun.outcome!;
}

/** @returns the offset, or the kind of the refusal. */
async function append(cluster: MutationCluster, text: string): Promise<number | string> {
  return outcomeOf(cluster, beginAppend(cluster, text));
}

/** An append that has got as far as to ask server 2 for its replica; the returned function lets that answer. */
async function appendUntilAsked(cluster: MutationCluster) {
  const { secondaries } = cluster.server(2).mutations;
  const installView = secondaries.installView.bind(secondaries);
  let isAsked = false;
  let goOn = () => {};
  const isFree = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  secondaries.installView = async (request) => {
    isAsked = true;
    await isFree;
    return installView(request);
  };
  const begun = beginAppend(cluster, 'first;');
  await cluster.time.run(() => isAsked, cluster.time.nowMs + 1_000);
  equal(isAsked, true);
  return { begun, goOn };
}

const PREPARE = { handle: HANDLE, oldVersion: 1, newVersion: 2, removed: false, masterSession: 1, serverId: 1 };
const REVOKE = { handle: HANDLE, version: 1, seal: false };

for (const [method, request] of Object.entries({ prepareView: PREPARE, revokeLease: REVOKE })) {
  test(`view round: ${method} ends one that has made no replica yet`, async () => {
    const cluster = new MutationCluster({ seed: 3, serverCount: 3 });
    const { begun, goOn } = await appendUntilAsked(cluster);
    let refusal: string | undefined;
    cluster.callServer(1, method, request).catch((error: unknown) => {
      refusal = toFsError(error).kind;
    });
    await cluster.time.run(() => refusal !== undefined, cluster.time.nowMs + 1_000);
    goOn();
    equal(refusal, 'CHUNK_NOT_FOUND');
    equal(await outcomeOf(cluster, begun), 'NOT_PRIMARY');
    equal(cluster.server(1).replica, undefined);
  });
}

test('view round: none goes on without the server lease, under which alone others count on it', async () => {
  const cluster = new MutationCluster({ seed: 5, serverCount: 3 });
  const { begun, goOn } = await appendUntilAsked(cluster);
  // As when its process stood still: members that are started anew meanwhile know nothing of what was asked of them before.
  const { context } = cluster.server(1);
  Object.assign(context, { mayServe: () => false, serverLeaseLeftMs: () => 0 });
  goOn();
  const outcome = await outcomeOf(cluster, begun);
  const made = cluster.servers.filter(({ replica }) => replica !== undefined);
  deepEqual([outcome, made.map(({ id }) => id)], ['NOT_PRIMARY', []]);
});

test('view round: what waits for a connection is given up when the server lease ends', async () => {
  const cluster = new MutationCluster({ seed: 11, serverCount: 3 });
  const timeouts: number[] = [];
  const call = (_method: unknown, _request: unknown, { timeoutMs }: CallOptions) => {
    timeouts.push(timeoutMs);
    return new Promise<never>(() => {});
  };
  const { context } = cluster.server(1);
  context.peers.channel = () => ({ call }) as unknown as RpcChannel;
  Object.assign(context, { serverLeaseLeftMs: () => 700 });
  const mutation = { kind: { $case: 'append' as const, value: true }, operation: undefined, capacity: 0 };
  cluster.mutate(mutation, Buffer.from('first;')).catch(() => {}); // it does not come about
  await cluster.time.run(() => timeouts.length === 2, cluster.time.nowMs + 1_000);
  deepEqual(timeouts, [700, 700]);
});

/** Server 1 has 60 ms of its lease left, and more once a member was asked: a call under way by then keeps the time it has. */
function renewLeaseLate(cluster: MutationCluster): void {
  let leftMs = 60;
  Object.assign(cluster.server(1).context, { serverLeaseLeftMs: () => leftMs });
  for (const id of [2, 3]) {
    const { secondaries } = cluster.server(id).mutations;
    const installView = secondaries.installView.bind(secondaries);
    secondaries.installView = async (request) => {
      cluster.time.after(20, () => {
        leftMs = 9_000;
      });
      await cluster.time.sleep(70); // its disk is slow
      return installView(request);
    };
  }
}

function restart(server: TestServer): void {
  server.crash();
  server.start();
}

test('view round: members that are asked for replicas while the server lease is renewed have not failed', async () => {
  const cluster = new MutationCluster({ seed: 12, serverCount: 3 });
  renewLeaseLate(cluster);
  equal(await append(cluster, 'first;'), 'NOT_PRIMARY');
  equal(await append(cluster, 'again;'), 0);
  deepEqual([cluster.master.view.version, cluster.master.view.members], [VERSION, [1, 2, 3]]);
});

test('view round: members that take a view while the server lease is renewed have not failed', async () => {
  const cluster = new MutationCluster({ seed: 12, serverCount: 3 });
  equal(await append(cluster, 'before;'), 0);
  restart(cluster.server(1));
  renewLeaseLate(cluster);
  equal(await append(cluster, 'first;'), 'NOT_PRIMARY');
  equal(await append(cluster, 'again;'), 7);
  deepEqual([cluster.master.view.version, cluster.master.view.members], [VERSION, [1, 2, 3]]);
});

test('view round: a member that is gone is found so by the next one, when the server lease left no time to', async () => {
  const cluster = new MutationCluster({ seed: 13, serverCount: 3 });
  equal(await append(cluster, 'before;'), 0);
  restart(cluster.server(1));
  renewLeaseLate(cluster);
  cluster.server(3).crash();
  equal(await append(cluster, 'first;'), 'NOT_PRIMARY');
  equal(cluster.master.view.version, VERSION);
  beginAppend(cluster, 'again;'); // it may give up before the lease of the one that is gone has
  await cluster.time.run(() => cluster.master.view.version > VERSION, cluster.time.nowMs + 30_000);
  deepEqual(cluster.master.view.members, [1, 2]);
});

/** It restarts with an empty disk. */
function loseDisk(server: TestServer): void {
  server.crash();
  server.journal.records = [];
  server.start();
}

test('view round: a primary that lost its replica leads no longer, and makes no empty one', async () => {
  const cluster = new MutationCluster({ seed: 1, serverCount: 3 });
  equal(await append(cluster, 'first;'), 0);
  loseDisk(cluster.server(1));
  equal(await append(cluster, 'refused;'), 'NOT_PRIMARY');
  equal(cluster.server(1).replica, undefined);
  deepEqual(cluster.master.view.members, [2, 3]);
  equal(await append(cluster, 'second;'), 6);
});

test('view round: members of a later term have data, and stay when the primary that lost its replica goes', async () => {
  const cluster = new MutationCluster({ seed: 4, serverCount: 3 });
  equal(await append(cluster, 'first;'), 0);
  cluster.server(1).crash();
  cluster.server(1).start();
  equal(await append(cluster, 'again;'), 6);
  loseDisk(cluster.server(1));
  equal(await append(cluster, 'refused;'), 'NOT_PRIMARY');
  deepEqual(cluster.master.view.members, [2, 3]);
  equal(await append(cluster, 'second;'), 12);
});

test('view round: of two members that lost their replicas neither gets an empty one', async () => {
  const cluster = new MutationCluster({ seed: 2, serverCount: 3 });
  equal(await append(cluster, 'first;'), 0);
  loseDisk(cluster.server(1));
  loseDisk(cluster.server(3));
  equal(await append(cluster, 'refused;'), 'VIEW_TOO_SMALL');
  deepEqual(
    cluster.servers.map(({ replica }) => replica?.log.stagedSequence),
    [undefined, 1, undefined],
  );
  equal(cluster.master.view.version, VERSION);
});

test('view round: what an earlier version has left staged is no reason to make no replicas where it is in no base', async () => {
  const cluster = new MutationCluster({ seed: 5, serverCount: 3 });
  const server = cluster.server(1);
  const request = { kind: { $case: 'append' as const, value: true }, operation: undefined, capacity: 0 };
  let isRefused = false;
  cluster.mutate(request, Buffer.from('dropped;')).catch(() => {
    isRefused = true;
  });
  await cluster.time.run(() => server.replica?.log.stagedSequence === 1, cluster.time.nowMs + 1_000);
  for (const id of [2, 3]) cluster.server(id).crash(); // before they have staged it
  await cluster.time.run(() => isRefused, cluster.time.nowMs + 30_000);
  const { log } = server.replica!;
  equal(log.durableSequence, 1);
  for (const id of [2, 3]) loseDisk(cluster.server(id));
  // A view of members that are new to the chunk.
  const version = log.promisedVersion + 1; // some were tried in vain
  void cluster.callServer(1, 'prepareView', { ...PREPARE, newVersion: version, committedSequence: 0 });
  await cluster.time.run(() => log.promisedVersion === version, cluster.time.nowMs + 1_000);
  cluster.master.view = { ...cluster.master.view, version, baseSequence: 0, baseLength: 0 };
  equal(await append(cluster, 'first;'), 0);
});

test('view round: a primary makes no replica for a view that comes after a later one was asked to be promised', async () => {
  const cluster = new MutationCluster({ seed: 6, serverCount: 3 });
  cluster.server(2).crash();
  let goOn = () => {};
  let isReported = false;
  const { view } = cluster.master;
  cluster.master.report = async () => {
    isReported = true;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    return { view: { ...view, version: 2, members: [1, 3], addresses: ['server-1:1', 'server-3:1'], lease: 9 } };
  };
  const begun = beginAppend(cluster, 'first;');
  await cluster.time.run(() => isReported, cluster.time.nowMs + 10_000);
  equal(isReported, true);
  for (const id of [1, 3]) {
    for (const [oldVersion, newVersion] of [
      [1, 2],
      [2, 3],
    ]) {
      const request = { ...PREPARE, oldVersion, newVersion, serverId: id, committedSequence: 0 };
      let refusal: string | undefined;
      cluster.callServer(id, 'prepareView', request).catch((error: unknown) => {
        refusal = toFsError(error).kind;
      });
      await cluster.time.run(() => refusal !== undefined, cluster.time.nowMs + 1_000);
      equal(refusal, 'CHUNK_NOT_FOUND');
    }
  }
  goOn();
  await outcomeOf(cluster, begun);
  equal(cluster.server(1).replica, undefined, 'it would be read at a version that is over');
});

test('view round: what it asks for is withdrawn when a later version is to be promised', async () => {
  const cluster = new MutationCluster({ seed: 7, serverCount: 3 });
  const signals: (AbortSignal | undefined)[] = [];
  // As while there is no connection: what waits for one reaches whoever runs there then.
  const call = (_method: unknown, _request: unknown, { signal }: CallOptions) => {
    signals.push(signal);
    return new Promise<never>(() => {});
  };
  cluster.server(1).context.peers.channel = () => ({ call }) as unknown as RpcChannel;
  const mutation = { kind: { $case: 'append' as const, value: true }, operation: undefined, capacity: 0 };
  cluster.mutate(mutation, Buffer.from('first;')).catch(() => {}); // it does not come about
  await cluster.time.run(() => signals.length === 2, cluster.time.nowMs + 1_000);
  cluster.callServer(1, 'prepareView', PREPARE).catch(() => {}); // it has no replica
  await cluster.time.run(() => signals[0]?.aborted === true, cluster.time.nowMs + 1_000);
  deepEqual(
    signals.map((signal) => signal?.aborted),
    [true, true],
  );
});

test('view round: a seal that the master did not come to log is over with the next lease', async () => {
  const cluster = new MutationCluster({ seed: 8, serverCount: 3 });
  equal(await append(cluster, 'first;'), 0);
  // The master ends before it has the answer on its disk; the next one finds the chunk open, and not sealed.
  let isRevoked = false;
  void cluster.callServer(1, 'revokeLease', { ...REVOKE, seal: true }).then(() => {
    isRevoked = true;
  });
  await cluster.time.run(() => isRevoked, cluster.time.nowMs + 1_000);
  equal(isRevoked, true);
  equal(await append(cluster, 'second;'), 6);
  cluster.server(1).crash();
  cluster.server(1).start();
  equal(await append(cluster, 'third;'), 13);
});

test('view round: an older view that comes late takes nothing from the primary of a later one', async () => {
  const cluster = new MutationCluster({ seed: 9, serverCount: 3 });
  equal(await append(cluster, 'first;'), 0);
  const { view } = cluster.master;
  cluster.server(3).crash();
  await append(cluster, 'second;'); // nobody waits for as long as the lease of the one that is gone may last
  const { primaries, secondaries } = cluster.server(1).mutations;
  const isServing = () => cluster.master.view.version > view.version && primaries.isServing(HANDLE);
  await cluster.time.run(isServing, cluster.time.nowMs + 60_000);
  equal(isServing(), true);
  await rejects(secondaries.installView({ view, term: 1, fence: false, create: false }), { kind: 'STALE_VERSION' });
  equal(primaries.isServing(HANDLE), true);
});
