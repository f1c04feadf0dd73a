/** The first member of a chunk, whose copy is made anew in its place, leads the chunk as before. */
import { equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkserverDataMethods, createRpcPool } from '@cairnfs/protocol';
import { SimulatedCluster } from './simulated-cluster.ts';

const CALL = { timeoutMs: 20_000 };
/** Kept in a chunk file, of which a bit can rot. */
const FILE_BYTES = 100_000;
/** Until a chunk without mutations was given back, and closed. */
const UNTIL_CLOSED_MS = 8_000;
/** Until the master does not wait any more for who was to be given a copy, and that one is back. */
const UNTIL_BACK_MS = 70_000;
/** Taken under one version. */
const LEASES = 40;
const STEP_MS = 0.2;
const STEPS_MAX = 1_000_000;

test('copied primary: one that did not join by a view, because it was out of reach just then, leads the chunk again', async () => {
  const cluster = await SimulatedCluster.start({ seed: 5, chunkservers: 2 });
  const { simulation } = cluster;
  const client = cluster.client();
  const pool = createRpcPool(simulation.host('reader').start());
  await cluster.run(() => client.writeFile('/file', Buffer.alloc(FILE_BYTES, 7), { replication: 2 }));
  const append = (text: string) => cluster.run(() => client.appendRecord('/file', Buffer.from(text), CALL));
  for (let count = 0; count < LEASES; count += 1) {
    await append('record;');
    await simulation.runFor(UNTIL_CLOSED_MS);
  }
  const located = await cluster.run(() => client.locate('/file'));
  const { handle, replicas, version } = located.chunks[0]!;
  const address = replicas[0]!.address;
  const primary = address.replace(':8080', '');
  const { disk } = simulation.host(primary);
  const isThere = () => [...disk.files.keys()].some((path) => path.endsWith(`/${handle}`) && path.includes('/chunks/'));
  const until = async (isSo: () => boolean): Promise<void> => {
    for (let step = 0; !isSo(); step += 1) {
      if (step === STEPS_MAX) throw new Error('it did not come to that');
      await simulation.runFor(STEP_MS);
    }
  };
  disk.flipBit([...disk.files.keys()].find((path) => path.endsWith(`/${handle}`))!, 4000);
  const read = { handle, version, offset: 0, length: 1000, knownLength: located.size };
  const reading = cluster.run(() => pool.channel(address).call(ChunkserverDataMethods.readChunk, read, CALL));
  await rejects(reading, { kind: 'CHECKSUM_MISMATCH' });
  await until(() => !isThere());
  await until(isThere);
  simulation.network.cut(primary, 'master');
  await simulation.runFor(UNTIL_BACK_MS);
  simulation.network.heal();
  await cluster.untilLive(2);
  await simulation.runFor(UNTIL_CLOSED_MS);
  // It has left the view for the time of the copy.
  ok((await cluster.run(() => client.locate('/file'))).chunks[0]!.version > version);
  await append('last;');
  const text = Buffer.from(await cluster.run(() => client.readFile('/file'))).toString();
  equal(text.slice(FILE_BYTES), `${'record;'.repeat(LEASES)}last;`);
  const failed = simulation.trace.entries.filter(({ event }) => event.includes('members of a view failed'));
  equal(failed.length, 0, 'a member that knows of a later term of the version has not failed');
});
