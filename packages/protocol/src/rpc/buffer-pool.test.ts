import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK_BYTES, FRAME_DATA_BYTES_MAX } from '../limits.ts';
import { BufferPool } from './buffer-pool.ts';

const BYTES = FRAME_DATA_BYTES_MAX;

test('buffer pool: a buffer that was released is taken again', () => {
  const pool = new BufferPool({ freeBuffersMax: 2 });
  const first = pool.take(BYTES);
  first.release();
  equal(pool.take(BYTES).bytes, first.bytes);
});

test('buffer pool: what was abandoned while it was taken never comes back, and others take its place', () => {
  const pool = new BufferPool({ freeBuffersMax: 2 });
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

test('buffer pool: what is kept of a buffer stays as it is when something else is read into that', () => {
  const pool = new BufferPool({ freeBuffersMax: 1 });
  const large = pool.take(BYTES);
  const kept = large.keep(large.bytes.subarray(0, 4).fill(1));
  large.release();
  pool.take(BYTES).bytes.fill(2);
  deepEqual(kept, new Uint8Array([1, 1, 1, 1]));
});

test('buffer pool: memory that nobody uses again is kept without a copy, unless little of it is', () => {
  const pool = new BufferPool({ freeBuffersMax: 1 });
  const exact = pool.take(BLOCK_BYTES);
  equal(exact.keep(exact.bytes), exact.bytes);
  equal(exact.keep(exact.bytes.subarray(1)).buffer, exact.bytes.buffer);
  notEqual(exact.keep(exact.bytes.subarray(0, 100)).buffer, exact.bytes.buffer);
});
