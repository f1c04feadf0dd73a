/** Where a chunk ends whose view is too small to acknowledge anything: a copy that returns must be able to stand in for it. */
import { equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { createRpcPool, MasterMethods } from '@cairnfs/protocol';
import { heal } from './heal.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const HEAL_LIMIT_MS = 60_000;
/** Kept in a chunk file, of which a bit can rot. */
const START = Buffer.alloc(100_000, 's');
const CALL_TIMEOUT_MS = 5000;

for (const [out, rotten] of [
  ['a secondary', 'its primary'],
  ['the primary', 'its secondary'],
] as const) {
  test(`chunk end: where the disk of ${out} is out for a while and ${rotten} rots, nothing acknowledged is lost`, async () => {
    const cluster = await SimulatedCluster.start({ seed: 31, chunkservers: 2 });
    const { simulation } = cluster;
    const client = cluster.client();
    await cluster.run(async () => {
      await client.writeFile('/file', START, { replication: 2 });
      await client.appendRecord('/file', Buffer.from('acknowledged;'));
    });
    const pool = createRpcPool(simulation.host('asker').start());
    const { message } = await cluster.run(() => {
      const request = { file: { path: '/file', inode: 0 }, offset: 0, length: 0, limit: 0 };
      return pool.channel('master:9000').call(MasterMethods.locate, request, { timeoutMs: CALL_TIMEOUT_MS });
    });
    const [primary, secondary] = message.extents[0]!.chunk!.replicas.map(({ address }) => address.replace(':8080', ''));
    const [away, kept] = out === 'the primary' ? [primary!, secondary!] : [secondary!, primary!];

    // The other one stages the record; nobody is told that it was applied, and nobody may be later without sending it again.
    const broken = { prefix: '', operation: 'write', code: 'EIO' } as const;
    simulation.host(away).disk.break(broken);
    const unheard = client.appendRecord('/file', Buffer.from('unheard of;'), { timeoutMs: CALL_TIMEOUT_MS });
    await rejects(
      cluster.run(() => unheard),
      FsError,
    );
    await simulation.runFor(CALL_TIMEOUT_MS);
    const { disk } = simulation.host(kept);
    const [path] = [...disk.files.keys()].filter((name) => name.startsWith('disk/chunks/'));
    disk.flipBit(path!, 4000);
    simulation.host(away).disk.mend(broken);
    cluster.crash(away, { unsynced: 'keep' });
    await cluster.launch(away);

    equal(await cluster.run(() => heal(cluster, client, { limitMs: HEAL_LIMIT_MS })), undefined);
    await cluster.run(async () => {
      const content = await client.readFile('/file');
      ok(content.subarray(0, START.length).equals(START));
      equal(content.subarray(START.length).toString(), 'acknowledged;');
      await client.appendRecord('/file', Buffer.from('and on;'));
      equal((await client.readFile('/file')).subarray(START.length).toString(), 'acknowledged;and on;');
      await client.close();
    });
  });
}
