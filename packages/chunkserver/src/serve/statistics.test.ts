import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { commitDurable, stage, TestDisk } from '../testing/test-disk.ts';
import { TestServers } from '../testing/test-servers.ts';
import type { ChunkserverStatistics } from './statistics.ts';

const KiB = 1024;
const SMALL = '0a1b2c3d-0000-4000-8000-000000000001';
const LARGE = '0a1b2c3d-0000-4000-8000-000000000002';

const chunks = ({ disks }: ChunkserverStatistics) =>
  disks.map(({ smallChunks, largeChunks, usedBytes }) => [smallChunks, largeChunks, usedBytes]);

test('statistics: uploads and reads are counted; small and large chunks are told apart, also after a restart', async () => {
  const servers = await TestServers.start(11, ['one']);
  const upload = (handle: string, bytes: number) =>
    servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(bytes), sync: true });
  await upload(SMALL, 5 * KiB);
  await upload(LARGE, 100 * KiB);
  await servers.read('one', { handle: LARGE, offset: 0, length: 10 * KiB, knownLength: 100 * KiB });
  const statistics = servers.servers.get('one')!.statistics();
  deepEqual(chunks(statistics), [[1, 1, 105 * KiB]]);
  deepEqual(statistics.uploadFrames, { count: 2, bytes: 105 * KiB });
  deepEqual(statistics.reads, { count: 1, bytes: 10 * KiB });
  deepEqual(statistics.mutations, { count: 0, bytes: 0 });
  equal(statistics.holdsServerLease, true);
  servers.simulation.host('one').crash({ unsynced: 'lose' });
  await servers.launch('one');
  await servers.sleep(500);
  deepEqual(chunks(servers.servers.get('one')!.statistics()), [[1, 1, 105 * KiB]]);
});

test('statistics: what goes to quarantine is no longer counted as held', async () => {
  const servers = await TestServers.start(12, ['one']);
  for (const [handle, length] of [
    [SMALL, KiB],
    [LARGE, 100 * KiB],
  ] as const) {
    await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(length), sync: true });
  }
  servers.quarantine = [{ handle: LARGE, versionAtMost: 1, reason: 'garbage' }];
  await servers.sleep(2_000);
  const statistics = servers.servers.get('one')!.statistics();
  deepEqual(chunks(statistics), [[1, 0, KiB]]);
  deepEqual(statistics.quarantined, { movedAside: 1, deleted: 0 });
});

test('health: a server out of touch with its master says so', async () => {
  const servers = await TestServers.start(13, ['one']);
  const server = servers.servers.get('one')!;
  deepEqual(server.health(), { serverId: 1, reasons: [] });
  servers.simulation.host('master').crash({ unsynced: 'lose' });
  await servers.sleep(12_000);
  const { reasons } = server.health();
  equal(reasons.length, 1);
  match(reasons[0]!, /out of touch with the master/);
  equal(server.statistics().holdsServerLease, false);
});

test('statistics: a chunk that outgrows the index is counted as large from then on', async () => {
  const disk = await TestDisk.start(14);
  const counts = () => disk.replicas.stores.map((store) => disk.replicas.useOf(store));
  const replica = await disk.create(SMALL);
  const grow = async (bytes: number) => {
    stage(replica, replica.log.stagedLength, new Uint8Array(bytes));
    await disk.simulation.runFor(100);
    commitDurable(replica);
    await disk.simulation.runFor(2_000);
  };
  await grow(10 * KiB);
  deepEqual(counts(), [{ usedBytes: 10 * KiB, replicaCount: 1, inFileCount: 0 }]);
  await grow(100 * KiB);
  deepEqual(counts(), [{ usedBytes: 110 * KiB, replicaCount: 1, inFileCount: 1 }]);
  await grow(100 * KiB);
  deepEqual(counts(), [{ usedBytes: 210 * KiB, replicaCount: 1, inFileCount: 1 }]);
  await disk.crash('keep');
  deepEqual(counts(), [{ usedBytes: 210 * KiB, replicaCount: 1, inFileCount: 1 }]);
  disk.replicas.forget(disk.replicas.find(SMALL)!);
  deepEqual(counts(), [{ usedBytes: 0, replicaCount: 0, inFileCount: 0 }]);
});
