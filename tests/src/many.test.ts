import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';

const CLIENTS = 64;
const FILES_EACH = 20;

test('clients: 64 at once write and read their own files and one shared directory', { timeout: 180_000 }, async () => {
  const cluster = await TestCluster.start();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect({ masters: [cluster.masterAddress] })),
  );
  try {
    await clients[0]!.mkdir('/shared');
    await Promise.all(
      clients.map(async (client, number) => {
        for (let index = 0; index < FILES_EACH; index += 1) {
          const text = `client ${number}, file ${index}`;
          await client.writeFile(`/shared/${number}-${index}`, Buffer.from(text));
          equal(Buffer.from(await client.readFile(`/shared/${number}-${index}`)).toString(), text);
        }
      }),
    );
    equal((await clients[1]!.readdir('/shared')).length, CLIENTS * FILES_EACH);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.close();
  }
});

test('directory: 100,000 entries list page by page, each name once and in order', { timeout: 240_000 }, async () => {
  const cluster = await TestCluster.start();
  const client = await connect({ masters: [cluster.masterAddress] });
  try {
    await client.mkdir('/many');
    const count = 100_000;
    let next = 0;
    const worker = async () => {
      while (next < count) {
        const index = next;
        next += 1;
        await client.writeFile(`/many/f${String(index).padStart(7, '0')}`, new Uint8Array(0));
      }
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    let cursor = '';
    let seen = 0;
    do {
      const page = await client.list('/many', { cursor, limit: 1000 });
      for (const entry of page.entries) {
        equal(entry.name, `f${String(seen).padStart(7, '0')}`);
        seen += 1;
      }
      ok(page.entries.length <= 1000);
      cursor = page.nextCursor;
    } while (cursor !== '');
    equal(seen, count);
  } finally {
    await client.close();
    await cluster.close();
  }
});
