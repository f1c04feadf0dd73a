import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { counted, exactSize, formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

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

test('units: an exact size is said once', () => {
  equal(exactSize(1), '1 byte');
  equal(exactSize(25), '25 bytes');
  equal(exactSize(1536), '1.5 KiB (1536 bytes)');
});

test('units: what is no size is told all that is', () => {
  throws(
    () => parseSize('1x'),
    /'1x' is not a size: write a number with B, KiB, .*; k, m, .* mean the same, and kB, MB,/,
  );
  equal(parseSize('1MB'), 1_000_000);
  equal(parseSize('1m'), 2 ** 20);
});
