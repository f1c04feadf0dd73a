/** Files that are replaced while others work on them by their path. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

test('append: a file that is always there is never told to be missing, however often it is replaced', async () => {
  const cluster = await SimulatedCluster.start({ seed: 2, chunkservers: 3 });
  cluster.simulation.network.conditions.latencyMs = [0.05, 20];
  const [writer, appender, reader] = [cluster.client(), cluster.client(), cluster.client()];
  const failures: string[] = [];
  const note = (error: unknown) => void failures.push(String(error));
  await cluster.run(async () => {
    await writer.writeFile('/log', 'first');
    for (let round = 0; round < 60; round += 1) {
      await Promise.all([
        writer.writeFile('/log', `round ${round};`).catch(note),
        appender.appendRecord('/log', Buffer.from('one;')).catch(note),
        appender.appendFile('/log', 'two;').catch(note),
        reader.stat('/log').catch(note),
        reader.readFile('/log').catch(note),
      ]);
    }
  });
  equal(failures.join('\n'), '');
});
