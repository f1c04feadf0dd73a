/**
 * A copy is made anew at a member that lost its own with a disk, because no other server can take one; the lost disk returns
 * alone, in place of the one with the copy, and passes for it to nobody.
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

/** Kept in a chunk file. */
const FILE_BYTES = 100_000;
/** Until all servers are known, with the room they have. */
const UNTIL_KNOWN_MS = 5_000;
/** Until a chunk without mutations was given back, and closed. */
const UNTIL_CLOSED_MS = 8_000;
/** Until the master does not wait any more for who was to be given a copy, and that one is back. */
const UNTIL_BACK_MS = 70_000;
const UNTIL_AT_REST_MS = 240_000;
const STEP_MS = 0.2;
const STEPS_MAX = 1_000_000;

test('copy in place: what was appended to one that has not joined by a view just then is kept', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 2, disksPerChunkserver: 2 });
  const { simulation, chunkserverNames } = cluster;
  const client = cluster.client();
  await simulation.runFor(UNTIL_KNOWN_MS);
  await cluster.run(() => client.writeFile('/file', Buffer.alloc(FILE_BYTES, 7), { replication: 2 }));
  const append = (text: string) => cluster.run(() => client.appendRecord('/file', Buffer.from(text)));
  await append('first;');
  await simulation.runFor(UNTIL_CLOSED_MS);
  const { handle } = (await cluster.run(() => client.locate('/file'))).chunks[0]!;
  const isOn = (name: string, directory: string) =>
    [...simulation.host(name).disk.files.keys()].some(
      (path) => path.startsWith(`${directory}/chunks/`) && path.endsWith(`/${handle}`),
    );
  const [secondary, other] = [...chunkserverNames].reverse() as [string, string];
  const { disk } = simulation.host(secondary);
  const held = isOn(secondary, 'disk') ? 'disk' : 'disk2';
  const free = held === 'disk' ? 'disk2' : 'disk';
  disk.break({ prefix: held, code: 'EIO' });
  for (let step = 0; !isOn(secondary, free); step += 1) {
    if (step === STEPS_MAX) throw new Error('no copy was made');
    await simulation.runFor(STEP_MS);
  }
  simulation.network.cut(secondary, 'master');
  await simulation.runFor(UNTIL_BACK_MS);
  simulation.network.heal();
  await cluster.untilLive(2);
  await append('second;');
  for (const name of chunkserverNames) cluster.crash(name, { unsynced: 'lose' });
  disk.repair(held);
  disk.break({ prefix: free, code: 'EIO' });
  await cluster.launch(secondary);
  await cluster.launch(other);
  await cluster.untilLive(2);
  await simulation.runFor(UNTIL_AT_REST_MS);
  const text = Buffer.from(await cluster.run(() => client.readFile('/file'))).toString();
  equal(text.slice(FILE_BYTES), 'first;second;');
});
