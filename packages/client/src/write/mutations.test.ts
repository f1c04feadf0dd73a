import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { Extent, OperationId } from '@cairnfs/protocol';
import { type ScriptedCall, scriptedCalls } from '../testing/scripted-pool.ts';
import { Mutations, writeTarget } from './mutations.ts';

const MiB = 1024 * 1024;
const RECORD = new Uint8Array([1, 2, 3]);

function extent(handle: string, offset: number, version = 1, primary = 'p1:1'): { extent: Extent; chunkBytes: number } {
  const replicas = [{ serverId: 1, address: primary, state: 1 as const }];
  return {
    extent: {
      offset,
      length: 0,
      limit: offset + 64 * MiB,
      chunk: { handle, version, replicas, length: 0, open: true },
    },
    chunkBytes: 0,
  };
}

const done = (offset: number) => ({ offset, committedLength: offset + 3, sequence: 1, repeatedOperation: false });

function run(script: (call: ScriptedCall, count: number) => unknown) {
  const seen: ScriptedCall[] = [];
  const calls = scriptedCalls((call) => {
    seen.push(call);
    return script(call, seen.length);
  });
  const mutations = new Mutations(calls);
  return { seen, append: (target = writeTarget(7)) => mutations.append(target, RECORD, calls.deadline({})) };
}

test('append: an open outcome is settled on its own chunk, under the same number, before anything else', async () => {
  const { seen, append } = run(({ method, request }, count) => {
    if (method === 'Master.OpenExtent') return extent('A', 0, count === 1 ? 1 : 2, count === 1 ? 'p1:1' : 'p2:1');
    if (count === 2) throw new FsError('CONNECTION_LOST', 'gone');
    equal(request.handle, 'A');
    return done(30);
  });
  equal(await append(), 30);
  const opens = seen.filter(({ method }) => method === 'Master.OpenExtent').map(({ request }) => request.at);
  deepEqual(opens, [
    { $case: 'append', value: true },
    { $case: 'handle', value: 'A' },
  ]);
  const mutations = seen.filter(({ method }) => method === 'ChunkserverData.MutateChunk');
  deepEqual(new Set(mutations.map(({ request }) => (request.operation as OperationId).number)), new Set([1]));
  equal(mutations.at(-1)!.address, 'p2:1');
});

test('append: a full chunk passes it on to the next one', async () => {
  const { seen, append } = run(({ method, request }) => {
    if (method === 'Master.OpenExtent') return request.fullHandle === 'A' ? extent('B', 100) : extent('A', 0);
    if (request.handle === 'A') throw new FsError('CHUNK_FULL', 'full');
    return done(5);
  });
  equal(await append(), 105);
  equal(seen.length, 4);
});

test('append: when the chunk of an open outcome is gone, the outcome is reported as unknown', async () => {
  const { append } = run(({ method }, count) => {
    if (method === 'Master.OpenExtent' && count > 1) throw new FsError('CHUNK_NOT_FOUND', 'cut off');
    if (method === 'Master.OpenExtent') return extent('A', 0);
    throw new FsError('DEADLINE_EXCEEDED', 'no answer');
  });
  await rejects(append(), { kind: 'OUTCOME_EXPIRED' });
});

test('append: one that was certainly not applied goes to the end of the file, wherever that is now', async () => {
  let opened = 0;
  const { append } = run(({ method, request }) => {
    if (method === 'Master.OpenExtent') {
      opened += 1;
      deepEqual(request.at, { $case: 'append', value: true });
      return extent(opened === 1 ? 'A' : 'C', 0);
    }
    if (request.handle === 'A') throw new FsError('NOT_PRIMARY', 'the lease moved');
    return done(0);
  });
  equal(await append(), 0);
  equal(opened, 2);
});

test('append: a known tail costs one call', async () => {
  const { seen, append } = run(({ method }) => (method === 'Master.OpenExtent' ? extent('A', 0) : done(0)));
  const target = writeTarget(7);
  await append(target);
  await append(target);
  equal(seen.length, 3);
});
