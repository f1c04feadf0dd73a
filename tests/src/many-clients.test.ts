import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@cairnfs/client/node';
import { TestCluster } from './harness/cluster.ts';

const CLIENTS = 64;
const FILES_EACH = 20;
const RECORDS_EACH = 10;
/** The last of each client's files are deleted, those before them renamed. */
const DELETED_EACH = 5;
const RENAMED_EACH = 5;

test('clients: 64 at once write, read, append, rename and delete, each with its result', {
  timeout: 180_000,
}, async () => {
  const cluster = await TestCluster.start();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect({ masters: [cluster.masterAddress] })),
  );
  try {
    await clients[0]!.mkdir('/shared');
    await clients[0]!.writeFile('/log', new Uint8Array(0));
    const kept = await Promise.all(
      clients.map(async (client, number) => {
        const log = await client.open('/log', 'a');
        const names: string[] = [];
        for (let index = 0; index < FILES_EACH; index += 1) {
          const text = `client ${number}, file ${index}`;
          const name = `${number}-${index}`;
          await client.writeFile(`/shared/${name}`, Buffer.from(text));
          equal(await client.readFile(`/shared/${name}`, { encoding: 'utf8' }), text);
          if (index < RECORDS_EACH) await log.appendRecord(Buffer.from(`${name}\n`));
          if (index >= FILES_EACH - DELETED_EACH) {
            await client.unlink(`/shared/${name}`);
            equal(await client.exists(`/shared/${name}`), false);
          } else if (index >= FILES_EACH - DELETED_EACH - RENAMED_EACH) {
            await client.rename(`/shared/${name}`, `/shared/moved-${name}`);
            equal((await client.stat(`/shared/moved-${name}`)).size, text.length);
            names.push(`moved-${name}`);
          } else names.push(name);
        }
        await log.close();
        return names;
      }),
    );
    deepEqual(await clients[1]!.readdir('/shared'), kept.flat().sort());
    // What one client wrote another reads, and every record is there once.
    for (const [number, names] of kept.entries()) {
      const other = clients[(number + 1) % CLIENTS]!;
      equal(await other.readFile(`/shared/${names[0]}`, { encoding: 'utf8' }), `client ${number}, file 0`);
    }
    const records = (await clients[2]!.readFile('/log', { encoding: 'utf8' })).trimEnd().split('\n');
    const appended = clients.flatMap((_, number) => Array.from({ length: RECORDS_EACH }, (_, at) => `${number}-${at}`));
    deepEqual(records.sort(), appended.sort());
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await cluster.close();
  }
});
