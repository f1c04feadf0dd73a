import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { GenerationMap } from './generation-map.ts';

test('generation map: what is used stays, what is not goes, and there is never more than two generations', () => {
  const map = new GenerationMap<number, string>({ entriesMax: 10 });
  for (let key = 0; key < 1000; key += 1) {
    map.set(key, `${key}`);
    equal(map.get(0), '0');
  }
  const left = Array.from({ length: 1000 }, (_, key) => map.get(key)).filter((value) => value !== undefined);
  ok(left.length <= 20);
  equal(map.get(999), '999');
});

test('generation map: a deleted entry is gone, wherever it was, and a new value replaces an old one', () => {
  const map = new GenerationMap<number, string>({ entriesMax: 2 });
  for (const key of [1, 2, 3]) map.set(key, 'first');
  map.set(1, 'second');
  equal(map.get(1), 'second');
  map.delete(1);
  equal(map.get(1), undefined);
  equal(map.get(3), 'first');
});
