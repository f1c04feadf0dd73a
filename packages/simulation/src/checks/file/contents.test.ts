import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../../history/content.ts';
import { Contents } from './contents.ts';

const contents = new Contents(new Map([1, 2, 3].map((writeId) => [writeId, 5000])));
const [one, two] = [contentOf(1, 5000), contentOf(2, 5000)];

test('runs: each write that bytes are of, and from where in it; holes, and bytes of unknown writes, are in none', () => {
  const bytes = Buffer.concat([
    one.subarray(100, 1000),
    Buffer.alloc(50),
    two.subarray(0, 33),
    contentOf(4, 40),
    one.subarray(4000),
  ]);
  assert.deepEqual(contents.runsOf(bytes), [
    { from: 0, to: 900, writeId: 1, position: 100 },
    { from: 950, to: 983, writeId: 2, position: 0 },
    { from: 1023, to: 2023, writeId: 1, position: 4000 },
  ]);
});

test('shown: all, some, few or none of what a write has there', () => {
  const bytes = Buffer.concat([one.subarray(0, 500), two.subarray(500, 600), one.subarray(600, 1000)]);
  assert.equal(contents.shown(bytes, 0, 500, 1, 0), 'all');
  assert.equal(contents.shown(bytes, 0, 1000, 1, 0), 'some');
  assert.equal(contents.shown(bytes, 505, 700, 1, 505), 'some');
  assert.equal(contents.shown(bytes, 500, 600, 1, 500), 'none');
  assert.equal(contents.shown(bytes, 0, 1000, 2, 0), 'some');
  assert.equal(contents.shown(bytes, 0, 1000, 1, 1), 'none', 'all of it is elsewhere');
  assert.equal(contents.shown(bytes, 0, 1000, 3, 0), 'none');
  const remnant = Buffer.concat([Buffer.alloc(100), one.subarray(100, 102), two.subarray(102)]);
  assert.equal(contents.shown(remnant, 0, 5000, 1, 0), 'few');
  assert.equal(contents.shown(remnant, 0, 100, 1, 0), 'none');
  assert.equal(contents.shown(remnant, 102, 5000, 1, 102), 'none');
});
