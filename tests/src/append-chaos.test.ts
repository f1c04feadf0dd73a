import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';
import { replicaHashes } from './harness/replicas.ts';

const WRITERS = 8;
const DURATION_MS = 30_000;
const RECORD_BYTES = 100;

test('append: eight writers lose and repeat nothing while chunkservers are killed and started again', {
  timeout: 300_000,
}, async () => {
  const cluster = await TestCluster.start();
  const clients = await Promise.all(
    Array.from({ length: WRITERS }, () => connect({ masters: [cluster.masterAddress], timeoutMs: 90_000 })),
  );
  try {
    await clients[0]!.writeFile('/log', new Uint8Array(0));
    const stopAtMs = performance.now() + DURATION_MS;
    const acknowledged = clients.map(() => [] as { offset: number; text: string }[]);
    const writing = clients.map(async (client, writer) => {
      for (let number = 0; performance.now() < stopAtMs; number += 1) {
        const text = `${writer}:${number};`.padEnd(RECORD_BYTES - 1, '.').concat('\n');
        const { offset } = await client.appendRecord('/log', Buffer.from(text));
        acknowledged[writer]!.push({ offset, text });
      }
    });
    const killing = killInTurn(cluster, stopAtMs);
    await Promise.all([...writing, killing]);

    const content = Buffer.from(await clients[0]!.readFile('/log')).toString('latin1');
    equal(content.length % RECORD_BYTES, 0, 'a record was cut or padded');
    const found = new Map<string, number[]>();
    for (let offset = 0; offset < content.length; offset += RECORD_BYTES) {
      const text = content.slice(offset, offset + RECORD_BYTES);
      found.set(text, [...(found.get(text) ?? []), offset]);
    }
    let total = 0;
    for (const records of acknowledged) {
      ok(records.length > 0);
      let last = -1;
      for (const { offset, text } of records) {
        deepEqual(found.get(text), [offset], `record ${text.trim()} acknowledged at ${offset}`);
        ok(offset > last, `record ${text.trim()} at ${offset} is before its writer's previous one at ${last}`);
        last = offset;
        total += 1;
      }
    }
    equal(
      content.length / RECORD_BYTES,
      total,
      'every append was acknowledged in the end, so nothing else may be there',
    );
    for (const [handle, hashes] of await replicaHashes(cluster, '/log')) {
      equal(new Set(hashes).size, 1, `replicas of chunk ${handle} differ`);
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.close();
  }
});

async function killInTurn(cluster: TestCluster, untilMs: number): Promise<void> {
  for (let turn = 0; performance.now() < untilMs - 3000; turn += 1) {
    const name = cluster.chunkserverNames[turn % cluster.chunkserverNames.length]!;
    await pause(3000);
    await cluster.signal(name, 'SIGKILL');
    await pause(1000);
    cluster.launch(name);
    // The next one only when this one serves again: two of three must stay.
    await cluster.untilWritable(3);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
