import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { runSchedule } from './run-schedule.ts';

const SEEDS = [1, 2, 3];
/** Between two of them what is weakly held for the turn of the event loop is let go. */
const COLLECTIONS = 5;

test('run: nothing of a cluster is kept when its run is over', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const clusters: WeakRef<SimulatedCluster>[] = [];
  const observe = (cluster: SimulatedCluster) => clusters.push(new WeakRef(cluster));
  for (const seed of SEEDS) {
    // With crashes: what a process waited for when it ended never comes.
    await runSchedule(makeSchedule(seed, { name: 'short', profile: PROFILES.short! }), { observe });
  }
  for (let i = 0; i < COLLECTIONS; i++) {
    await new Promise(setImmediate);
    collect();
  }
  // The last one may still be on the stack.
  const kept = clusters.slice(0, -1).map((cluster) => cluster.deref() !== undefined);
  deepEqual(kept, [false, false]);
});
