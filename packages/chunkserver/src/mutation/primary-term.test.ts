import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, FsError } from '@cairnfs/base';
import { createRpcPool } from '@cairnfs/protocol';
import { LEASE_IDLE_MS, PEER_CALL_TIMEOUT_MS, STAGE_TIMEOUT_MS } from './limits.ts';
import { MutationCluster } from './testing/mutation-cluster.ts';
import { append, until } from './testing/record-appends.ts';

const SOON_MS = 200;

/** From now on the pool of server 1 has no room for some addresses. */
function refuseChannels(cluster: MutationCluster, isRefused: (address: Address) => boolean): void {
  const { context } = cluster.server(1);
  const { clock, log, peers } = context;
  const random = { uint32: () => 0, bytes: (length: number) => new Uint8Array(length) };
  const unreachable = () => Promise.reject(new FsError('CONNECTION_REFUSED', 'no network here'));
  const network = { connect: unreachable, listen: unreachable };
  const full = createRpcPool({ clock, log, random, network, channelsMax: 0 });
  const channel = peers.channel.bind(peers);
  peers.channel = (address) => (isRefused(address) ? full : { channel }).channel(address);
}

test('primary term: members that there is no room to call are sent the mutation again, until there is', async () => {
  const cluster = new MutationCluster({ seed: 1, serverCount: 3 });
  await until(cluster, append(cluster, 1), SOON_MS);
  let isFull = true;
  refuseChannels(cluster, () => isFull);
  cluster.time.after(SOON_MS, () => {
    isFull = false;
  });
  const reply = await until(cluster, append(cluster, 2), 2 * SOON_MS);
  deepEqual([reply.offset, cluster.master.view.version], [9, 1]);
});

test('primary term: a member that there is no room to call for long is left out like one that is silent', async () => {
  const cluster = new MutationCluster({ seed: 2, serverCount: 3 });
  await until(cluster, append(cluster, 1), SOON_MS);
  refuseChannels(cluster, (address) => address === 'server-3:1');
  const reply = await until(cluster, append(cluster, 2), STAGE_TIMEOUT_MS + 5_000);
  equal(reply.offset, 9);
  deepEqual(cluster.master.view.members, [1, 2]);
});

test('primary term: a member that there is no room to call when a view is brought to it is asked again, until there is', async () => {
  const cluster = new MutationCluster({ seed: 3, serverCount: 3 });
  let isFull = true;
  refuseChannels(cluster, (address) => address === 'server-3:1' && isFull);
  cluster.time.after(SOON_MS, () => {
    isFull = false;
  });
  const reply = await until(cluster, append(cluster, 1), 2 * SOON_MS);
  deepEqual([reply.offset, cluster.master.view.version], [0, 1]);
});

test('primary term: a member that there is no room to call for long has no part in the view', async () => {
  const cluster = new MutationCluster({ seed: 4, serverCount: 3 });
  await until(cluster, append(cluster, 1), SOON_MS);
  cluster.server(1).crash();
  cluster.server(1).start();
  refuseChannels(cluster, (address) => address === 'server-3:1');
  const reply = await until(cluster, append(cluster, 2), PEER_CALL_TIMEOUT_MS + 5_000);
  equal(reply.offset, 9);
  deepEqual(cluster.master.view.members, [1, 2]);
});

test('primary term: the last commit point is brought to a member when there is room to call it again, and the lease given back', async () => {
  const cluster = new MutationCluster({ seed: 5, serverCount: 3 });
  await until(cluster, append(cluster, 1), SOON_MS);
  await cluster.time.run(() => false, cluster.time.nowMs + LEASE_IDLE_MS / 2);
  let refusedAtMs: number | undefined;
  refuseChannels(cluster, (address) => {
    if (address !== 'server-3:1') return false;
    refusedAtMs ??= cluster.time.nowMs;
    return cluster.time.nowMs < refusedAtMs + SOON_MS;
  });
  await cluster.time.run(() => cluster.master.released.length > 0, cluster.time.nowMs + LEASE_IDLE_MS);
  deepEqual([cluster.master.released.length, cluster.master.view.version], [1, 1]);
});

test('primary term: a member that there is no room to call in what is left of the server lease has not failed', async () => {
  const cluster = new MutationCluster({ seed: 6, serverCount: 3 });
  const leaseMs = 60;
  let leftMs = leaseMs;
  Object.assign(cluster.server(1).context, { serverLeaseLeftMs: () => leftMs });
  cluster.time.after(leaseMs / 2, () => {
    leftMs = 9_000;
  });
  const untilMs = cluster.time.nowMs + SOON_MS;
  refuseChannels(cluster, (address) => address !== 'master:1' && cluster.time.nowMs < untilMs);
  await rejects(until(cluster, append(cluster, 1), SOON_MS), { kind: 'NOT_PRIMARY' });
  equal(cluster.master.view.version, 1);
});
