/** Chunks that were opened and closed before anything was written to them, whose members have lost a disk since for good. */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { createRpcPool, MasterMethods, type OpenExtentRequest } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const SERVERS = 3;
const CALL = { timeoutMs: 5_000 };
/** Until all servers are known, with the room they have. */
const UNTIL_KNOWN_MS = 5_000;
/** Until an open chunk that nobody leads is closed. */
const UNTIL_CLOSED_MS = 240_000;
/** What a write takes that waits for nobody. */
const SOON_MS = 2_000;

/** Written to when so many of its members have lost a disk and were started anew. */
async function check(replication: number, lostCount: number, at: OpenExtentRequest['at']): Promise<void> {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: SERVERS, disksPerChunkserver: 2 });
  const { simulation } = cluster;
  const client = cluster.client();
  await simulation.runFor(UNTIL_KNOWN_MS);
  const pool = createRpcPool(simulation.host('asker').start());
  const members = await cluster.run(async () => {
    await client.writeFile('/file', Buffer.alloc(0), { replication });
    const inode = Number((await client.stat('/file')).ino);
    const wanted = { inode, at, fullHandle: '', suspectedServers: [], operation: undefined };
    const { message } = await pool.channel('master:9000').call(MasterMethods.openExtent, wanted, CALL);
    return message.extent!.chunk!.replicas.map(({ address }) => address.replace(':8080', ''));
  });
  await simulation.runFor(UNTIL_CLOSED_MS);
  for (const name of members.slice(0, lostCount)) {
    cluster.crash(name, { unsynced: 'keep' });
    simulation.host(name).disk.break({ prefix: 'disk/', code: 'EIO' });
    await cluster.launch(name);
  }
  await cluster.untilLive(SERVERS);
  const beganMs = simulation.nowMs;
  await cluster.run(async () => {
    const handle = await client.open('/file', 'r+');
    if (at?.$case === 'append') await client.appendRecord('/file', Buffer.from('first;'));
    else await handle.write(Buffer.from('first;'), 0, undefined, 0);
    await handle.close();
  });
  const tookMs = simulation.nowMs - beganMs;
  ok(tookMs < SOON_MS, `${replication} copies, ${lostCount} disks lost: ${tookMs} ms`);
  equal((await cluster.run(() => client.readFile('/file'))).toString(), 'first;');
}

for (const [name, at] of [
  ['appended to', { $case: 'append', value: true }],
  ['written at an offset', { $case: 'offset', value: 0 }],
] as const) {
  test(`unwritten chunk: ${name} though every member has a disk less`, async () => {
    for (const replication of [1, 2, SERVERS]) {
      for (let lostCount = 1; lostCount <= replication; lostCount += 1) await check(replication, lostCount, at);
    }
  });
}
