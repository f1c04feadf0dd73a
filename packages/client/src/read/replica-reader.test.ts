import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { Extent } from '@cairnfs/protocol';
import { ScriptedData, scriptedCalls } from '../testing/scripted-pool.ts';
import { ReplicaReader } from './replica-reader.ts';

const CONTENT = Uint8Array.from({ length: 100 }, (_, index) => index);

/** An open chunk, known to hold all of `CONTENT`. */
const EXTENT: Extent = {
  ...{ offset: 0, length: 100, limit: 1_000 },
  chunk: {
    ...{ handle: 'h', version: 3, length: 100, open: true, sequence: undefined },
    replicas: ['a:1', 'b:1'].map((address, index) => ({ serverId: index + 1, address, state: 1 as const })),
  },
};

test('read: a replica that answers less than the chunk is known to hold is not believed, though the chunk is open', async () => {
  const asked: string[] = [];
  const calls = scriptedCalls(({ address }) => {
    asked.push(address);
    const bytes = asked.length === 1 ? CONTENT.subarray(0, 60) : CONTENT;
    return new ScriptedData({ length: bytes.length, committedLength: bytes.length }, bytes);
  });
  const target = new Uint8Array(100);
  const reader = new ReplicaReader(calls.seams, calls.pool);
  equal(await reader.read({ extent: EXTENT, isFresh: true }, 0, target, calls.deadline({})), 100);
  deepEqual(target, CONTENT);
  equal(new Set(asked).size, 2);
});

const refusing = (asked: string[], also = (_address: string) => {}) =>
  scriptedCalls(({ address }) => {
    asked.push(address);
    also(address);
    if (address === 'a:1') throw new FsError('STALE_VERSION', 'a later one was promised here');
    return new ScriptedData({ length: CONTENT.length, committedLength: CONTENT.length }, CONTENT);
  });

test('read: where one replica has promised a version that is not there yet, another one serves the version that is', async () => {
  const asked: string[] = [];
  const calls = refusing(asked);
  const reader = new ReplicaReader(calls.seams, calls.pool);
  const target = new Uint8Array(100);
  for (let round = 0; round < 20; round += 1)
    equal(await reader.read({ extent: EXTENT, isFresh: true }, 0, target, calls.deadline({})), 100);
  deepEqual(target, CONTENT);
  // It is well otherwise: it is asked in its turn.
  const refused = asked.filter((address) => address === 'a:1').length;
  equal(refused > 5 && asked.length === 20 + refused, true);
});

test('read: when a version is refused, nobody is asked for it who failed lately, nor of a remembered location anybody else', async () => {
  const asked: string[] = [];
  const calls = refusing(asked, (address) => {
    if (address === 'b:1') throw new FsError('CONNECTION_LOST', 'gone');
  });
  const reader = new ReplicaReader(calls.seams, calls.pool);
  const read = (isFresh: boolean) =>
    rejects(reader.read({ extent: EXTENT, isFresh }, 0, new Uint8Array(100), calls.deadline({})), {
      kind: 'STALE_VERSION',
    });
  while (!asked.includes('b:1')) await read(true);
  asked.length = 0;
  await read(true);
  deepEqual(asked, ['a:1']);
  const remembered: string[] = [];
  const others = refusing(remembered);
  const another = new ReplicaReader(others.seams, others.pool);
  const location = { extent: EXTENT, isFresh: false };
  while (!remembered.includes('a:1'))
    await another.read(location, 0, new Uint8Array(100), others.deadline({})).catch(() => undefined);
  equal(remembered.at(-1), 'a:1');
});
