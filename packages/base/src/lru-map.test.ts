import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { LruMap } from './lru-map.ts';

test('LRU map: the entry used least recently makes room', () => {
  const evicted: [string, number][] = [];
  const map = new LruMap<string, number>({ entriesMax: 2, onEvict: (key, value) => evicted.push([key, value]) });
  map.set('a', 1);
  map.set('b', 2);
  equal(map.get('a'), 1);
  map.set('c', 3);
  deepEqual(evicted, [['b', 2]]);
  deepEqual(
    [...map],
    [
      ['a', 1],
      ['c', 3],
    ],
  );
});

test('LRU map: replacing a value or looking without use evicts nothing', () => {
  const evicted: string[] = [];
  const map = new LruMap<string, number | undefined>({ entriesMax: 2, onEvict: (key) => evicted.push(key) });
  map.set('a', undefined);
  map.set('b', 2);
  map.set('b', 3);
  equal(map.peek('a'), undefined);
  equal(map.has('a'), true);
  deepEqual(evicted, []);
  map.set('c', 4);
  deepEqual(evicted, ['a']);
  equal(map.delete('b'), true);
  map.clear();
  equal(map.size, 0);
  deepEqual(evicted, ['a']);
});
