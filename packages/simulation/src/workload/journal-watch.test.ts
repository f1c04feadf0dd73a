import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { SimDisk, SimRandom } from '@cairnfs/sim';
import type { Violation } from '../checks/violation.ts';
import { JournalWatch } from './journal-watch.ts';

const path = 'data/journal/segment-000000000001.journal';
const settled = { atMs: 5, host: 'master', event: 'debug journal segment settled', fields: { path, bytes: 100 } };

function watched(): { disk: SimDisk; watch: JournalWatch; violations: Violation[] } {
  const disk = new SimDisk(new SimRandom(1, 'disk'));
  const violations: Violation[] = [];
  const watch = new JournalWatch(
    () => disk,
    (violation) => violations.push(violation),
  );
  return { disk, watch, violations };
}

test('journal watch: a segment that was cut and synced, or has only blank room behind its records, is in order', () => {
  const { disk, watch, violations } = watched();
  const file = disk.create(path);
  file.write(0, [new Uint8Array(300)], 300);
  file.syncedThrough(file.changeCount);
  watch.logged(settled);
  file.write(90, [new Uint8Array(20).fill(1)], 20);
  file.truncate(100);
  file.syncedThrough(file.changeCount);
  watch.logged(settled);
  watch.logged({ ...settled, event: 'info ledger opened', fields: { path, bytes: 1 } });
  deepEqual(violations, []);
});

test('journal watch: a tail that was left, or was cut in memory only, is a violation', () => {
  const { disk, watch, violations } = watched();
  const file = disk.create(path);
  file.write(90, [new Uint8Array(20).fill(1)], 20);
  file.syncedThrough(file.changeCount);
  watch.logged(settled);
  file.truncate(100);
  watch.logged(settled);
  equal(violations.length, 2);
  match(violations[0]!.summary, /end at 100, but 10 bytes lie behind them, 0 changes are not synced/);
  match(violations[1]!.summary, /0 bytes lie behind them, 1 changes are not synced/);
});
