import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type Key, u32ToKey, u64ToKey } from '@cairnfs/base';
import { KeyMap } from './key-map.ts';
import { KEY_MAP_SHARDS } from './limits.ts';

test('key map: answers as a map does, also for the shortest keys', () => {
  const map = new KeyMap<number>();
  const model = new Map<Key, number>();
  const keys = ['', 'a', 'b', '\xff', 'ab', 'ba', ...Array.from({ length: 500 }, (_, index) => `k${u32ToKey(index)}`)];
  for (const [index, key] of keys.entries()) {
    map.set(key, index);
    model.set(key, index);
    if (index % 3 !== 0) continue;
    map.set(key, -index);
    model.set(key, -index);
  }
  for (const key of keys.slice(100, 300)) {
    map.delete(key);
    model.delete(key);
  }
  map.delete('never there');
  equal(map.size, model.size);
  deepEqual(
    keys.map((key) => [map.has(key), map.get(key)]),
    keys.map((key) => [model.has(key), model.get(key)]),
  );
});

test('key map: keys of every shape that servers use spread over the shards', () => {
  const MiB = 1024 * 1024;
  const random = (index: number) =>
    String.fromCharCode(...[1, 7, 31].map((factor) => (index * factor * 2654435) & 0xff));
  const shapes: Record<string, (index: number) => Key> = {
    inode: (index) => `i${u64ToKey(index)}`,
    'extents of files of 64 chunks': (index) => `e${u64ToKey(index >> 6)}${u64ToKey((index & 63) * 64 * MiB)}`,
    'extents of files of one chunk': (index) => `e${u64ToKey(index)}${u64ToKey(0)}`,
    'names in one directory': (index) => `d${u64ToKey(7)}file-${index}`,
    'handles, ordered by time': (index) => `c\x01\x9b\x76${u32ToKey(index)}${random(index)}abcdef`,
    'mutations of one chunk': (index) => `m0123456789abcdef${u64ToKey(index)}`,
  };
  for (const [shape, keyOf] of Object.entries(shapes)) {
    const map = new KeyMap<number>();
    const count = 64_000;
    for (let index = 0; index < count; index += 1) map.set(keyOf(index), index);
    const fair = map.size / KEY_MAP_SHARDS;
    ok(map.largestShardSize < fair * 8, `${shape}: ${map.largestShardSize} of ${map.size} in one shard`);
  }
});
