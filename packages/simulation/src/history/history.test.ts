import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from './content.ts';
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
