import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { ReadBuffers } from './read-buffers.ts';

test('read buffers: one given back is used again, cut to length, with nothing of the last read in it', () => {
  const buffers = new ReadBuffers();
  const first = buffers.take(8);
  first.fill(0);
  buffers.giveBack(first);
  const second = buffers.take(4);
  equal(second.buffer, first.buffer);
  equal(second.length, 4);
  deepEqual(new Set(second), new Set([0x55]));
  notEqual(buffers.take(4).buffer, first.buffer, 'lent twice');
});

test('read buffers: one that was not given back is never lent again', () => {
  const buffers = new ReadBuffers();
  const lost = buffers.take(8);
  notEqual(buffers.take(8).buffer, lost.buffer);
});
