import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import type { Stats } from '@cairnfs/client';
import { formatExactTime, formatTime, longRow, statsJson } from './listing.ts';

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
