import { deepEqual, match } from 'node:assert/strict';
import { test } from 'node:test';
import { heal } from './heal.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const LIMIT_MS = 60_000;
const DECLARED_DEAD_MS = 20_000;
const FILES = 24;
const AWAY = 'chunkserver-1';

test('heal: of the others are asked all chunks but those that only the one they are to do without has', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 4 });
  const client = cluster.client();
  const lastOnes = new Set<string>();
  await cluster.run(async () => {
    for (let file = 0; file < FILES; file += 1) {
      await client.writeFile(`/one${file}`, 'one copy', { replication: 1 });
      const { chunks } = await client.locate(`/one${file}`);
      for (const { handle, replicas } of chunks) if (replicas[0]!.address === `${AWAY}:8080`) lastOnes.add(handle);
    }
    for (let file = 0; file < FILES; file += 1) await client.writeFile(`/many${file}`, 'three copies');
  });
  deepEqual([lastOnes.size > 1, lastOnes.size < FILES], [true, true], `${lastOnes.size} of ${FILES}`);
  cluster.crash(AWAY, { unsynced: 'keep' });
  await cluster.simulation.runFor(DECLARED_DEAD_MS);
  const [unexcused] = lastOnes;
  const healed = (excused: ReadonlySet<string>, lossesKnownMax = 2 * FILES) => {
    const without = { host: AWAY, lastCopies: { of: () => excused }, lossesKnownMax };
    return cluster.simulation.run(heal(cluster, client, { limitMs: LIMIT_MS, without }), 2 * LIMIT_MS);
  };
  deepEqual(await healed(lastOnes), undefined);
  const allButOne = new Set([...lastOnes].filter((handle) => handle !== unexcused));
  match(String(await healed(allButOne)), /unavailable/);
  deepEqual(await healed(allButOne, 1), undefined, 'they may take all the room that there is for losses');
  match(String(await healed(new Set())), /unavailable/);
  await cluster.launch(AWAY);
  deepEqual(await cluster.simulation.run(heal(cluster, client, { limitMs: LIMIT_MS }), LIMIT_MS), undefined);
});
