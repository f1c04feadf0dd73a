import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_UNITS, blockOf, type Run, SpaceMap } from './space-map.ts';

test('space map: runs never overlap nor straddle blocks, whatever is let go between', () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: 64 }) }),
    fc.record({ free: fc.nat() }),
    fc.record({ take: fc.integer({ min: 2_000, max: BLOCK_UNITS }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const map = new SpaceMap(new Map());
      const runs: Run[] = [];
      for (const action of steps) {
        if ('take' in action) {
          const run = { start: map.take(action.take), count: action.take };
          equal(blockOf(run.start), blockOf(run.start + run.count - 1));
          for (const { start, count } of runs) ok(run.start + run.count <= start || start + count <= run.start);
          runs.push(run);
        } else if (runs.length > 0) map.free(runs.splice(action.free % runs.length, 1)[0]!);
      }
      equal(map.endUnit, Math.max(0, ...runs.map(({ start, count }) => start + count)));
    }),
  );
});

test('space map: what was let go is taken again before the file grows', () => {
  const map = new SpaceMap(new Map());
  const starts = Array.from({ length: BLOCK_UNITS / 4 }, () => map.take(4));
  deepEqual([starts[0], starts.at(-1)], [0, BLOCK_UNITS - 4]);
  map.free({ start: 400, count: 4 });
  equal(map.take(3), 400);
  equal(map.take(1), 403);
  equal(map.take(1), BLOCK_UNITS);
});

test('space map: its blocks make the same map again, without the runs left out', () => {
  const map = new SpaceMap(new Map());
  const kept = { start: map.take(100), count: 100 };
  const leaving = { start: map.take(7), count: 7 };
  const far = { start: map.take(BLOCK_UNITS), count: BLOCK_UNITS };
  const again = new SpaceMap(
    new Map([
      [0, map.block(0, [leaving, far])],
      [1, map.block(1, [leaving, far])],
    ]),
  );
  equal(again.endUnit, kept.start + kept.count);
  throws(() => again.free(leaving), /unit 100 is let go and was not taken/);
  again.free(kept);
  equal(again.endUnit, 0);
});

test('space map: of many blocks each free unit is found again before the file grows', () => {
  const map = new SpaceMap(new Map());
  const blockCount = 40;
  for (let index = 0; index < blockCount; index += 1) map.take(BLOCK_UNITS);
  const free = [33, 12, 25, 39];
  for (let round = 0; round < 3; round += 1) {
    for (const index of free) map.free({ start: index * BLOCK_UNITS, count: BLOCK_UNITS });
    const taken = Array.from({ length: free.length * 4 }, () => map.take(BLOCK_UNITS / 4));
    deepEqual(new Set(taken.map(blockOf)), new Set(free));
  }
  equal(map.endUnit, blockCount * BLOCK_UNITS);
  equal(map.take(1), blockCount * BLOCK_UNITS);
});

test('space map: a block that was never stored is free, and the ones behind it keep their place', () => {
  const map = new SpaceMap(new Map());
  for (let index = 0; index < 12; index += 1) map.take(BLOCK_UNITS);
  const again = new SpaceMap(
    new Map([
      [2, map.block(2, [])],
      [11, map.block(11, [])],
    ]),
  );
  equal(again.endUnit, 12 * BLOCK_UNITS);
  const free = new Set(Array.from({ length: 10 }, () => blockOf(again.take(BLOCK_UNITS))));
  deepEqual(
    [...free].sort((a, b) => a - b),
    [0, 1, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  equal(again.take(1), 12 * BLOCK_UNITS);
});
