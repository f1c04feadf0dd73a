import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '@cairnfs/sim';
import { planFaults } from './fault-plan.ts';

const PLACES = { master: 'master', chunkservers: ['chunkserver-1', 'chunkserver-2'], clients: ['client-1'] };
const plan = (seed: number, hasNetwork: boolean) =>
  planFaults(new SimRandom(seed), { durationMs: 600_000, places: PLACES, hasNetwork });

test('faults: the same for the same seed, in order of time', () => {
  deepEqual(plan(1, true), plan(1, true));
  const times = plan(1, true).map(({ atMs }) => atMs);
  deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  ok(times.at(-1)! < 600_000);
});

test('faults: every kind occurs, those of the network only where there is one', () => {
  const kinds = (hasNetwork: boolean) => [...new Set(plan(2, hasNetwork).map(({ fault }) => fault.kind))].sort();
  deepEqual(kinds(false), ['kill', 'killAll', 'killClient', 'pause', 'pauseClient']);
  deepEqual(kinds(true), ['kill', 'killAll', 'killClient', 'oneWay', 'partition', 'pause', 'pauseClient', 'unplug']);
});

test('faults: no place is on both sides of a partition', () => {
  for (const { fault } of plan(3, true)) {
    if (fault.kind !== 'partition' && fault.kind !== 'oneWay') continue;
    ok(fault.from.length > 0 && fault.to.length > 0);
    equal(fault.from.filter((place) => fault.to.includes(place)).length, 0);
  }
});
