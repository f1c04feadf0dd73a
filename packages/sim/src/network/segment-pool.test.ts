import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SEGMENT_BYTES_MAX, SegmentPool } from './segment-pool.ts';

test('segment: a copy, in memory that no other holds, small or large', () => {
  const pool = new SegmentPool();
  const sources: Uint8Array[] = [];
  for (let count = 0; count < 100; count++) sources.push(new Uint8Array((count * 997) % 5000).fill(count));
  const copies = sources.map((source) => pool.copy(source));
  for (const source of sources) source.fill(255);
  for (const [count, { bytes }] of copies.entries()) {
    deepEqual(bytes, new Uint8Array((count * 997) % 5000).fill(count));
  }
});

test('segment: memory given back holds the next one', () => {
  const pool = new SegmentPool();
  const first = pool.copy(new Uint8Array(SEGMENT_BYTES_MAX));
  ok(first.memory !== undefined);
  pool.giveBack(first.memory);
  const second = pool.copy(new Uint8Array(3000).fill(1));
  equal(second.memory, first.memory);
  equal(second.bytes.length, 3000);
});
