import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { duLine } from './find.ts';

test('du: several paths stand in columns, one alone does not', () => {
  equal(duLine(5, '/a', '1 file', undefined), '5 B  /a  (1 file)\n');
  equal(duLine(5, '/a', '1 file', 6), '     5 B  /a      (1 file)\n');
  equal(duLine(1023 * 1024, '/a/long', '1 file', 7), '1023 KiB  /a/long  (1 file)\n');
});
