import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES_MAX, CreateMode, MasterMethods } from '@cairnfs/protocol';
import { UPLOADS_WITH_SPARES_MAX } from '../limits.ts';
import { newReplica } from '../testing/scripted-chunkserver.ts';
import { TestMaster } from '../testing/test-master.ts';

const kind = (name: string) => (error: { kind?: string }) => error.kind === name;
const stat = (master: TestMaster, path: string) =>
  master.call(MasterMethods.stat, { file: { path, inode: 0 } }).then(({ attributes }) => attributes!);
const garbageCount = async (master: TestMaster) =>
  (await master.call(MasterMethods.getClusterStatus, {})).repair!.garbageCount;

test('upload: nothing is visible before it is confirmed, and then all of it is', async () => {
  const master = await TestMaster.start(3);
  const { uploadId, chunks, leaseMs } = await master.beginUpload('/a/b/file', 3);
  deepEqual([chunks.length, leaseMs], [3, 60_000]);
  for (const { version, replicas } of chunks) deepEqual([version, replicas.length], [1, 3]);
  await rejects(stat(master, '/a'), kind('NOT_FOUND'));
  const [first, second] = chunks;
  const placed = [
    { handle: first!.handle, offset: 0, length: CHUNK_BYTES_MAX },
    { handle: second!.handle, offset: CHUNK_BYTES_MAX + 4096, length: 10 },
  ];
  const { attributes } = await master.confirmUpload(uploadId, placed);
  equal(attributes!.size, CHUNK_BYTES_MAX + 4106);
  const { extents } = await master.locate(attributes!.inode);
  deepEqual(
    extents.map(({ offset, length, chunk }) => [offset, length, chunk!.open]),
    [
      [0, CHUNK_BYTES_MAX, false],
      [CHUNK_BYTES_MAX + 4096, 10, false],
    ],
  );
  equal(await garbageCount(master), 1); // the chunk that was not used
});

test('upload: replaces a file at once; an exclusive one is refused when begun and when confirmed', async () => {
  const master = await TestMaster.start(3);
  const exclusive = CreateMode.CREATE_MODE_EXCLUSIVE;
  const { uploadId } = await master.beginUpload('/file', 0, exclusive);
  const old = await master.upload('/file', [{ offset: 0, length: 10 }]);
  await rejects(master.beginUpload('/file', 0, exclusive), kind('ALREADY_EXISTS'));
  await rejects(master.confirmUpload(uploadId, []), kind('ALREADY_EXISTS'));
  const replaced = await master.upload('/file', [{ offset: 0, length: 20 }]);
  ok(replaced !== old);
  equal((await stat(master, '/file')).size, 20);
  await rejects(master.beginUpload('/', 0), kind('INVALID_ARGUMENT'));
  await rejects(master.beginUpload('/.trash/x', 0), kind('INVALID_ARGUMENT'));
  await rejects(master.beginUpload('/other', 0, CreateMode.CREATE_MODE_OPEN), kind('INVALID_ARGUMENT'));
});

test('upload: a confirmation that does not fit the plan is refused, and can be corrected', async () => {
  const master = await TestMaster.start(3);
  const { uploadId, chunks } = await master.beginUpload('/file', 2);
  const [a, b] = chunks.map(({ handle }) => handle) as [string, string];
  const confirm = (chunksOf: { handle: string; offset: number; length: number }[], size = 0) =>
    master.confirmUpload(uploadId, chunksOf, { size });
  const invalid = kind('INVALID_ARGUMENT');
  await rejects(confirm([{ handle: a.replace(/^./, 'f').replace(/.$/, '0'), offset: 0, length: 1 }]), invalid);
  await rejects(confirm([{ handle: a, offset: 0, length: 0 }]), invalid);
  await rejects(confirm([{ handle: a, offset: 0, length: CHUNK_BYTES_MAX + 1 }]), invalid);
  const twice = { handle: a, offset: 0, length: 10 };
  await rejects(confirm([twice, { ...twice, offset: 10 }]), invalid);
  await rejects(confirm([twice, { handle: b, offset: 9, length: 10 }]), invalid);
  await rejects(confirm([twice], 9), invalid);
  const { attributes } = await confirm([twice, { handle: b, offset: 10, length: 10 }], 100);
  equal(attributes!.size, 100);
});

test('upload: a confirmation sent again gives the same answer, with an operation number and without', async () => {
  const master = await TestMaster.start(3);
  for (const operation of [undefined, master.operation()]) {
    const { uploadId } = await master.beginUpload('/file', 0);
    const first = await master.confirmUpload(uploadId, [], { operation });
    await master.call(MasterMethods.rename, {
      ...{ from: '/file', to: '/moved', noReplace: false, operation: undefined },
    });
    await master.crash();
    deepEqual(await master.confirmUpload(uploadId, [], { operation }), first);
    await rejects(stat(master, '/file'), kind('NOT_FOUND'));
    await rejects(master.confirmUpload(uploadId, [], { operation: master.operation() }), kind('UPLOAD_NOT_FOUND'));
  }
});

test('upload: abandoned when silent for its lease, not when renewed; a restart of the master gives a full lease', async () => {
  const master = await TestMaster.start(3);
  const { uploadId } = await master.beginUpload('/kept', 1);
  const silent = await master.beginUpload('/silent', 1);
  const renew = () =>
    master.call(MasterMethods.extendUpload, {
      ...{ uploadId, chunkCount: 0, avoidServers: [], droppedHandles: [], operation: undefined },
    });
  await master.simulation.runFor(40_000);
  await renew();
  await master.simulation.runFor(25_000);
  await rejects(master.confirmUpload(silent.uploadId, []), kind('UPLOAD_NOT_FOUND'));
  equal(await garbageCount(master), 1);
  await renew();
  await master.simulation.runFor(50_000);
  await master.crash();
  await master.simulation.runFor(30_000);
  await master.confirmUpload(uploadId, []);
});

test('upload: extending plans more chunks away from the servers named, and takes back what is dropped', async () => {
  const master = await TestMaster.start(3);
  const { uploadId, chunks } = await master.beginUpload('/file', 1);
  const more = await master.call(MasterMethods.extendUpload, {
    ...{ uploadId, chunkCount: 2, avoidServers: [2], droppedHandles: [chunks[0]!.handle], operation: undefined },
  });
  deepEqual(
    more.chunks.map(({ replicas }) => replicas.map(({ serverId }) => serverId).sort()),
    [
      [1, 3],
      [1, 3],
    ],
  );
  const dropped = { handle: chunks[0]!.handle, offset: 0, length: 1 };
  await rejects(master.confirmUpload(uploadId, [dropped]), kind('INVALID_ARGUMENT'));
  await master.call(MasterMethods.abortUpload, { uploadId });
  await rejects(master.confirmUpload(uploadId, []), kind('UPLOAD_NOT_FOUND'));
  equal(await garbageCount(master), 3);
});

test('upload: with too few chunkservers it is refused, saying how many there are and how many are needed', async () => {
  const master = await TestMaster.start(1);
  await rejects(master.beginUpload('/file', 1), (error: { kind?: string; message: string }) => {
    match(error.message, /\b1\b.*\b2\b|\b2\b.*\b1\b/);
    return error.kind === 'NOT_ENOUGH_SERVERS';
  });
  await master.create('/empty'); // takes no chunk
});

test('upload: a plan of one chunk is in no record until it is confirmed, renewed or given up', async () => {
  const master = await TestMaster.start(3);
  const chunkCount = async () => (await master.call(MasterMethods.getClusterStatus, {})).chunkCount;
  const extend = (uploadId: string) =>
    master.call(MasterMethods.extendUpload, {
      ...{ uploadId, chunkCount: 0, avoidServers: [], droppedHandles: [], operation: undefined },
    });
  const [confirmed, renewed, aborted] = [
    await master.beginUpload('/confirmed', 1),
    await master.beginUpload('/renewed', 1),
    await master.beginUpload('/aborted', 1),
  ];
  equal(await chunkCount(), 0);
  const placed = (chunks: readonly { handle: string }[]) => [{ handle: chunks[0]!.handle, offset: 0, length: 10 }];
  await master.confirmUpload(confirmed.uploadId, placed(confirmed.chunks));
  await extend(renewed.uploadId);
  equal(await chunkCount(), 2);
  await master.call(MasterMethods.abortUpload, { uploadId: aborted.uploadId });
  deepEqual([await chunkCount(), await garbageCount(master)], [3, 1]);
  for (const { uploadId, chunks } of [confirmed, aborted]) {
    const again = master.confirmUpload(uploadId, placed(chunks), { operation: master.operation() });
    await rejects(again, kind('UPLOAD_NOT_FOUND'));
  }
  await master.crash();
  await master.confirmUpload(renewed.uploadId, placed(renewed.chunks));
});

test('upload: a master that crashes forgets a plan of one chunk, and its replica is an orphan; before, it is none', async () => {
  const master = await TestMaster.start(3);
  const { uploadId, chunks } = await master.beginUpload('/file', 1);
  const [{ handle, replicas }] = chunks as [(typeof chunks)[0]];
  const server = master.server(replicas[0]!.serverId);
  server.replicas.set(handle, newReplica({ version: 1, length: 10, sequence: 0 }));
  const orders = async () => {
    await master.simulation.run(server.sendInventory());
    const { quarantine } = await master.simulation.run(server.heartbeat());
    return quarantine.map(({ handle: ordered, reason }) => [ordered, reason]);
  };
  deepEqual(await orders(), []);
  await master.crash();
  await rejects(
    master.confirmUpload(uploadId, [{ handle, offset: 0, length: 10 }], { operation: master.operation() }),
    kind('UPLOAD_NOT_FOUND'),
  );
  deepEqual(await orders(), [[handle, 'orphan']]);
});

test('upload: one that was given up stays so, also when its chunk is forgotten before that is durable', async () => {
  const master = await TestMaster.start(3, { deadAfterMs: 15_000 });
  const { uploadId, chunks } = await master.beginUpload('/file', 1);
  for (const server of master.servers) server.isBeating = false;
  await master.simulation.runFor(30_000);
  const { timing } = master.simulation.host('master').disk;
  timing.slowness = 10_000;
  const aborted = master.send(MasterMethods.abortUpload, { uploadId });
  await master.simulation.runFor(1500);
  const confirmed = master.confirmUpload(uploadId, [{ handle: chunks[0]!.handle, offset: 0, length: 10 }]);
  timing.slowness = 1;
  await rejects(confirmed, kind('UPLOAD_NOT_FOUND'));
  await master.simulation.run(aborted);
});

test('upload: what comes between a confirmation and its record being durable finds the upload confirmed', async () => {
  const master = await TestMaster.start(3);
  const { uploadId, chunks } = await master.beginUpload('/file', 1);
  const [{ handle }] = chunks as [(typeof chunks)[0]];
  const renewal = { uploadId, chunkCount: 0, avoidServers: [], droppedHandles: [], operation: undefined };
  const [confirmed, aborted, renewed] = await Promise.allSettled([
    master.confirmUpload(uploadId, [{ handle, offset: 0, length: 10 }]),
    master.call(MasterMethods.abortUpload, { uploadId }),
    master.call(MasterMethods.extendUpload, renewal),
  ]);
  deepEqual([confirmed.status, aborted.status, renewed.status], ['fulfilled', 'fulfilled', 'rejected']);
  equal(await garbageCount(master), 0);
  await master.simulation.runFor(70_000);
  const { extents } = await master.locate((await stat(master, '/file')).inode);
  deepEqual(
    extents.map(({ length, chunk }) => [length, chunk!.handle, chunk!.open]),
    [[10, handle, false]],
  );
});

function target(path: string, create: CreateMode = CreateMode.CREATE_MODE_REPLACE) {
  return { path, create, mode: 0o600, owner: 'ann', group: '', makeParents: false };
}

test('spare upload: begun with a confirmation, it becomes what its own confirmation names', async () => {
  const master = await TestMaster.start(3);
  const first = await master.beginUpload('/a/first', 1);
  const placed = (chunks: readonly { handle: string }[]) => [{ handle: chunks[0]!.handle, offset: 0, length: 10 }];
  const elsewhere = master.confirmUpload(first.uploadId, placed(first.chunks), { target: target('/a/other') });
  await rejects(elsewhere, kind('INVALID_ARGUMENT'));
  const { spare } = await master.confirmUpload(first.uploadId, placed(first.chunks), { wantsSpare: true });
  const { uploadId, chunks, leaseMs } = spare!;
  deepEqual([chunks.length, chunks[0]!.replicas.length, leaseMs], [1, 3, 60_000]);
  const confirm = (more: Parameters<TestMaster['confirmUpload']>[2]) =>
    master.confirmUpload(uploadId, placed(chunks), more);
  await rejects(confirm({}), kind('INVALID_ARGUMENT'));
  await rejects(confirm({ target: target('/missing/second') }), kind('NOT_FOUND'));
  await rejects(confirm({ target: target('') }), kind('INVALID_ARGUMENT'));
  await rejects(confirm({ target: target('/.trash/second') }), kind('INVALID_ARGUMENT'));
  await rejects(confirm({ target: target('/a/first', CreateMode.CREATE_MODE_EXCLUSIVE) }), kind('ALREADY_EXISTS'));
  const made = await confirm({ target: target('/a/second', CreateMode.CREATE_MODE_EXCLUSIVE) });
  equal(made.spare, undefined);
  const { size, mode, owner, replication } = await stat(master, '/a/second');
  deepEqual([size, mode, owner, replication], [10, 0o600, 'ann', 3]);
  equal(await garbageCount(master), 0);
});

test('spare upload: a confirmation that is repeated answers the same, and another spare one', async () => {
  const master = await TestMaster.start(3);
  const { uploadId } = await master.beginUpload('/file', 1);
  const operation = master.operation();
  const [first, second] = [
    await master.confirmUpload(uploadId, [], { operation, wantsSpare: true }),
    await master.confirmUpload(uploadId, [], { operation, wantsSpare: true }),
  ];
  deepEqual(second.attributes, first.attributes);
  ok(second.spare!.uploadId !== first.spare!.uploadId);
  await master.crash();
  const third = await master.confirmUpload(uploadId, [], { operation });
  deepEqual(third, { attributes: first.attributes, spare: undefined });
  const lost = master.confirmUpload(first.spare!.uploadId, [], { target: target('/lost') });
  await rejects(lost, kind('UPLOAD_NOT_FOUND'));
});

test('spare upload: one that is renewed outlives a crash without a target, and is abandoned like any other', async () => {
  const master = await TestMaster.start(3);
  const { uploadId } = await master.beginUpload('/file', 1);
  const { spare } = await master.confirmUpload(uploadId, [], { wantsSpare: true });
  const renewal = { uploadId: spare!.uploadId, chunkCount: 0, avoidServers: [], droppedHandles: [] };
  await master.call(MasterMethods.extendUpload, { ...renewal, operation: undefined });
  await master.crash();
  await rejects(master.confirmUpload(spare!.uploadId, []), kind('INVALID_ARGUMENT'));
  const { spare: next } = await master.confirmUpload(spare!.uploadId, [], {
    target: target('/kept'),
    wantsSpare: true,
  });
  equal((await stat(master, '/kept')).size, 0);
  await master.simulation.runFor(70_000);
  await rejects(master.confirmUpload(next!.uploadId, [], { target: target('/late') }), kind('UPLOAD_NOT_FOUND'));
});

test('spare upload: where none can be begun the file is confirmed all the same', async () => {
  const master = await TestMaster.start(3, { deadAfterMs: 15_000 });
  const { uploadId } = await master.beginUpload('/file', 1);
  for (const server of master.servers) server.isBeating = false;
  await master.simulation.runFor(30_000);
  const { attributes, spare } = await master.confirmUpload(uploadId, [], { wantsSpare: true });
  deepEqual([attributes!.size, spare], [0, undefined]);
});

test('spare upload: none is begun while so many uploads are under way, and again when some have ended', async () => {
  const master = await TestMaster.start(3);
  const begun: string[] = [];
  while (begun.length < UPLOADS_WITH_SPARES_MAX) {
    const many = Array.from({ length: 500 }, () => master.beginUpload('/file', 1));
    begun.push(...(await Promise.all(many)).map(({ uploadId }) => uploadId));
  }
  equal(begun.length, UPLOADS_WITH_SPARES_MAX);
  const hasSpare = async () => (await master.confirmUpload(begun.pop()!, [], { wantsSpare: true })).spare !== undefined;
  // The one that is confirmed counts until then, so the second finds one place free.
  deepEqual([await hasSpare(), await hasSpare(), await hasSpare()], [false, true, true]);
});

test('upload: hundreds that were left behind are collected in one step', async () => {
  const master = await TestMaster.start(3);
  const begun = Array.from({ length: 300 }, (_, index) => master.beginUpload(`/left-${index}`, 1));
  await Promise.all(begun);
  await master.simulation.runFor(59_000);
  equal(await garbageCount(master), 0);
  await master.simulation.runFor(4000);
  equal(await garbageCount(master), 300);
});
