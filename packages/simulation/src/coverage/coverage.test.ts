import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { WireTap } from '../wire/wire-tap.ts';
import { COVERED_STATES, Coverage } from './coverage.ts';

test('coverage: a restart on a journal counts as a recovery and a safe-mode period', async () => {
  const cluster = await SimulatedCluster.start({ seed: 2, chunkservers: 3 });
  const coverage = new Coverage();
  cluster.simulation.trace.listener = (entry) => coverage.logged(entry);
  cluster.simulation.network.tap = new WireTap(() => cluster.simulation.nowMs, [coverage]);
  const client = cluster.client('client');
  await cluster.run(() => client.mkdir('/d'));
  deepEqual([...coverage.counts], []);
  cluster.crash('master', { unsynced: 'lose' });
  await cluster.launch('master');
  await cluster.untilLive(3);
  ok(coverage.counts.get('recoveries')! >= 1);
  deepEqual(coverage.counts.get('safe-mode periods'), 1);
  for (const state of coverage.counts.keys()) ok(COVERED_STATES.includes(state), state);
});

test('coverage: a view of one member counts as a change and as below the minimum', () => {
  const coverage = new Coverage();
  const changed = { atMs: 1, host: 'master', event: 'info view changed' };
  coverage.logged({ ...changed, fields: { members: [1, 2] } });
  coverage.logged({ ...changed, fields: { members: [2] } });
  deepEqual(
    [...coverage.counts],
    [
      ['view changes', 2],
      ['views below the minimum', 1],
    ],
  );
});
