import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { Stats } from '@cairnfs/client';
import {
  formatExactTime,
  formatMode,
  formatTime,
  LONG_COLUMNS,
  longRow,
  statsJson,
  unknownJson,
  unknownRow,
} from './listing.ts';

const STATS = { isDirectory: () => false, mode: 0o644, replication: 3, owner: '', group: '', size: 1, mtimeMs: 0 };

test('listing: an exact time has seconds and says how far it is from UTC', () => {
  const ms = Date.UTC(2026, 10, 20, 17, 3, 9);
  match(formatExactTime(ms), /^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:09 [+-][0-9]{2}:[0-9]{2}$/);
  const iso = formatExactTime(ms).replace(' ', 'T').replace(' ', '');
  equal(Date.parse(iso), ms);
  equal(formatExactTime(ms).startsWith(formatTime(ms)), true);
});

test('listing: what is in the trash tells where it was, also to programs', () => {
  const trashed = { ...STATS, deletedFrom: '/a/b' } as unknown as Stats;
  equal(longRow('T.1.b', trashed).at(-1), 'T.1.b  (was /a/b)');
  equal(statsJson('/.trash/T.1.b', trashed).deletedFrom, '/a/b');
  const plain = { ...STATS, deletedFrom: '' } as unknown as Stats;
  equal(longRow('b', plain).at(-1), 'b');
  equal('deletedFrom' in statsJson('/b', plain), false);
});

test('listing: set-id and sticky bits show as in ls -l, in capitals without the permission to execute', () => {
  const shown = (mode: number, isDirectory = false) => formatMode({ mode, isDirectory: () => isDirectory });
  for (const [mode, text] of [
    [0o755, '-rwxr-xr-x'],
    [0o4755, '-rwsr-xr-x'],
    [0o4644, '-rwSr--r--'],
    [0o2755, '-rwxr-sr-x'],
    [0o2644, '-rw-r-Sr--'],
    [0o1644, '-rw-r--r-T'],
    [0o7777, '-rwsrwsrwt'],
  ] as const) {
    equal(shown(mode), text);
  }
  equal(shown(0o1777, true), 'drwxrwxrwt');
});

test('listing: of a file that nobody could tell anything of, the name stands in as many columns', () => {
  equal(unknownRow('a').length, LONG_COLUMNS.length);
  equal(unknownRow('a\n').at(-1), 'a\\x0a');
  deepEqual(unknownJson('/d/a'), { path: '/d/a', type: 'file' });
});
