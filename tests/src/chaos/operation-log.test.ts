import { deepEqual, equal } from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperationLog, readOperationLogs } from './operation-log.ts';

test('operation log: what two processes wrote comes back in one order, cut-off lines and open operations included', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-log-'));
  try {
    const first = new OperationLog(folder, { name: 'client-1.1', number: 0 });
    const second = new OperationLog(folder, { name: 'client-2.1', number: 1 });
    const read = first.nextId();
    first.begin({ id: read, client: 'a', file: '/f', call: { kind: 'read', offset: 0, length: 9 } });
    const size = second.nextId();
    second.begin({ id: size, client: 'b', file: '/f', call: { kind: 'size' } });
    first.ok(read, { bytes: new Uint8Array([1, 2, 3]) });
    second.failed(size, undefined, 'TIMED_OUT');
    const made = second.nextId();
    second.begin({ id: made, client: 'b', subtree: '/s', call: { kind: 'mkdir', path: '/d' } });
    second.failed(made, 'EEXIST', 'ALREADY_EXISTS');
    const lost = first.nextId();
    first.begin({ id: lost, client: 'a', file: '/f', call: { kind: 'truncate', length: 0 } });
    first.close();
    second.close();
    appendFileSync(join(folder, 'client-1.1.log'), '{"id":77,"at":');

    const { files, subtrees, okCount, refusedCount, unknownCount, errors } = readOperationLogs(folder);
    const [seen, asked, open, ...more] = files.get('/f')!();
    equal(more.length, 0);
    deepEqual([seen!.id, asked!.id, open!.id], [read, size, lost]);
    deepEqual([seen!.begin, asked!.begin, seen!.end, open!.begin], [1, 2, 3, 6]);
    deepEqual(seen!.outcome, { kind: 'ok', result: { bytes: new Uint8Array([1, 2, 3]) } });
    deepEqual([asked!.end, asked!.outcome], [Number.POSITIVE_INFINITY, { kind: 'unknown' }]);
    deepEqual([open!.end, open!.outcome], [Number.POSITIVE_INFINITY, { kind: 'unknown' }]);
    deepEqual(subtrees.get('/s')!()[0]!.outcome, { kind: 'failed', code: 'EEXIST' });
    deepEqual([okCount, refusedCount, unknownCount], [1, 1, 2]);
    deepEqual(
      [...errors],
      [
        ['TIMED_OUT', 1],
        ['ALREADY_EXISTS', 1],
      ],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
