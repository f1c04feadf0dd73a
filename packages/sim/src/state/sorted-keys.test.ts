import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StorePlatter } from './store-platter.ts';

const key = fc.string({ minLength: 1, maxLength: 2 });
const change = fc.record({ key, isPut: fc.boolean() });

test('store platter: ranges agree with a sorted list of what is there, whatever the order of changes and reads', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(change, key, key)), (steps) => {
      const platter = new StorePlatter();
      const model = new Set<string>();
      for (const [{ key: changed, isPut }, start, end] of steps) {
        platter.write([{ key: changed, value: isPut ? new Uint8Array(1) : undefined }]);
        if (isPut) model.add(changed);
        else model.delete(changed);
        const expected = [...model].filter((candidate) => candidate >= start && candidate < end).sort();
        deepEqual(
          platter.range(start, end, 1000).map((entry) => entry.key),
          expected,
        );
      }
    }),
  );
});
