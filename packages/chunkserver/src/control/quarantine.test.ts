/** Orders to quarantine and what becomes of them, on several disks of which one does not answer. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError, GiB } from '@cairnfs/base';
import { ReplicaCondition } from '@cairnfs/protocol';
import { QUARANTINE_MOVES_MAX, QUARANTINE_SWEEP_MS } from '../limits.ts';
import { TestParts } from '../testing/test-parts.ts';
import { GRACE_MS, TestServers } from '../testing/test-servers.ts';

const handleOf = (index: number) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
const orderOf = (handle: string) => ({ handle, versionAtMost: 1, reason: 'orphan' });
/** Heartbeats, and a look at how much room the disks have. */
const SOON_MS = 3_000;

/** More than the index takes. */
const FILE_BYTES = 100_000;
/** Files of deleted chunks: what several heartbeats order away. */
const MANY = 5 * QUARANTINE_MOVES_MAX;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** A server with two disks, each given up only after longer than anything here takes. */
async function twoDisks(): Promise<TestServers> {
  const servers = await TestServers.start(1, []);
  servers.diskTimeoutMs = 3 * GRACE_MS;
  servers.simulation.host('one').disk.setCapacity('disk', GiB);
  await servers.launchWith('one', ['disk', 'disk2']);
  return servers;
}

/** Chunks that go to the disk of that folder. */
async function store(servers: TestServers, directory: string, handles: readonly string[]): Promise<void> {
  const { disk } = servers.simulation.host('one');
  disk.setCapacity('disk', GiB);
  disk.setCapacity('disk2', directory === 'disk' ? GiB / 2 : 2 * GiB);
  await servers.sleep(SOON_MS);
  for (const handle of handles) {
    await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(8), sync: true });
  }
  const used = servers.disks.get(1)!.find(({ path }) => path === directory)!;
  equal(used.failure, '');
}

const conditionOf = (servers: TestServers, handle: string) => servers.reports.get(1)?.get(handle)?.condition;

test('quarantine: as many orders as there may be for a disk that does not answer hold up none for another', async () => {
  const servers = await twoDisks();
  const held = Array.from({ length: QUARANTINE_MOVES_MAX }, (_, index) => handleOf(index));
  const other = handleOf(QUARANTINE_MOVES_MAX);
  await store(servers, 'disk', held);
  await store(servers, 'disk2', [other]);
  servers.simulation.host('one').disk.hang('disk');
  servers.quarantine = [...held, other].map(orderOf);
  await servers.sleep(SOON_MS);
  equal(conditionOf(servers, other), ReplicaCondition.REPLICA_CONDITION_GONE);
  equal(conditionOf(servers, held[0]!), undefined);
});

test('quarantine: a disk that does not answer holds up no deletion on another', async () => {
  const servers = await twoDisks();
  const { disk } = servers.simulation.host('one');
  const files = () => [...disk.files.keys()].filter((path) => path.startsWith('disk2/quarantine/')).length;
  await store(servers, 'disk2', []);
  await servers.upload('one', { handle: handleOf(1), offset: 0, bytes: new Uint8Array(FILE_BYTES), sync: true });
  servers.quarantine = [orderOf(handleOf(1))];
  await servers.sleep(SOON_MS);
  equal(files(), 1);
  disk.hang('disk');
  await servers.sleep(GRACE_MS + 2 * QUARANTINE_SWEEP_MS);
  equal(files(), 0);
  equal(servers.disks.get(1)![0]!.failure, '');
});

test('quarantine: however much has been aside for long enough, one look deletes it', async () => {
  const servers = await TestServers.start(11, ['one']);
  const host = servers.simulation.host('one');
  host.crash({ unsynced: 'keep' });
  const { disk } = host.start();
  await servers.run(async () => {
    for (let index = 0; index < MANY; index += 1) {
      await (await disk.open(`disk/quarantine/1000-${handleOf(index)}`, 'openOrCreate')).close();
    }
  });
  host.crash({ unsynced: 'keep' });
  await servers.launch('one');
  await servers.sleep(2 * QUARANTINE_SWEEP_MS);
  equal([...host.disk.files.keys()].filter((path) => path.startsWith('disk/quarantine/')).length, 0);
});

for (const [name, setByMs] of [
  ['ahead', 10 * YEAR_MS],
  ['back', -10 * YEAR_MS],
] as const) {
  test(`quarantine: a calendar that is set ${name} while the server runs neither ends the grace nor prolongs it`, async () => {
    const servers = await TestServers.start(10, ['one']);
    const host = servers.simulation.host('one');
    const aside = () => [...host.disk.files.keys()].filter((path) => path.startsWith('disk/quarantine/')).length;
    // One is found at the start, the other is ordered away.
    const [cut, whole] = [handleOf(1), handleOf(2)];
    const bytes = new Uint8Array(FILE_BYTES);
    await servers.upload('one', { handle: cut, offset: 0, bytes, sync: false });
    await servers.upload('one', { handle: whole, offset: 0, bytes, sync: true });
    host.crash({ unsynced: 'keep' });
    await servers.launch('one');
    servers.quarantine = [orderOf(whole)];
    await servers.sleep(SOON_MS);
    equal(aside(), 2);
    host.adjustClock({ wallOffsetMs: setByMs });
    await servers.sleep(2 * QUARANTINE_SWEEP_MS);
    equal(aside(), 2);
    await servers.sleep(GRACE_MS);
    equal(aside(), 0);
  });
}

test('quarantine: a calendar that was ahead when the server started, and is set right, does not end the grace', async () => {
  const servers = await TestServers.start(14, ['one']);
  const host = servers.simulation.host('one');
  const aside = () => [...host.disk.files.keys()].filter((path) => path.startsWith('disk/quarantine/')).length;
  const handle = handleOf(1);
  await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(FILE_BYTES), sync: true });
  servers.quarantine = [orderOf(handle)];
  await servers.sleep(SOON_MS);
  equal(aside(), 1);
  await servers.sleep(0.4 * GRACE_MS);
  host.crash({ unsynced: 'keep' });
  host.adjustClock({ wallOffsetMs: GRACE_MS / 2 });
  await servers.launch('one');
  equal(aside(), 1);
  host.adjustClock({ wallOffsetMs: 0 });
  await servers.sleep(2 * QUARANTINE_SWEEP_MS);
  equal(aside(), 1);
  await servers.sleep(GRACE_MS / 2);
  equal(aside(), 0);
});

test('quarantine: what was set aside under a calendar that was behind at the start has its grace at the next one', async () => {
  const servers = await TestServers.start(12, []);
  const host = servers.simulation.host('one');
  const aside = () => [...host.disk.files.keys()].filter((path) => path.startsWith('disk/quarantine/')).length;
  host.adjustClock({ wallOffsetMs: -YEAR_MS });
  await servers.launchWith('one', ['disk']);
  host.adjustClock({ wallOffsetMs: 0 });
  await servers.sleep(SOON_MS);
  // A replica, and a file without a record.
  const [whole, cut] = [handleOf(1), handleOf(2)];
  const bytes = new Uint8Array(FILE_BYTES);
  await servers.upload('one', { handle: cut, offset: 0, bytes, sync: false });
  await servers.upload('one', { handle: whole, offset: 0, bytes, sync: true });
  servers.quarantine = [whole, cut].map(orderOf);
  await servers.sleep(SOON_MS);
  equal(aside(), 2);
  host.crash({ unsynced: 'keep' });
  await servers.launch('one');
  await servers.sleep(2 * QUARANTINE_SWEEP_MS);
  equal(aside(), 2);
  await servers.sleep(GRACE_MS);
  equal(aside(), 0);
});

test('quarantine: a disk whose index cannot be read in a look for stray files fails, and not the server', async () => {
  const parts = await TestParts.start(13);
  const { disk, quarantine } = parts;
  const [only] = disk.replicas.stores;
  quarantine.strayed(only!, handleOf(1));
  only!.ledger.view = () => {
    throw new DiskError('EIO', 'disk/index', 'EIO: i/o error, read');
  };
  await disk.run(async () => {
    quarantine.sweep();
    await quarantine.idle();
  });
  equal(only!.failure?.kind, 'DISK_FAILED');
});

test('quarantine: a file that a full disk does not let go of at the start is set aside when it does', async () => {
  const servers = await TestServers.start(9, ['one']);
  const host = servers.simulation.host('one');
  const [whole, cut, again] = [handleOf(1), handleOf(2), handleOf(3)];
  const bytes = servers.simulation.random.bytes(FILE_BYTES);
  for (const handle of [whole, cut, again]) {
    await servers.upload('one', { handle, offset: 0, bytes, sync: handle === whole });
  }
  host.crash({ unsynced: 'keep' });
  const pathOf = (handle: string) => `disk/chunks/${handle.slice(-2)}/${handle}`;
  const copy = `${pathOf(whole)}.copy`; // of a clone that was cut off
  const { disk } = host.start();
  await servers.run(async () => (await disk.open(copy, 'openOrCreate')).close());
  host.crash({ unsynced: 'keep' });
  const strays = [pathOf(cut), pathOf(again), copy];
  for (const prefix of strays) host.disk.break({ prefix, operation: 'metadata', code: 'ENOSPC' });
  await servers.launch('one');
  await servers.sleep(SOON_MS);
  deepEqual(
    servers.inventories.get(1)?.map(({ handle }) => handle),
    [whole],
  );
  ok(strays.every((path) => host.disk.files.has(path)));
  host.disk.repair();
  await servers.upload('one', { handle: again, offset: 0, bytes, sync: true });
  await servers.sleep(2 * QUARANTINE_SWEEP_MS);
  const paths = [...host.disk.files.keys()];
  const within = (folder: string) => paths.filter((path) => path.startsWith(`disk/${folder}/`));
  deepEqual(within('chunks').sort(), [pathOf(whole), pathOf(again)]);
  equal(within('quarantine').length, 2);
  for (const handle of [whole, again]) {
    const read = { handle, offset: 0, length: FILE_BYTES, knownLength: FILE_BYTES };
    deepEqual(await servers.read('one', read), Buffer.from(bytes));
  }
});

test('quarantine: a replica at the version that the master takes it to be behind of stays', async () => {
  const servers = await TestServers.start(2, ['one']);
  const handle = handleOf(1);
  await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(8), sync: true });
  const stale = { handle, versionAtMost: 1, reason: 'stale' };
  servers.quarantine = [stale];
  await servers.sleep(SOON_MS);
  equal(conditionOf(servers, handle), ReplicaCondition.REPLICA_CONDITION_UPLOADING);
  servers.quarantine = [{ ...stale, versionAtMost: 2 }];
  await servers.sleep(SOON_MS);
  equal(conditionOf(servers, handle), ReplicaCondition.REPLICA_CONDITION_GONE);
});

test('quarantine: what its promise refused is refused once the replica is gone', async () => {
  const servers = await TestServers.start(3, ['one']);
  const handle = handleOf(1);
  await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(8), sync: true });
  await servers.promise('one', { handle, oldVersion: 1 });
  servers.quarantine = [{ ...orderOf(handle), versionAtMost: 2 }];
  await servers.sleep(SOON_MS);
  equal(conditionOf(servers, handle), ReplicaCondition.REPLICA_CONDITION_GONE);
  await rejects(servers.installFirst('one', { handle, version: 1 }), { kind: 'STALE_VERSION' });
  const frame = { handle, offset: 0, bytes: new Uint8Array(8), sync: true };
  await rejects(servers.upload('one', frame), { kind: 'STALE_VERSION' });
  servers.quarantine = [];
  await servers.installFirst('one', { handle, version: 2 });
});

test('disks: what its promise refused is refused once the replica went with its disk', async () => {
  const servers = await twoDisks();
  const handle = handleOf(1);
  await store(servers, 'disk', [handle]);
  await servers.promise('one', { handle, oldVersion: 1 });
  const { disk } = servers.simulation.host('one');
  disk.break({ prefix: 'disk/', code: 'EIO' });
  await rejects(servers.promise('one', { handle, oldVersion: 2 }), { kind: 'DISK_FAILED' });
  await rejects(servers.installFirst('one', { handle, version: 1 }), { kind: 'STALE_VERSION' });
});
