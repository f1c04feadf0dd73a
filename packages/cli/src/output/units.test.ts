import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { counted, formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

test('sizes: are read with binary and decimal units', () => {
  equal(parseSize('64MiB'), 64 * 1024 * 1024);
  equal(parseSize('1.5g'), 1.5 * 1024 ** 3);
  equal(parseSize('2 kB'), 2000);
  equal(parseSize('4096'), 4096);
  equal(parseSize('2PiB'), 2 * 1024 ** 5);
  for (const bad of ['', '12 parsecs', '-1', '1e9', '9999999999TiB'])
    throws(() => parseSize(bad), { kind: 'INVALID_ARGUMENT' });
});

test('sizes: are shown with three figures at most', () => {
  equal(formatSize(0), '0 B');
  equal(formatSize(1536), '1.5 KiB');
  equal(formatSize(200 * 1024 ** 2), '200 MiB');
});

test('durations: are read with a unit and shown with two at most', () => {
  equal(parseDuration('500ms'), 500);
  equal(parseDuration('3d'), 3 * 86_400_000);
  throws(() => parseDuration('10'), { kind: 'INVALID_ARGUMENT' });
  equal(formatDuration(90_000), '1m30s');
  equal(formatDuration(600_000), '10m');
  equal(formatDuration(259_200_000), '3d');
});

test('count: one is not many', () => {
  equal(counted(1, 'directory', 'directories'), '1 directory');
  equal(counted(0, 'directory', 'directories'), '0 directories');
  equal(counted(2, 'file'), '2 files');
});
