/** A full chunk below its goal, whose source has a disk that clients keep as busy as they may: each read waits for seconds. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MiB } from '@cairnfs/base';
import { SimulatedCluster } from './simulated-cluster.ts';

/** What a read waits behind as many as a disk takes (chunkserver/src/limits.ts). */
const READ_WAITS_MS = 5_000;
const UNTIL_KNOWN_MS = 5_000;
/** Until a server counts as lost and its copy was made again. */
const UNTIL_COPIED_MS = 600_000;

test('copy behind reads: of a full chunk it comes to its end', async () => {
  const journal = { segmentBytes: 4 * MiB, roomAheadBytes: 2 * MiB };
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 3, journal });
  const { simulation, chunkserverNames } = cluster;
  const client = cluster.client();
  await simulation.runFor(UNTIL_KNOWN_MS);
  await cluster.run(() => client.writeFile('/file', Buffer.alloc(64 * MiB, 7), { replication: 2 }));
  const located = JSON.stringify(await cluster.run(() => client.locate('/file')));
  const [lost] = chunkserverNames.filter((name) => located.includes(`${name}:8080`));
  for (const name of chunkserverNames) simulation.host(name).disk.timing.readMs = [READ_WAITS_MS, READ_WAITS_MS + 1];
  cluster.crash(lost!, { unsynced: 'keep' });
  await simulation.runFor(UNTIL_COPIED_MS);
  const { repair } = await cluster.run(() => client.clusterStatus());
  equal(repair!.copiedCount, 1);
  equal(repair!.copiedBytes, 64 * MiB);
});
