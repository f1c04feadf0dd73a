import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import { MASTER_BOUNDS } from '../bounds.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { handleOf, TestCluster } from '../testing/test-cluster.ts';
import { CloneTargets } from './clone-targets.ts';
import { FailingServers } from './failing-servers.ts';

const OLD = 3;
const OTHER = 4;

/** Of each chunk servers 1 and 2 have copies, and server 3 an old one: server 4 is the one to take another. */
async function start(chunkCount: number): Promise<{ cluster: TestCluster; handles: string[] }> {
  const cluster = await TestCluster.start(4, { bounds: { ...MASTER_BOUNDS, clonesPerServer: 1 } });
  const handles = Array.from({ length: chunkCount }, (_, index) => handleOf(index));
  for (const handle of handles) {
    const versions = { version: 2, highestVersion: 2, settledVersion: 2, beganVersion: 1 };
    await cluster.putChunk(handle, { length: 10, sequence: 2, members: [1, 2], ...versions });
    cluster.server(OLD).replicas.set(handle, newReplica({ version: 1, length: 5, sequence: 1 }));
  }
  await cluster.run(cluster.server(OLD).sendInventory());
  cluster.parts.start();
  return { cluster, handles };
}

/** For so long server 3 puts away what it is told to. */
async function obey(cluster: TestCluster, seconds: number): Promise<void> {
  const server = cluster.server(OLD);
  for (let second = 0; second < seconds; second += 1) {
    await cluster.simulation.runFor(1000);
    const { quarantine } = await cluster.run(server.heartbeat());
    for (const { handle } of quarantine) server.replicas.delete(handle);
    const changes = quarantine.map(({ handle }) => server.report(handle, ReplicaCondition.REPLICA_CONDITION_GONE));
    await cluster.run(server.heartbeat({ changes }));
  }
}

const membersOf = (cluster: TestCluster, handle: string) => [...cluster.chunk(handle)!.members].sort();

test('clone targets: an old copy is not put away while another server can take the new one', async () => {
  const { cluster, handles } = await start(1);
  await obey(cluster, 20);
  assert.deepEqual(membersOf(cluster, handles[0]!), [1, 2, OTHER]);
});

test('clone targets: a server that fails to join with its copies is not asked for ever', async () => {
  const { cluster, handles } = await start(1);
  cluster.server(OTHER).promiseFailure = new FsError('DISK_FAILED', 'the disk hangs');
  await obey(cluster, 30);
  assert.deepEqual(membersOf(cluster, handles[0]!), [1, 2, OLD]);
});

test('clone targets: while a server takes long over one copy, the others take theirs elsewhere', async () => {
  const { cluster, handles } = await start(3);
  cluster.server(OTHER).cloneMs = 50_000;
  await obey(cluster, 30);
  const repaired = handles.filter((handle) => membersOf(cluster, handle).includes(OLD));
  assert.equal(repaired.length, 2);
  await obey(cluster, 30);
  for (const handle of handles) assert.equal(membersOf(cluster, handle).length, 3);
});

test('clone targets: a chunk waits for a server that is busy rather than go to one that fails', async () => {
  const { cluster, handles } = await start(1);
  for (const { busy, fails } of [
    { busy: OLD, fails: OTHER },
    { busy: OTHER, fails: OLD },
  ]) {
    const failing = new FailingServers(cluster.simulation.clock);
    const { placement } = cluster.parts;
    const targets = new CloneTargets({ reports: { surplusOf: () => [] }, placement, failing, clonesPerServer: 1 });
    const next = () => targets.next(handles[0]!, cluster.chunk(handles[0]!)!);
    failing.failed(fails);
    targets.begin(new Set([busy]));
    assert.deepEqual(Array.from({ length: 20 }, next), Array.from({ length: 20 }).fill(busy));
    targets.end(new Set([busy]));
    assert.equal(next(), busy);
    failing.failed(busy); // there is nobody else
    assert.ok([OLD, OTHER].includes(next()!));
  }
});
