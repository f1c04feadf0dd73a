import { equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_DATA_BYTES_MAX } from '../limits.ts';
import { BufferPool } from './buffer-pool.ts';

const BYTES = FRAME_DATA_BYTES_MAX;

test('buffer pool: a buffer that was released is taken again', () => {
  const pool = new BufferPool(2);
  const first = pool.take(BYTES);
  first.release();
  equal(pool.take(BYTES).bytes, first.bytes);
});

test('buffer pool: what was abandoned while it was taken never comes back, and others take its place', () => {
  const pool = new BufferPool(2);
  const abandoned = [pool.take(BYTES), pool.take(BYTES)];
  pool.abandonTaken();
  const later = pool.take(BYTES);
  for (const bytes of abandoned) bytes.release();
  later.release();
  for (let round = 0; round < 3; round++) {
    const taken = [pool.take(BYTES), pool.take(BYTES), pool.take(BYTES)];
    for (const { bytes } of taken) for (const old of abandoned) notEqual(bytes.buffer, old.bytes.buffer);
    for (const bytes of taken) bytes.release();
  }
  equal(pool.outstandingCount, 0);
  equal(pool.freeCount, 2);
});
