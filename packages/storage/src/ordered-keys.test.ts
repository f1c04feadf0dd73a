import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OrderedKeys } from './ordered-keys.ts';
import { mergeRange, Overlay } from './overlay.ts';

const key = fc
  .array(fc.constantFrom('a', 'b', '\0', '\xfe'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join(''));

test('ordered keys: any additions and removals leave what a sorted set holds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key)), key, (steps, start) => {
      const keys = new OrderedKeys(3);
      const model = new Set<string>();
      for (const [isAddition, name] of steps) {
        if (isAddition) keys.add(name);
        else keys.remove(name);
        if (isAddition) model.add(name);
        else model.delete(name);
      }
      assert.equal(keys.size, model.size);
      assert.deepEqual([...keys.from(start)], [...model].filter((name) => name >= start).sort());
    }),
    { seed: 7 },
  );
});

test('overlay: a range over the store is the range of both together, and names what shaped it', () => {
  const entries = fc.array(fc.tuple(key, fc.boolean()));
  fc.assert(
    fc.property(
      entries,
      fc.array(key),
      key,
      key,
      fc.integer({ min: 0, max: 6 }),
      (changes, stored, start, end, limit) => {
        const overlay = new Overlay();
        const below = new Map(stored.map((name) => [name, Buffer.from('store')]));
        const model = new Map<string, Buffer>(below);
        changes.forEach(([name, isRemoval], index) => {
          const value = isRemoval ? undefined : Buffer.from(`change ${index}`);
          overlay.set(name, value, index + 1);
          if (value === undefined) model.delete(name);
          else model.set(name, value);
        });
        const inOrder = (map: Map<string, Buffer>, from: string, to: string, count: number) =>
          [...map]
            .filter(([name]) => name >= from && name < to)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .slice(0, count)
            .map(([name, value]) => ({ key: name, value }));
        const store = { range: (from: string, to: string, count: number) => inOrder(below, from, to, count) };
        let seen = 0;
        const found = mergeRange({ overlay, store }, { start, end, limit }, (sequence) => {
          seen = Math.max(seen, sequence);
        });
        assert.deepEqual(found, inOrder(model, start, end, limit));
        const last = found.length === limit ? found.at(-1)?.key : undefined;
        if (limit === 0) return;
        const shaping = changes
          .map(([name], index) => ({ name, sequence: index + 1 }))
          .filter(({ name }) => name >= start && name < end && (last === undefined || name <= last));
        assert.ok(seen >= Math.max(0, ...shaping.map(({ sequence }) => sequence)));
      },
    ),
    { seed: 7, numRuns: 500 },
  );
});
