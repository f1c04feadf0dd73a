import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileCall, FileOperation, FileResult } from '../../history/file-calls.ts';
import { changesOf } from './file-changes.ts';
import { possibleEnds } from './possible-ends.ts';

const NEVER = Number.POSITIVE_INFINITY;

type Line = readonly [begin: number, end: number, call: FileCall, result?: FileResult];

const append = (length: number): FileCall => ({ kind: 'append', writeId: length, length });
const put = (length: number): FileCall => ({ kind: 'put', writeId: length, length });
const truncate = (length: number): FileCall => ({ kind: 'truncate', length });

function endsOf(lines: readonly Line[], endsMax = 100) {
  const operations = lines.map(([begin, end, call, result = {}], index): FileOperation => {
    const outcome = end === NEVER ? ({ kind: 'unknown' } as const) : ({ kind: 'ok', result } as const);
    return { id: index + 1, client: 'client-1', call, begin, end, outcome };
  });
  const changes = operations.flatMap((operation) => changesOf(operation, 1_000_000));
  const { ends, areAll } = possibleEnds(operations, changes, endsMax);
  return { ends: [...ends].sort((a, b) => a - b), areAll };
}

test('possible ends: an append is behind what may have been there when it came, and never behind itself', () => {
  const lines: Line[] = [
    [1, 2, put(100)],
    [3, 4, append(10)],
    [5, 6, append(1)],
  ];
  assert.deepEqual(endsOf(lines), { ends: [0, 100, 101, 110, 111], areAll: true });
});

test('possible ends: what was put or cut since leaves nothing of an append that had ended', () => {
  const since = (call: FileCall): Line[] => [
    [1, 2, append(10)],
    [3, 4, call],
    [5, 6, append(1)],
  ];
  assert.deepEqual(endsOf(since(put(100))).ends, [0, 10, 100, 101]);
  assert.deepEqual(endsOf(since(truncate(5))).ends, [0, 5, 6, 10]);
});

test('possible ends: one under way when the file was put may have come after, one that was lost at any time', () => {
  const during: Line[] = [
    [1, 4, append(10)],
    [2, 3, put(100)],
  ];
  assert.deepEqual(endsOf(during).ends, [0, 10, 100, 110]);
  const lost: Line[] = [
    [1, NEVER, append(10)],
    [2, 3, put(100)],
    [5, 6, put(200)],
  ];
  assert.deepEqual(endsOf(lost).ends, [0, 10, 100, 110, 200, 210]);
});

test('possible ends: what follows a put that was lost may be behind it', () => {
  const lines: Line[] = [
    [1, NEVER, put(100)],
    [2, 3, put(50)],
    [5, 6, append(1)],
  ];
  assert.deepEqual(endsOf(lines).ends, [0, 50, 51, 100, 101]);
});

test('possible ends: two under way at once may have come in either order', () => {
  const lines: Line[] = [
    [1, 2, put(100)],
    [3, 8, append(10)],
    [4, 6, append(1)],
    [5, 7, put(50)],
  ];
  assert.deepEqual(endsOf(lines).ends, [0, 50, 51, 60, 61, 100, 101, 110, 111]);
});

test('possible ends: those that somebody saw count, and appends go behind them', () => {
  const lines: Line[] = [
    [1, NEVER, { kind: 'write', writeId: 1, offset: 0, length: 500 }],
    [2, 3, { kind: 'size' }, { size: 70 }],
    [4, 5, { kind: 'read', offset: 20, length: 100 }, { bytes: new Uint8Array(60) }],
    [6, 7, append(1)],
  ];
  assert.deepEqual(endsOf(lines).ends, [0, 1, 70, 71, 80, 81, 500, 501]);
});

test('possible ends: when there are too many it says so', () => {
  const appends = Array.from({ length: 10 }, (_, index): Line => [1, NEVER, append(2 ** index)]);
  const { ends, areAll } = endsOf(appends);
  assert.equal(areAll, false);
  assert.equal(ends.length, 100);
  assert.equal(endsOf(appends, 1024).areAll, true);
});
