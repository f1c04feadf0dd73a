import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { isFsError } from '@cairnfs/base';
import { ChunkserverControlMethods, ReplicaCondition } from '@cairnfs/protocol';
import { TestServers } from './testing/test-servers.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const NAMES = ['one', 'two', 'three'];
const ROUTE = ['two:8080', 'three:8080'];
const HANDLE = '0a1b2c3d-0000-4000-8000-000000000001';

const kind = (expected: string) => (error: { kind?: string }) => {
  equal(error.kind, expected);
  return true;
};

test('upload: a small chunk is on the disk of every member when its one frame is answered', async () => {
  const servers = await TestServers.start(1, NAMES);
  const bytes = servers.simulation.random.bytes(5 * KiB);
  const frame = { handle: HANDLE, offset: 0, bytes, sync: true, route: ROUTE, fanOut: true };
  deepEqual(await servers.upload('one', frame), { receivedLength: bytes.length, durableLength: bytes.length });
  for (const name of NAMES) servers.simulation.host(name).crash({ unsynced: 'lose' });
  for (const name of NAMES) await servers.launch(name);
  await servers.sleep(500);
  for (const name of NAMES) {
    const range = { handle: HANDLE, offset: 10, length: 1 * MiB, knownLength: bytes.length };
    deepEqual(await servers.read(name, range), Buffer.from(bytes.subarray(10)));
  }
});

test('upload: frames in any order go down the chain; a sync covers all below it on every member', async () => {
  const servers = await TestServers.start(2, NAMES);
  const bytes = servers.simulation.random.bytes(3 * MiB + 77);
  const frame = (start: number, end: number, sync: boolean) => {
    return { handle: HANDLE, offset: start, bytes: bytes.subarray(start, end), sync, route: ROUTE };
  };
  const last = servers.upload('one', frame(3 * MiB, bytes.length, true));
  await servers.upload('one', frame(1 * MiB, 2 * MiB, false));
  await servers.upload('one', frame(0, 1 * MiB, false));
  const third = await servers.upload('one', frame(2 * MiB, 3 * MiB, false));
  ok(third.receivedLength >= 3 * MiB);
  equal((await last).durableLength, bytes.length);
  deepEqual(await servers.upload('one', frame(1 * MiB, 2 * MiB, true)), {
    receivedLength: bytes.length,
    durableLength: bytes.length,
  });
  for (const name of NAMES) servers.simulation.host(name).crash({ unsynced: 'lose' });
  for (const name of NAMES) await servers.launch(name);
  await servers.sleep(500);
  for (const name of NAMES) {
    const range = { handle: HANDLE, offset: 2 * MiB - 5, length: 1 * MiB, knownLength: bytes.length };
    deepEqual(await servers.read(name, range), Buffer.from(bytes.subarray(2 * MiB - 5, 3 * MiB - 5)));
  }
});

test('upload: what was never synced is forgotten by a restart, and its file moved aside', async () => {
  const servers = await TestServers.start(3, ['one']);
  const bytes = servers.simulation.random.bytes(256 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: false });
  servers.simulation.host('one').crash({ unsynced: 'keep' });
  await servers.launch('one');
  await servers.sleep(500);
  await rejects(servers.read('one', { handle: HANDLE, offset: 0, length: 1, knownLength: 1 }), kind('CHUNK_NOT_FOUND'));
  const files = [...servers.simulation.host('one').disk.files.keys()];
  ok(files.some((path) => path.startsWith('disk/quarantine/') && path.endsWith(HANDLE)));
});

test('upload: a member that is gone is named in the refusal', async () => {
  const servers = await TestServers.start(4, ['one', 'two']);
  servers.simulation.host('two').crash({ unsynced: 'keep' });
  const frame = {
    handle: HANDLE,
    offset: 0,
    bytes: new Uint8Array(100),
    sync: true,
    route: ['two:8080'],
    fanOut: true,
  };
  await rejects(servers.upload('one', frame), (error: { details?: { server?: string } }) => {
    equal(error.details?.server, 'two:8080');
    return true;
  });
});

test('lease: a server out of touch with the master for longer than its lease serves nothing', async () => {
  const servers = await TestServers.start(5, ['one']);
  const bytes = new Uint8Array(100).fill(7);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  servers.simulation.host('master').crash({ unsynced: 'keep' });
  await servers.sleep(8_000);
  const range = { handle: HANDLE, offset: 0, length: 100, knownLength: 100 };
  deepEqual(await servers.read('one', range), Buffer.from(bytes));
  await servers.sleep(4_000);
  await rejects(servers.read('one', range), kind('LEASE_EXPIRED'));
});

test('§5.2: a chunkserver never returns corrupt data, and reports it to the master', async () => {
  const servers = await TestServers.start(6, ['one']);
  const bytes = servers.simulation.random.bytes(300 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  servers.simulation.host('one').disk.flipBit(`disk/chunks/${HANDLE.slice(-2)}/${HANDLE}`, 130 * KiB * 8);
  const range = { handle: HANDLE, offset: 0, length: 300 * KiB, knownLength: bytes.length };
  await rejects(servers.read('one', range), kind('CHECKSUM_MISMATCH'));
  await servers.sleep(2_000);
  equal(servers.reports.get(1)?.get(HANDLE)?.condition, ReplicaCondition.REPLICA_CONDITION_CORRUPT);
});

test('§4.4: a replica the master does not need goes to quarantine, is reported gone, and deleted after the grace', async () => {
  const servers = await TestServers.start(7, ['one']);
  const bytes = servers.simulation.random.bytes(300 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  await servers.sleep(130_000); // the upload is over
  servers.quarantine = [{ handle: HANDLE, versionAtMost: 1, reason: 'orphan' }];
  await servers.sleep(5_000);
  equal(servers.reports.get(1)?.get(HANDLE)?.condition, ReplicaCondition.REPLICA_CONDITION_GONE);
  servers.quarantine = [];
  const { disk } = servers.simulation.host('one');
  const names = () => [...disk.files.keys()].filter((path) => path.endsWith(HANDLE));
  ok(names().every((path) => path.startsWith('disk/quarantine/')) && names().length === 1);
  await servers.sleep(12 * 60 * 1000);
  deepEqual(names(), []);
});

test('inventory: after a registration the master hears of every replica, in order', async () => {
  const servers = await TestServers.start(8, ['one']);
  const handles = [3, 1, 2].map((index) => `0000000${index}-0000-4000-8000-000000000001`);
  for (const handle of handles)
    await servers.upload('one', { handle, offset: 0, bytes: new Uint8Array(9), sync: true });
  servers.simulation.host('one').crash({ unsynced: 'lose' });
  await servers.launch('one');
  await servers.sleep(500);
  deepEqual(
    servers.inventories.get(1)?.map(({ handle }) => handle),
    [...handles].sort(),
  );
});

test('space: an upload that would go past what is kept free is refused before anything is written', async () => {
  const servers = await TestServers.start(9, []);
  servers.simulation.host('one').disk.setCapacity('disk', 290 * MiB);
  await servers.launch('one');
  await servers.sleep(500);
  const frame = { handle: HANDLE, offset: 0, bytes: new Uint8Array(128 * KiB), sync: false };
  await rejects(servers.upload('one', frame), kind('NO_SPACE'));
});

test('clone: a copy is checked block by block and durable when it is answered; small and large', async () => {
  const servers = await TestServers.start(10, ['one', 'two']);
  for (const [index, size] of [1_000, 64 * KiB, 2 * MiB + 5].entries()) {
    const handle = `0000000${index}-0000-4000-8000-000000000001`;
    const bytes = servers.simulation.random.bytes(size);
    await servers.upload('one', { handle, offset: 0, bytes: bytes.subarray(0, MiB), sync: size <= MiB });
    for (let at = MiB; at < size; at += MiB) {
      const part = bytes.subarray(at, at + MiB);
      await servers.upload('one', { handle, offset: at, bytes: part, sync: at + part.length === size });
    }
    equal(await servers.clone('two', { handle, version: 1, length: size, from: 'one' }), size);
    equal(await servers.clone('two', { handle, version: 1, length: size, from: 'one' }), size);
    servers.simulation.host('two').crash({ unsynced: 'lose' });
    await servers.launch('two');
    await servers.sleep(500);
    const range = { handle, offset: Math.max(0, size - MiB), length: MiB, knownLength: size, version: 2 };
    await rejects(servers.read('two', { ...range, version: 1 }), kind('STALE_VERSION'), 'it has not joined');
    await servers.promise('two', { handle, oldVersion: 1 });
    deepEqual(await servers.read('two', range), Buffer.from(bytes.subarray(Math.max(0, size - MiB))));
  }
});

test('clone: a damaged source is found, and nothing of it is kept', async () => {
  const servers = await TestServers.start(11, ['one', 'two']);
  const bytes = servers.simulation.random.bytes(300 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  servers.simulation.host('one').disk.flipBit(`disk/chunks/${HANDLE.slice(-2)}/${HANDLE}`, 130 * KiB * 8);
  const order = { handle: HANDLE, version: 1, length: bytes.length, from: 'one' };
  await rejects(servers.clone('two', order), kind('CHECKSUM_MISMATCH'));
  const range = { handle: HANDLE, offset: 0, length: 10, knownLength: bytes.length };
  await rejects(servers.read('two', range), kind('CHUNK_NOT_FOUND'));
});

test('disk: one that fails is taken out alone, and the master hears what is left', async () => {
  const servers = await TestServers.start(12, []);
  await servers.launchWith('one', ['a', 'b']);
  const handles = [0, 1, 2, 3].map((index) => `0000000${index}-0000-4000-8000-000000000001`);
  for (const handle of handles) {
    const bytes = new Uint8Array(128 * KiB).fill(5);
    await servers.upload('one', { handle, offset: 0, bytes, sync: true });
    await servers.sleep(1_100); // the next heartbeat looks at the room that is left
  }
  const { disk } = servers.simulation.host('one');
  const onA = handles.filter((handle) => disk.files.has(`a/chunks/${handle.slice(-2)}/${handle}`));
  const onB = handles.filter((handle) => disk.files.has(`b/chunks/${handle.slice(-2)}/${handle}`));
  equal(onA.length + onB.length, 4);
  disk.break({ prefix: 'a/', code: 'EIO' });
  for (const handle of onA) {
    await rejects(servers.read('one', { handle, offset: 0, length: 9, knownLength: 128 * KiB }));
  }
  for (const handle of onB) {
    equal((await servers.read('one', { handle, offset: 0, length: 9, knownLength: 128 * KiB })).length, 9);
  }
  await servers.sleep(3_000);
  deepEqual(
    servers.inventories.get(1)?.map(({ handle }) => handle),
    onA.length > 0 ? onB : handles,
  );
});

test('disk: one that is dead at the start is left out alone, and the master hears why', async () => {
  const servers = await TestServers.start(13, []);
  await servers.launchWith('one', ['a', 'b']);
  const bytes = new Uint8Array(128 * KiB).fill(5);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  const { disk } = servers.simulation.host('one');
  const [dead, other] = disk.files.has(`a/chunks/${HANDLE.slice(-2)}/${HANDLE}`) ? ['b', 'a'] : ['a', 'b'];
  const idBefore = servers.disks.get(1)?.find(({ path }) => path === dead)?.diskId;
  servers.simulation.host('one').crash({ unsynced: 'lose' });
  disk.break({ prefix: `${dead}/`, code: 'EIO' });
  await servers.launchWith('one', ['a', 'b']);
  await servers.sleep(2_000);
  const told = servers.disks.get(1)!;
  equal(told.find(({ path }) => path === other)?.failure, '');
  match(told.find(({ path }) => path === dead)!.failure, /cannot be opened/);
  equal(told.find(({ path }) => path === dead)!.diskId, idBefore);
  const range = { handle: HANDLE, offset: 0, length: 9, knownLength: bytes.length };
  equal((await servers.read('one', range)).length, 9);
});

test('disk: at the end all are closed, whether one that takes no changes has failed before or is in service', async () => {
  for (const hasFailed of [true, false]) {
    const servers = await TestServers.start(14, []);
    await servers.launchWith('one', ['a', 'b']);
    const { disk } = servers.simulation.host('one');
    disk.break({ prefix: hasFailed ? 'a' : 'a/lock', code: 'EROFS' });
    await servers.sleep(5_000); // heartbeats ask for the room that is left
    const closing = servers.run(() => servers.servers.get('one')!.close());
    if (hasFailed) await closing;
    else await rejects(closing, { code: 'EROFS' });
    deepEqual([disk.locks.get('a/lock')!.alive, disk.locks.get('b/lock')!.alive], [true, false]);
  }
});

test('lease: a disk that keeps everyone waiting costs the server none', async () => {
  const servers = await TestServers.start(3, NAMES);
  const bytes = servers.simulation.random.bytes(5 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  const { timing } = servers.simulation.host('one').disk;
  timing.slowness = 1e7;
  await servers.sleep(15_000);
  timing.slowness = 1;
  const range = { handle: HANDLE, offset: 0, length: 5 * KiB, knownLength: bytes.length };
  deepEqual(await servers.read('one', range), Buffer.from(bytes));
});

test('lease: a heartbeat answered without the lease does not extend it, and reads are refused', async () => {
  const servers = await TestServers.start(31, ['one']);
  const bytes = servers.simulation.random.bytes(5 * KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  const range = { handle: HANDLE, offset: 0, length: bytes.length, knownLength: bytes.length };
  servers.leaseWithheld = true;
  await servers.sleep(11_000);
  await rejects(servers.read('one', range), kind('LEASE_EXPIRED'));
  servers.leaseWithheld = false;
  await servers.sleep(2_000);
  deepEqual(await servers.read('one', range), Buffer.from(bytes));
});

test('view: with a disk out of service a replica that is not found may be there, and the answer says so', async () => {
  const servers = await TestServers.start(14, []);
  await servers.launchWith('one', ['a', 'b']);
  const prepare = async () => {
    const versions = { oldVersion: 1, newVersion: 2, removed: false, committedSequence: 0 };
    const request = { handle: HANDLE, ...versions, masterSession: 1, serverId: 1 };
    const channel = servers.peers!.channel('one:8080');
    const answer = servers.run(() =>
      channel.call(ChunkserverControlMethods.prepareView, request, { timeoutMs: 5_000 }),
    );
    return answer.then(
      () => undefined,
      (error: unknown) => isFsError(error) && [error.kind, error.details.hidden, error.details.whole],
    );
  };
  deepEqual(await prepare(), ['CHUNK_NOT_FOUND', undefined, '1'], 'there never was one');
  servers.simulation.host('one').crash({ unsynced: 'lose' });
  servers.simulation.host('one').disk.break({ prefix: 'a/', code: 'EIO' });
  await servers.launchWith('one', ['a', 'b']);
  deepEqual(await prepare(), ['CHUNK_NOT_FOUND', '1', undefined]);
});

test('view: a replica that left keeps over a restart what it was in sync at, and is taken back there alone', async () => {
  const servers = await TestServers.start(15, ['one']);
  const bytes = servers.simulation.random.bytes(KiB);
  await servers.upload('one', { handle: HANDLE, offset: 0, bytes, sync: true });
  const channel = () => servers.peers!.channel('one:8080');
  const options = { timeoutMs: 5_000 };
  const prepare = (versions: {
    oldVersion: number;
    newVersion: number;
    removed?: boolean;
    committedSequence?: number;
  }) => {
    const more = { removed: false, committedSequence: 0, masterSession: 1, serverId: 1, disk: '', ...versions };
    return servers.run(() =>
      channel().call(ChunkserverControlMethods.prepareView, { handle: HANDLE, ...more }, options),
    );
  };
  await prepare({ oldVersion: 1, newVersion: 3 });
  await prepare({ oldVersion: 3, newVersion: 6, removed: true });
  servers.simulation.host('one').crash({ unsynced: 'lose' });
  await servers.launch('one');
  const describe = (serverId: number) => {
    const request = { handles: [HANDLE], serverId };
    return servers.run(() => channel().call(ChunkserverControlMethods.describeReplicas, request, options));
  };
  await rejects(describe(2), kind('INVALID_ARGUMENT'));
  equal((await describe(0)).message.replicas.length, 1);
  const described = await describe(1);
  const { version, pendingVersion, removed, keptVersion, sequence } = described.message.replicas[0]!;
  deepEqual([version, pendingVersion, removed, keptVersion, sequence], [1, 6, true, 3, 0]);
  await rejects(prepare({ oldVersion: 4, newVersion: 7 }), kind('STALE_VERSION'));
  await rejects(prepare({ oldVersion: 3, newVersion: 7, committedSequence: 1 }), kind('STALE_VERSION'));
  await prepare({ oldVersion: 3, newVersion: 7 });
  await rejects(prepare({ oldVersion: 3, newVersion: 6, removed: true }), kind('STALE_VERSION'));
});
