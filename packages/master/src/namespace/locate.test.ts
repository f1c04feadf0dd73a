import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CHUNK_BYTES_MAX, type Extent, MasterControlMethods, MasterMethods } from '@cairnfs/protocol';
import { PRIMARIES_WAIT_MS } from '../limits.ts';
import { TestMaster } from '../testing/test-master.ts';
import { ClusterViews } from '../views/cluster-views.ts';

const kind = (name: string) => (error: { kind?: string }) => error.kind === name;
const APPEND = { $case: 'append', value: true } as const;
const at = (offset: number) => ({ $case: 'offset', value: offset }) as const;
const shape = (extents: readonly Extent[]) =>
  extents.map(({ offset, length, limit }) => ({ offset, length, room: limit - offset }));

test('locate: pages cover all extents once, also where thousands of small ones lie in one chunk of file', async () => {
  const master = await TestMaster.start(3);
  const pieces = Array.from({ length: 900 }, (_, index) => ({ offset: index * 100, length: 60 }));
  const inode = await master.upload('/many', pieces);
  const seen: number[] = [];
  for (let offset = 0, more = true; more; ) {
    const page = await master.locate(inode, { offset, limit: 250 });
    seen.push(...page.extents.map((extent) => extent.offset));
    more = page.more;
    offset = page.extents.at(-1)!.limit;
  }
  deepEqual(
    seen,
    pieces.map(({ offset }) => offset),
  );
  const inside = await master.locate(inode, { offset: 50_030, length: 100, limit: 10 });
  deepEqual([inside.extents.map(({ offset }) => offset), inside.more], [[50_000, 50_100], false]);
  const hole = await master.locate(inode, { offset: 50_070, length: 20 });
  deepEqual([hole.extents, hole.more, hole.size], [[], false, 89_960]);
});

test('locate: what lies below the last chunk is told though nobody can tell how long that is', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/log', [{ offset: 0, length: 1000 }]);
  const first = (await master.locate(inode)).extents[0]!;
  const tail = await master.openExtent(inode, APPEND, first.chunk!.handle);
  master.grow(tail, 7);
  for (const server of master.servers) server.failure = new FsError('UNAVAILABLE', 'away');
  const locate = (range: { offset: number; length: number }, timeoutMs: number) => {
    const request = { file: { path: '', inode }, ...range, limit: 0 };
    return master.simulation.run(master.send(MasterMethods.locate, request, timeoutMs));
  };
  for (const range of [
    { offset: 0, length: 1000 },
    { offset: 990, length: 10 },
  ]) {
    const { extents, size, more } = await locate(range, 100);
    deepEqual([shape(extents), size, more], [[{ offset: 0, length: 1000, room: 1000 }], 1000, false]);
  }
  for (const range of [
    { offset: 0, length: 1001 },
    { offset: 0, length: 0 },
  ])
    await rejects(locate(range, 60_000), kind('VIEW_TOO_SMALL'));
  for (const server of master.servers) server.failure = undefined;
  equal((await locate({ offset: 0, length: 1001 }, 60_000)).size, 1007);
});

test('locate: below a chunk behind the end that has no bytes yet, the end is still where it was', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.create('/file');
  await master.append(inode, 100);
  await master.openExtent(inode, at(3 * CHUNK_BYTES_MAX));
  equal((await master.locate(inode, { offset: 0, length: 200 })).size, 100);
});

test('locate: a chunk that nobody leads is led before it is told, where that does not take long', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/file', [
    { offset: 0, length: 1000 },
    { offset: 1000, length: 1000 },
  ]);
  await master.locate(inode);
  deepEqual(
    master.servers.map(({ measured }) => measured),
    [[], [], []],
  );
  const { chunk } = await master.openExtent(inode, at(10));
  const { handle, replicas } = chunk!;
  const primary = master.server(replicas[0]!.serverId);
  const timed = async () => {
    const beganMs = master.simulation.nowMs;
    const { extents } = await master.locate(inode, { offset: 0, length: 100 });
    equal(extents[0]!.chunk!.handle, handle);
    return master.simulation.nowMs - beganMs;
  };
  await timed();
  deepEqual(primary.measured, [handle]);
  primary.measureMs = 60_000;
  ok((await timed()) <= PRIMARIES_WAIT_MS + 100);
  // What it comes to goes on, and nobody waits for it.
  await master.simulation.runFor(100);
  ok((await timed()) < 100);
  equal(primary.measured.length, 2);
});

test('locate: no error while a chunk is led ends the process, at once or after the end could not be told', async (t) => {
  for (const isEndTold of [true, false]) {
    const master = await TestMaster.start(3);
    const inode = await master.upload('/file', [
      { offset: 0, length: 1000 },
      { offset: 1000, length: 1000 },
    ]);
    const first = (await master.openExtent(inode, at(10))).chunk!.handle;
    await master.openExtent(inode, at(1010));
    const { clock } = master.simulation;
    const end = t.mock.method(ClusterViews.prototype, 'end', async (handle: string) => {
      if ((handle === first) !== isEndTold) await clock.sleep(100);
      if (handle === first) throw new Error('an assertion');
      if (isEndTold) return { length: 5, sequence: 1 };
      throw new FsError('VIEW_TOO_SMALL', 'away');
    });
    await rejects(master.locate(inode, { offset: 0, length: 0 }), kind(isEndTold ? 'INTERNAL' : 'VIEW_TOO_SMALL'));
    await master.simulation.runFor(1000);
    await new Promise(setImmediate);
    equal(end.mock.callCount(), 2);
    end.mock.restore();
  }
});

test('locate: of a chunk with a lease nobody is asked', async () => {
  const master = await TestMaster.start(3);
  const inode = await master.upload('/file', [
    { offset: 0, length: 1000 },
    { offset: 1000, length: 1000 },
  ]);
  const { handle, version, replicas } = (await master.openExtent(inode, at(10))).chunk!;
  const primary = master.server(replicas[0]!.serverId);
  const lease = { serverId: primary.id, session: primary.session, wanted: [{ handle, version }] };
  equal((await master.call(MasterControlMethods.acquireLeases, lease)).granted.length, 1);
  await master.locate(inode, { offset: 0, length: 100 });
  deepEqual(primary.measured, []);
});
