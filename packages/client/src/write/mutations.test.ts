import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { Extent, OperationId } from '@cairnfs/protocol';
import { WRITE_PIECES_IN_FLIGHT } from '../limits.ts';
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
  return {
    seen,
    appendAll: (bytes: Uint8Array) => mutations.appendAll(writeTarget(7), bytes, () => calls.deadline({})),
    append: (target = writeTarget(7)) => mutations.append(target, RECORD, calls.deadline({})),
    write: (offset: number, bytes: Uint8Array, target = writeTarget(7)) =>
      mutations.write(target, offset, bytes, () => calls.deadline({})),
    mutated: () => seen.filter(({ method }) => method === 'ChunkserverData.MutateChunk'),
  };
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

test('append: of several records the first offset and the end of the last are told, whoever appended in between', async () => {
  const offsets = [100, 5 * MiB];
  const { appendAll } = run(({ method }) => (method === 'Master.OpenExtent' ? extent('A', 0) : done(offsets.shift()!)));
  deepEqual(await appendAll(new Uint8Array(MiB + 3)), { offset: 100, end: 5 * MiB + 3 });
  equal(await appendAll(new Uint8Array(0)), undefined);
});

test('append: a known tail costs one call', async () => {
  const { seen, append } = run(({ method }) => (method === 'Master.OpenExtent' ? extent('A', 0) : done(0)));
  const target = writeTarget(7);
  await append(target);
  await append(target);
  equal(seen.length, 3);
});

function operationNumber({ request }: ScriptedCall): number {
  return (request.operation as OperationId).number;
}

function writtenAt({ request, options }: ScriptedCall): [handle: unknown, offset: unknown, length: number] {
  return [request.handle, (request.kind as { value: unknown }).value, options.data!.buffers[0]!.length];
}

/** Each chunk begins where the one before it ends. */
function extentOver(offset: number, chunkBytes: number): { extent: Extent; chunkBytes: number } {
  const start = Math.floor(offset / chunkBytes) * chunkBytes;
  const { extent: found } = extent(`at ${start}`, start);
  return { extent: { ...found, limit: start + chunkBytes }, chunkBytes: 0 };
}

const offsetOf = ({ request }: ScriptedCall) => (request.at as { value: number }).value;

test('write: pieces of one mebibyte go at once, as many as the limit, and each under its own number', async () => {
  const waiting: (() => void)[] = [];
  let most = 0;
  const { write, mutated } = run((call) => {
    if (call.method === 'Master.OpenExtent') return extentOver(offsetOf(call), 64 * MiB);
    return new Promise((resolve) => {
      waiting.push(() => resolve(done(0)));
      most = Math.max(most, waiting.length);
    });
  });
  const writing = write(0, new Uint8Array(20 * MiB + 5));
  let hasEnded = false;
  void writing.then(() => (hasEnded = true));
  while (!hasEnded) {
    await new Promise((resolve) => setImmediate(resolve));
    // The last one first, so that answers come out of order.
    waiting.pop()?.();
  }
  equal(most, WRITE_PIECES_IN_FLIGHT);
  equal(new Set(mutated().map(operationNumber)).size, 21);
  const covered = mutated().map(writtenAt);
  deepEqual(covered.at(-1), ['at 0', 20 * MiB, 5]);
  deepEqual(
    covered.map(([, offset]) => offset),
    covered.map((_, index) => index * MiB),
  );
});

test('write: the next chunk is opened when all before it is written', async () => {
  let running = 0;
  const { write, mutated } = run(async (call) => {
    if (call.method === 'Master.OpenExtent') {
      equal(running, 0);
      return extentOver(offsetOf(call), 3 * MiB);
    }
    running += 1;
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return done(0);
  });
  await write(MiB / 2, new Uint8Array(4 * MiB));
  deepEqual(mutated().map(writtenAt), [
    ['at 0', MiB / 2, MiB],
    ['at 0', 1.5 * MiB, MiB],
    ['at 0', 2.5 * MiB, MiB / 2],
    ['at 3145728', 0, MiB],
    ['at 3145728', MiB, MiB / 2],
  ]);
});

test('write: a piece without an answer is sent again under its number; the others are sent once', async () => {
  let isLost = false;
  const { write, mutated } = run((call) => {
    if (call.method === 'Master.OpenExtent') {
      const { request } = call;
      return (request.at as { $case: string }).$case === 'handle' ? extent('A', 0, 2, 'p2:1') : extent('A', 0);
    }
    if (!isLost && writtenAt(call)[1] === MiB) {
      isLost = true;
      throw new FsError('CONNECTION_LOST', 'gone');
    }
    return done(0);
  });
  await write(0, new Uint8Array(3 * MiB));
  const second = mutated().filter((call) => writtenAt(call)[1] === MiB);
  equal(mutated().length, 4);
  deepEqual(
    second.map(({ address }) => address),
    ['p1:1', 'p2:1'],
  );
  equal(new Set(second.map(operationNumber)).size, 1);
});

test('write: the first failure is told when nothing is under way any more, and nothing follows it', async () => {
  let running = 0;
  const { write, mutated } = run(async (call) => {
    if (call.method === 'Master.OpenExtent') return extentOver(offsetOf(call), 64 * MiB);
    running += 1;
    const isSecond = writtenAt(call)[1] === MiB;
    if (!isSecond) for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (isSecond) throw new FsError('NO_SPACE', 'full');
    return done(0);
  });
  await rejects(write(0, new Uint8Array(40 * MiB)), { kind: 'NO_SPACE' });
  equal(running, 0);
  ok(mutated().length <= WRITE_PIECES_IN_FLIGHT);
});

test('write: a chunk that was sealed meanwhile keeps what it holds, the rest goes to the chunk behind it', async () => {
  let isSealed = false;
  const { write, mutated } = run((call) => {
    if (call.method === 'Master.OpenExtent') {
      const at = offsetOf(call);
      if (!isSealed) return extentOver(at, 64 * MiB);
      const [start, limit] = at < 100 ? [0, 100] : [100, 64 * MiB];
      return { extent: { ...extent(`at ${start}`, start, 2).extent, limit }, chunkBytes: 0 };
    }
    const [handle, offset, length] = writtenAt(call);
    if (handle === 'at 0' && Number(offset) + length > 100) {
      isSealed = true;
      throw new FsError('CHUNK_SEALED', 'an extent follows');
    }
    return done(0);
  });
  await write(40, new Uint8Array(200));
  deepEqual(mutated().map(writtenAt), [
    ['at 0', 40, 200],
    ['at 0', 40, 60],
    ['at 100', 0, 140],
  ]);
  equal(new Set(mutated().map(operationNumber)).size, 2);
});

test('append: when the chunk of an open outcome gave way empty, it goes where the file ends now', async () => {
  const { append, seen } = run(({ method, request }, count) => {
    if (method === 'Master.OpenExtent' && (request.at as { $case: string }).$case === 'handle')
      throw new FsError('CHUNK_SEALED', 'gave way');
    if (method === 'Master.OpenExtent') return count > 1 ? extent('B', 7) : extent('A', 1000);
    if (request.handle === 'A') throw new FsError('DEADLINE_EXCEEDED', 'no answer');
    // Of this one it is known that it was never tried: where it goes next, the master names.
    const isFirst = seen.filter(({ request: { handle } }) => handle === 'B').length === 1;
    if (isFirst) throw new FsError('LEASE_EXPIRED', 'refused');
    return done(5);
  });
  equal(await append(), 12);
  const opens = seen.filter(({ method }) => method === 'Master.OpenExtent').map(({ request }) => request.at);
  deepEqual(
    opens.map((at) => (at as { $case: string }).$case),
    ['append', 'handle', 'append', 'append'],
  );
});

test('append: that the master has no room to open the chunk again does not settle an open outcome', async () => {
  const { append, mutated } = run(({ method }, count) => {
    if (method === 'Master.OpenExtent' && (count === 3 || count === 4)) throw new FsError('NO_SPACE', 'full');
    if (method === 'Master.OpenExtent') return extent('A', 0);
    if (count === 2) throw new FsError('CONNECTION_LOST', 'gone');
    return done(30);
  });
  equal(await append(), 30);
  deepEqual(
    mutated().map(({ request }) => request.handle),
    ['A', 'A'],
  );
});

test('append: an open outcome on a file that is gone cannot be told; what was never sent is refused', async () => {
  for (const [isSent, kind] of [
    [true, 'OUTCOME_EXPIRED'],
    [false, 'NOT_FOUND'],
  ] as const) {
    const { append } = run(({ method }, count) => {
      if (method === 'Master.OpenExtent' && count === 1) return extent('A', 0);
      if (count === 2) throw new FsError(isSent ? 'CONNECTION_LOST' : 'STALE_VERSION', 'the view changed');
      throw new FsError('NOT_FOUND', 'no file or directory has inode 7 any more');
    });
    await rejects(append(), { kind });
  }
});
