/** A chunk with too few copies that is written to without a pause. */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { MiB } from '@cairnfs/base';
import { SimulatedCluster } from './simulated-cluster.ts';

const WRITERS = 4;
const WRITTEN_BYTES = 4096;
/** Until a server that is silent is given up, and its copies are replaced. */
const UNTIL_COPIED_MS = 20_000;

test('hot chunk: what is overwritten all the time gets its copies back all the same', async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, chunkservers: 4 });
  const [writer, observer] = [cluster.client(), cluster.client()];
  const file = await cluster.run(async () => {
    await writer.writeFile('/hot', Buffer.alloc(16 * MiB));
    return writer.open('/hot', 'r+');
  });
  const replicas = async () => (await cluster.run(() => observer.locate('/hot'))).chunks[0]!.replicas;
  const lost = (await replicas())[2]!;
  let count = 0;
  let isOver = false;
  const write = async (part: number) => {
    for (; !isOver; count += 1) await file.write(new Uint8Array(WRITTEN_BYTES), 0, WRITTEN_BYTES, part * WRITTEN_BYTES);
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, part) => write(part)));
  await cluster.simulation.runFor(1000);
  const perSecond = count;
  cluster.crash(lost.address.split(':')[0]!, { unsynced: 'lose' });
  await cluster.simulation.runFor(UNTIL_COPIED_MS);
  const live = (await replicas()).filter(({ state }) => state === 'live');
  isOver = true;
  await cluster.run(() => writing);
  equal(live.length, 3);
  ok(live.every(({ serverId }) => serverId !== lost.serverId));
  // The primary waits for the lost server's lease to run out once, and its writers with it.
  ok(count > (perSecond * UNTIL_COPIED_MS) / 3000, `${perSecond} writes in the first second, ${count} in all`);
});
