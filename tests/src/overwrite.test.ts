import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';
import { replicaHashes } from './harness/replicas.ts';

const FILE_BYTES = 256 * 1024;
const WRITE_BYTES = 48 * 1024;
const CLIENTS = 4;
const WRITES = 60;

test('overwrite: concurrent overlapping writes leave identical replicas, and every read is some order of them', {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect({ masters: [cluster.masterAddress] })),
  );
  try {
    await clients[0]!.writeFile('/shared', new Uint8Array(FILE_BYTES));
    // Every write fills its range with one number of its own, so that a torn write would show inside its range.
    let started = 0;
    const acknowledged = new Map<number, { offset: number; startedAt: number; endedAt: number }>();
    let time = 0;
    const writing = clients.map(async (client, writer) => {
      const handle = await client.open('/shared', 'r+');
      for (let index = 0; index < WRITES; index += 1) {
        started += 1;
        const stamp = started;
        const offset = ((writer * 7919 + index * 104_729) % ((FILE_BYTES - WRITE_BYTES) / 4096)) * 4096;
        const bytes = new Uint8Array(new Uint32Array(WRITE_BYTES / 4).fill(stamp).buffer);
        time += 1;
        const startedAt = time;
        await handle.write(bytes, 0, bytes.length, offset);
        time += 1;
        acknowledged.set(stamp, { offset, startedAt, endedAt: time });
      }
      await handle.close();
    });
    let isDone = false;
    const reading = (async () => {
      let reads = 0;
      while (!isDone) {
        await clients[0]!.readFile('/shared');
        reads += 1;
      }
      return reads;
    })();
    await Promise.all(writing);
    isDone = true;
    ok((await reading) > 0);
    const final = new Uint32Array(new Uint8Array(await clients[1]!.readFile('/shared')).buffer);
    equal(final.length * 4, FILE_BYTES);
    // A word may hold only a write that covers it and that no other write covering it wholly follows.
    for (const [index, stamp] of final.entries()) {
      const at = index * 4;
      const covering = [...acknowledged.entries()].filter(
        ([, write]) => at >= write.offset && at < write.offset + WRITE_BYTES,
      );
      if (stamp === 0) {
        equal(covering.length, 0, `byte ${at} was written ${covering.length} times and reads zero`);
        continue;
      }
      const winner = acknowledged.get(stamp)!;
      ok(winner !== undefined && at >= winner.offset && at < winner.offset + WRITE_BYTES, `byte ${at} holds ${stamp}`);
      for (const [other, write] of covering) {
        ok(!(write.startedAt > winner.endedAt), `byte ${at} holds ${stamp}, but ${other} was written after it`);
      }
    }
    for (const [handle, hashes] of await replicaHashes(cluster, '/shared')) {
      equal(new Set(hashes).size, 1, `replicas of chunk ${handle} differ`);
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.close();
  }
});
