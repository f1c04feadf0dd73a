import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { checksumLine } from './list.ts';

test('checksum: a name with a backslash or a line break is escaped and marked, as sha256sum writes and reads it', () => {
  equal(checksumLine('ab12', '/two words'), 'ab12  /two words\n');
  equal(checksumLine('ab12', '/new\nline'), '\\ab12  /new\\nline\n');
  equal(checksumLine('ab12', '/back\\slash\r'), '\\ab12  /back\\\\slash\\r\n');
});
