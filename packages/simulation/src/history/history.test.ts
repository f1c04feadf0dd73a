import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, ORIGIN_BYTES, originOf } from './content.ts';
import { HistoryRecorder } from './history-recorder.ts';

test('content: the same for the same write, never zero, a prefix for a shorter length', () => {
  const long = contentOf(7, 200_001);
  assert.deepEqual(contentOf(7, 1001), long.subarray(0, 1001));
  assert.equal(long.includes(0), false);
  assert.equal(contentOf(7, 0).length, 0);
});

test('content: no 16 bytes of a write are those of another write or another position', () => {
  const seen = new Map<string, string>();
  for (let writeId = 1; writeId <= 50; writeId += 1) {
    const bytes = Buffer.from(contentOf(writeId, 2000).buffer);
    for (let at = 0; at + 16 <= bytes.length; at += 1) {
      const key = bytes.toString('latin1', at, at + 16);
      assert.equal(seen.get(key), undefined, `write ${writeId} at ${at} is ${seen.get(key)}`);
      seen.set(key, `write ${writeId} at ${at}`);
    }
  }
});

test('content: few bytes of a write tell which one it is and where they were in it', () => {
  for (const writeId of [1, 2, 77, 12_345, 2 ** 28 - 1]) {
    const bytes = contentOf(writeId, 100_000);
    for (const position of [0, 1, 2, 3, 4, 777, 65_534, 100_000 - ORIGIN_BYTES]) {
      const some = bytes.slice(position, position + ORIGIN_BYTES);
      const padded = Buffer.concat([Buffer.alloc(3), some]);
      const isPossible = (origin: { writeId: number }) => origin.writeId === writeId;
      assert.deepEqual(originOf(padded, 3, isPossible), { writeId, position });
      assert.equal(
        originOf(padded, 3, () => false),
        undefined,
      );
    }
  }
  assert.equal(
    originOf(Buffer.alloc(100), 0, () => true),
    undefined,
  );
});

test('recorder: moments go up with each begin and end, histories are kept apart, what never ends is unknown', () => {
  const recorder = new HistoryRecorder();
  const read = recorder.beginFile('/files/f0', 'client-1', { kind: 'size' });
  const lost = recorder.beginFile('/files/f1', 'client-2', { kind: 'truncate', length: 0 });
  const made = recorder.beginNames('/names/s0', 'client-2', { kind: 'mkdir', path: '/d' });
  made.failed('EEXIST');
  read.ok({ size: 5 });
  lost.unknown();
  assert.deepEqual(recorder.files.get('/files/f0'), [
    {
      id: 1,
      client: 'client-1',
      call: { kind: 'size' },
      begin: 1,
      end: 5,
      outcome: { kind: 'ok', result: { size: 5 } },
    },
  ]);
  assert.equal(recorder.files.get('/files/f1')![0]!.end, Number.POSITIVE_INFINITY);
  assert.deepEqual(recorder.subtrees.get('/names/s0')![0]!.outcome, { kind: 'failed', code: 'EEXIST' });
  assert.throws(() => read.unknown(), /ends twice/);
});
