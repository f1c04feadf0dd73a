import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GiB, type Random } from '@cairnfs/base';
import { Simulation } from '@cairnfs/sim';
import { type ServerEntry, ServerTable } from '../cluster/server-table.ts';
import { FULL_SERVER_PAUSE_MS } from '../limits.ts';
import { TestCluster } from '../testing/test-cluster.ts';
import { CandidatePool } from './candidate-pool.ts';
import { ClusterPlacement } from './cluster-placement.ts';
import { randomSelector } from './random-selector.ts';
import type { Candidate } from './selector.ts';
import { spreadSelector } from './spread-selector.ts';

const random: Random = new Simulation({ seed: 3 }).random;
const ONE_CHUNK = { count: 1, replicas: 3, minimum: 2, avoid: new Set<number>() };

function candidate(id: number, more: Partial<Candidate> = {}): Candidate {
  return { id, host: `host ${id}`, rack: `rack ${id}`, diskUsedRatio: 0, recentCount: 0, ...more };
}

test('spread: racks first, then hosts; one is used twice only when there is no other', () => {
  const two = [candidate(1, { rack: 'a' }), candidate(2, { rack: 'a' }), candidate(3, { rack: 'b' })];
  for (let round = 0; round < 20; round += 1) {
    const racks = spreadSelector.select(two, { count: 2, besides: [] }, random).map(({ rack }) => rack);
    assert.deepEqual(racks.sort(), ['a', 'b']);
  }
  assert.equal(spreadSelector.select(two, { count: 3, besides: [] }, random).length, 3);
  const [beside] = spreadSelector.select(two, { count: 1, besides: [candidate(9, { rack: 'b' })] }, random);
  assert.equal(beside?.rack, 'a');
});

test('spread: the emptier disk, and the one that got less lately', () => {
  const full = candidate(1, { diskUsedRatio: 0.9 });
  const busy = candidate(2, { recentCount: 20 });
  const idle = candidate(3);
  assert.deepEqual(spreadSelector.select([full, busy, idle], { count: 1, besides: [] }, random), [idle]);
  const two = spreadSelector.select([full, busy, idle], { count: 2, besides: [] }, random).map(({ id }) => id);
  assert.deepEqual(two.sort(), [2, 3]);
});

test('random: as many as asked, none twice, and over time everyone', () => {
  const all = [1, 2, 3, 4, 5].map((id) => candidate(id));
  const seen = new Set<number>();
  for (let round = 0; round < 50; round += 1) {
    const ids = randomSelector.select(all, { count: 3, besides: [] }, random).map(({ id }) => id);
    assert.equal(new Set(ids).size, 3);
    for (const id of ids) seen.add(id);
  }
  assert.equal(seen.size, 5);
});

test('placement: a batch of chunks spreads evenly over the servers', async () => {
  const cluster = await TestCluster.start(6);
  const counts = new Map<number, number>();
  for (const members of cluster.parts.placement.place({ ...ONE_CHUNK, count: 100 })) {
    assert.equal(new Set(members).size, 3);
    for (const id of members) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(count >= 45 && count <= 55, `${count} of 50`);
});

test('placement: too few live servers, or too few with room, are told apart', async () => {
  const cluster = await TestCluster.start(3);
  for (const id of [2, 3]) {
    cluster.server(id).freeBytes = 1000;
    await cluster.run(cluster.server(id).heartbeat());
  }
  assert.throws(() => cluster.parts.placement.place(ONE_CHUNK), { kind: 'NO_SPACE' });
  for (const id of [2, 3]) cluster.cutOff(id);
  await cluster.simulation.runFor(15_000);
  assert.throws(() => cluster.parts.placement.place(ONE_CHUNK), { kind: 'NOT_ENOUGH_SERVERS' });
});

test('placement: servers that have not told their disks yet are waited for, not taken to be full', async () => {
  const cluster = await TestCluster.start(3);
  for (const id of [2, 3]) await cluster.run(cluster.server(id).heartbeat({ disks: [] }));
  assert.throws(() => cluster.parts.placement.place(ONE_CHUNK), { kind: 'NOT_ENOUGH_SERVERS' });
});

test('placement: servers to avoid are taken only when there are too few others', async () => {
  const cluster = await TestCluster.start(4);
  const [members] = cluster.parts.placement.place({ ...ONE_CHUNK, avoid: new Set([1, 2]) });
  assert.deepEqual([...members!].sort(), [3, 4]);
  const [all] = cluster.parts.placement.place({ ...ONE_CHUNK, avoid: new Set([1, 2, 3]) });
  assert.equal(all!.length, 3);
});

test('placement: of its disks in service the one with the most room is named, rather not one that took no replica just now', async () => {
  const { context, simulation } = await TestCluster.start(0);
  const servers = new ServerTable(context);
  const placement = new ClusterPlacement(context, servers);
  const server = servers.registered(entry(1), { mayServe: true, hasLostDisk: false });
  const disk = (diskId: string, freeBytes: number, failure = '') => ({
    ...{ diskId, path: diskId, totalBytes: 9 * GiB, freeBytes, replicaCount: 0, failure, fileSystem: '' },
    fileSystemFreeBytes: 0,
  });
  server.disks = [disk('small', GiB), disk('full', 1), disk('large', 3 * GiB), disk('failed', 9 * GiB, 'it failed')];
  assert.equal(placement.disk(1), 'large');
  servers.pauseDisk(1, 'large');
  servers.pauseDisk(1, 'unknown');
  assert.equal(placement.disk(1), 'small');
  servers.pauseDisk(1, 'small');
  assert.equal(placement.disk(1), 'large');
  await simulation.runFor(FULL_SERVER_PAUSE_MS / 2);
  servers.pauseDisk(1, 'small');
  await simulation.runFor(FULL_SERVER_PAUSE_MS / 2);
  assert.equal(placement.disk(1), 'large');
  servers.pauseDisk(1, 'large');
  servers.registered(entry(1), { mayServe: true, hasLostDisk: false });
  assert.equal(placement.disk(1), 'large');
  server.disks = [];
  assert.equal(placement.disk(1), '');
});

const entry = (id: number, rack = `rack ${id}`): ServerEntry => ({
  ...{ id, uuid: `uuid ${id}`, address: '', host: `host ${id}`, rack, session: 1, answeredAtMs: 0, usage: undefined },
  ...{
    disks: [],
    inventoryComplete: true,
    hasShownAll: true,
    mayServe: true,
    inventoryCursor: undefined,
    inventoryBegunAtMs: 0,
    inventoryPartAtMs: 0,
  },
  hasLostDisk: false,
  mayHideReplicas: false,
  keptOutSinceMs: undefined,
  unansweredSinceMs: undefined,
  deadSinceMs: 0,
  replacedBy: 0,
  fullUntilMs: 0,
  pausedDisks: new Map(),
});

test('placement: a large pool is sampled, and over time everyone is drawn', () => {
  const servers = Array.from({ length: 200 }, (_, index) => entry(index + 1));
  const pool = new CandidatePool(servers, { isIn: ({ id }) => id > 1, candidate: ({ id }) => candidate(id), random });
  const seen = new Set<number>();
  for (let round = 0; round < 100; round += 1) {
    const ids = pool.sample(32).map(({ id }) => id);
    assert.equal(new Set(ids).size, 32);
    for (const id of ids) seen.add(id);
  }
  assert.equal(seen.size, 199);
  assert.equal(seen.has(1), false);
  assert.equal(pool.all().length, 199);
  const two = new CandidatePool(servers, { isIn: ({ id }) => id < 3, candidate: ({ id }) => candidate(id), random });
  assert.deepEqual(
    two
      .sample(32)
      .map(({ id }) => id)
      .sort(),
    [1, 2],
  );
});

test('placement: where a sample misses a rack, the whole pool is looked at', () => {
  // One server alone on its rack among 200 of another: hardly ever in a sample.
  const servers = [entry(1, 'small'), ...Array.from({ length: 200 }, (_, index) => entry(index + 2, 'large'))];
  const of = ({ id, rack }: ServerEntry) => candidate(id, { rack });
  const pool = new CandidatePool(servers, { isIn: () => true, candidate: of, random });
  pool.sample(32);
  const [small, first, second] = servers.map(of);
  assert.equal(pool.couldSpreadMore([first!, second!], { count: 2, besides: [] }), true);
  assert.equal(pool.couldSpreadMore([first!], { count: 1, besides: [second!] }), true);
  assert.equal(pool.couldSpreadMore([small!, first!], { count: 2, besides: [] }), false);
  assert.equal(pool.couldSpreadMore([small!, first!, second!], { count: 3, besides: [] }), false);
});
