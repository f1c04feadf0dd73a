import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Simulation } from '@cairnfs/sim';
import { LeaseTable } from './lease-table.ts';

const DURATION_MS = 61_000;

function start() {
  const simulation = new Simulation({ seed: 1 });
  return { simulation, leases: new LeaseTable(simulation.clock, { durationMs: DURATION_MS, incarnation: 2 }) };
}

/** A grant of the master before. */
const EARLIER = 2 ** 32 + 7;

test('lease table: held until its time runs out, unless renewed', async () => {
  const { simulation, leases } = start();
  const grant = leases.grant('chunk', 1, 1)!;
  await simulation.runFor(60_000);
  assert.equal(leases.state('chunk').kind, 'held');
  assert.equal(leases.renew('chunk', 1, 1, grant), true);
  await simulation.runFor(60_000);
  assert.equal(leases.state('chunk').kind, 'held');
  await simulation.runFor(1000);
  assert.equal(leases.state('chunk').kind, 'free');
  assert.equal(leases.renew('chunk', 1, 1, grant), false);
});

test('lease table: nobody else gets it while it is held, nor its holder at an older version', () => {
  const { leases } = start();
  leases.grant('chunk', 1, 2);
  assert.equal(leases.grant('chunk', 2, 2), undefined);
  assert.equal(leases.grant('chunk', 1, 1), undefined);
  assert.notEqual(leases.grant('chunk', 1, 3), undefined);
});

test('lease table: while it is taken back nobody gets or renews it', () => {
  const { leases } = start();
  const grant = leases.grant('chunk', 1, 1)!;
  leases.revoke('chunk');
  assert.equal(leases.grant('chunk', 1, 1), undefined);
  assert.equal(leases.renew('chunk', 1, 1, grant), false);
  leases.free('chunk');
  assert.notEqual(leases.grant('chunk', 2, 1), undefined);
});

test('lease table: of two grants only the later one counts and is renewed', () => {
  const { leases } = start();
  const first = leases.grant('chunk', 1, 1)!;
  const second = leases.grant('chunk', 1, 1)!;
  assert.ok(second > first && first > EARLIER);
  assert.deepEqual([leases.isCurrent('chunk', 1, first), leases.isCurrent('chunk', 1, second)], [false, true]);
  assert.deepEqual([leases.renew('chunk', 1, 1, first), leases.renew('chunk', 1, 1, second)], [false, true]);
  assert.equal(leases.isCurrent('chunk', 2, second), false);
});

test('lease table: only what an earlier master granted is adopted, and counts under its number', () => {
  const { leases } = start();
  assert.equal(leases.renew('chunk', 1, 1, 0), false);
  assert.equal(leases.renew('chunk', 1, 1, EARLIER), true);
  assert.equal(leases.isCurrent('chunk', 1, EARLIER), true);
  const grant = leases.grant('chunk', 1, 1)!;
  assert.equal(leases.isCurrent('chunk', 1, EARLIER), false);
  leases.free('chunk');
  assert.equal(leases.renew('chunk', 1, 1, grant), false);
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

test('lease table: counts the leases that may be out', async () => {
  const { simulation, leases } = start();
  leases.grant('a', 1, 1);
  leases.grant('b', 2, 1);
  leases.grant('c', 2, 1);
  leases.free('c');
  assert.equal(leases.heldCount, 2);
  await simulation.runFor(DURATION_MS);
  assert.equal(leases.heldCount, 0);
});

test('lease table: what has run out is not kept, whether anybody asks for it again or not', async () => {
  const { simulation, leases } = start();
  const grant = leases.grant('renewed', 1, 1)!;
  leases.revoke('revoked');
  for (let index = 0; index < 100; index += 1) leases.grant(`gone ${index}`, 1, 1);
  await simulation.runFor(DURATION_MS - 1);
  leases.renew('renewed', 1, 1, grant);
  await simulation.runFor(1);
  assert.equal(leases.keptCount, 102);
  leases.grant('next', 1, 1);
  assert.deepEqual([leases.keptCount, leases.heldCount], [3, 2]);
});
