import { deepEqual, match } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { contentOf } from '@cairnfs/simulation';
import { judge } from './judge.ts';
import { OperationLog, readOperationLogs } from './operation-log.ts';

/** One client writes a file, appends to a log and makes a folder; the last reading sees `contents` of file and log. */
function verdictOn(contents: { file: Uint8Array; log: Uint8Array; names: readonly string[] }) {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-judge-'));
  try {
    const client = new OperationLog(folder, { name: 'client-1.1', number: 0 });
    for (const id of [1, 2]) {
      client.begin({ id, client: 'a', file: '/log', call: { kind: 'appendRecord', writeId: id, length: 10 } });
      client.ok(id, { offset: id * 10 - 10 });
    }
    client.begin({ id: 3, client: 'a', file: '/file', call: { kind: 'put', writeId: 3, length: 20 } });
    client.ok(3, {});
    client.begin({ id: 4, client: 'a', subtree: '/names', call: { kind: 'mkdir', path: '/d' } });
    client.ok(4, {});
    const last = new OperationLog(folder, { name: 'final', number: 1 });
    last.begin({ id: 5, client: 'final', file: '/log', call: { kind: 'read', offset: 0, length: 100 } });
    last.ok(5, { bytes: contents.log });
    last.begin({ id: 6, client: 'final', file: '/file', call: { kind: 'read', offset: 0, length: 100 } });
    last.ok(6, { bytes: contents.file });
    last.begin({ id: 7, client: 'final', subtree: '/names', call: { kind: 'list', path: '' } });
    last.ok(7, { names: contents.names });
    client.close();
    last.close();
    return judge(readOperationLogs(folder), { logs: ['/log'] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const log = Buffer.concat([contentOf(1, 10), contentOf(2, 10)]);
const file = contentOf(3, 20);

test('judge: a run that kept its promises has no violation', () => {
  deepEqual(verdictOn({ file, log, names: ['d'] }), { violations: [], undecided: [] });
});

test('judge: a file, a record and a name that are lost are each found', () => {
  const { violations } = verdictOn({ file: new Uint8Array(), log: log.subarray(0, 10), names: [] });
  deepEqual(
    violations.map(({ check }) => check),
    ['file', 'appends', 'file', 'namespace'],
  );
  match(violations[1]!.summary, /\/log: an acknowledged record is lost/);
  match(violations[3]!.details, /client|mkdir/);
});
