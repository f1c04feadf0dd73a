import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { CreateMode } from '@cairnfs/protocol';
import { FileCalls } from './file-calls.ts';
import { FileReader } from './read/file-reader.ts';
import { ReplicaReader } from './read/replica-reader.ts';
import { scriptedCalls } from './testing/scripted-pool.ts';
import { Mutations } from './write/mutations.ts';

test("writeFile 'ax': the bytes go into the file that was made, whatever the path leads to by now", async () => {
  const opened: unknown[] = [];
  const calls = scriptedCalls(({ method, request }) => {
    if (method === 'Master.Create') {
      const isNew = request.create === CreateMode.CREATE_MODE_EXCLUSIVE;
      return { attributes: { inode: isNew ? 7 : 8 }, created: isNew }; // somebody replaced it
    }
    if (method === 'ChunkserverData.MutateChunk') return { offset: 0, committedLength: 1, sequence: 1 };
    opened.push(request.inode);
    const replicas = [{ serverId: 1, address: 'p1:1', state: 1 as const }];
    const chunk = { handle: 'A', version: 1, replicas, length: 0, open: true };
    return { extent: { offset: 0, length: 0, limit: 1024, chunk }, chunkBytes: 131072 };
  });
  const reader = new FileReader(new ReplicaReader(calls.seams, calls.pool));
  const files = new FileCalls({ calls, mutations: new Mutations(calls), reader });
  await files.writeFile('/file', 'x', { flag: 'ax' });
  deepEqual(opened, [7]);
});
