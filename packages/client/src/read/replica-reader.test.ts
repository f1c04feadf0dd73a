import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
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
  equal(await reader.read(EXTENT, 0, target, calls.deadline({})), 100);
  deepEqual(target, CONTENT);
  equal(new Set(asked).size, 2);
});
