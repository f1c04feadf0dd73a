import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventQueue } from './event-queue.ts';

test('event queue: gives events by time, those of one time in the order added', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
      const queue = new EventQueue();
      for (const atMs of times) queue.push(atMs, () => {});
      const expected = times
        .map((atMs, order) => ({ atMs, order }))
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const popped = times.map(() => queue.pop()!).map(({ atMs, order }) => ({ atMs, order }));
      deepEqual(popped, expected);
      equal(queue.pop(), undefined);
      equal(queue.size, 0);
    }),
  );
});
