import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, type FileOperation } from '@cairnfs/simulation';
import { checkLog } from './check-log.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Records 1, 2, ... of 10 bytes each, acknowledged at these offsets or (undefined) not at all; then a read. */
function history(offsets: readonly (number | undefined)[], contents: readonly number[]): FileOperation[] {
  const records = offsets.map((offset, index): FileOperation => {
    const call = { kind: 'appendRecord', writeId: index + 1, length: 10 } as const;
    const common = { id: index + 1, client: 'client-1', call, begin: index };
    if (offset === undefined) return { ...common, end: NEVER, outcome: { kind: 'unknown' } };
    return { ...common, end: 50, outcome: { kind: 'ok', result: { offset } } };
  });
  const bytes = Buffer.concat(contents.map((writeId) => contentOf(writeId, 10)));
  const call = { kind: 'read', offset: 0, length: 1000 } as const;
  const outcome = { kind: 'ok', result: { bytes } } as const;
  return [...records, { id: 99, client: 'final', call, begin: 100, end: 101, outcome }];
}

test('log: what is acknowledged is there once, what is unknown once or not at all', () => {
  equal(checkLog(history([10, 0, undefined], [2, 1])), undefined);
  equal(checkLog(history([20, 0, undefined], [2, 3, 1])), undefined);
  equal(checkLog(history([], [])), undefined);
});

test('log: a record that is lost, repeated, elsewhere or nobody’s is found', () => {
  match(checkLog(history([0, 10], [1]))!, /record #2, acknowledged at 10, begins nowhere/);
  match(checkLog(history([0, 10], [1, 1]))!, /record #2, acknowledged at 10, is not there/);
  match(checkLog(history([0, 10], [1, 2, 1]))!, /at 20 of 30 begins no record, or one for the second time/);
  match(checkLog(history([0, undefined], [1, 2, 2]))!, /at 20 of 30/);
  match(checkLog(history([0, 0], [1]))!, /two records were acknowledged at 0/);
  match(checkLog(history([], [7]))!, /at 0 of 10/);
});
