import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { READ_HISTORY_CHUNKS_MAX } from '../limits.ts';
import { ReadHistory } from './read-history.ts';

const MiB = 1024 * 1024;

test('read history: a piece is known from its second read on, its neighbours are not', () => {
  const history = new ReadHistory();
  for (const piece of [0, 31, 32, 63]) {
    equal(history.noteRead('a', piece * MiB), false);
    equal(history.noteRead('a', piece * MiB + 5), true);
  }
  equal(history.noteRead('a', MiB), false);
  equal(history.noteRead('b', 0), false);
});

test('read history: it forgets the chunk it has known longest', () => {
  const history = new ReadHistory();
  for (let chunk = 0; chunk <= READ_HISTORY_CHUNKS_MAX; chunk += 1) history.noteRead(`chunk ${chunk}`, 0);
  equal(history.noteRead('chunk 1', 0), true);
  equal(history.noteRead('chunk 0', 0), false);
});
