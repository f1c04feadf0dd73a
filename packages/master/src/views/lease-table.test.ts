import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Simulation } from '@cairnfs/sim';
import { LeaseTable } from './lease-table.ts';

const DURATION_MS = 61_000;

function start() {
  const simulation = new Simulation({ seed: 1 });
  return { simulation, leases: new LeaseTable(simulation.clock, DURATION_MS) };
}

test('lease table: held until its time runs out, unless renewed', async () => {
  const { simulation, leases } = start();
  assert.equal(leases.grant('chunk', 1, 1), true);
  await simulation.runFor(60_000);
  assert.equal(leases.state('chunk').kind, 'held');
  assert.equal(leases.grant('chunk', 1, 1), true);
  await simulation.runFor(60_000);
  assert.equal(leases.state('chunk').kind, 'held');
  await simulation.runFor(1000);
  assert.equal(leases.state('chunk').kind, 'free');
});

test('lease table: nobody else gets it while it is held, nor its holder at an older version', () => {
  const { leases } = start();
  leases.grant('chunk', 1, 2);
  assert.equal(leases.grant('chunk', 2, 2), false);
  assert.equal(leases.grant('chunk', 1, 1), false);
  assert.equal(leases.grant('chunk', 1, 3), true);
});

test('lease table: while it is taken back nobody gets or renews it', () => {
  const { leases } = start();
  leases.grant('chunk', 1, 1);
  leases.revoke('chunk');
  assert.equal(leases.grant('chunk', 1, 1), false);
  leases.free('chunk');
  assert.equal(leases.grant('chunk', 2, 1), true);
});

test('lease table: counts what each server leads', () => {
  const { leases } = start();
  for (const handle of ['a', 'b']) leases.grant(handle, 1, 1);
  leases.grant('c', 2, 1);
  leases.revoke('b');
  assert.deepEqual(
    [...leases.countByPrimary()],
    [
      [1, 1],
      [2, 1],
    ],
  );
});
