import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { leftOutJson } from './left-out.ts';

test('left out: programs are told what failed and what was skipped, and nothing where all was done', () => {
  const error = new Error('EIO: i/o error, read');
  const failed = [{ path: 'a', reason: error.message, error }];
  const skipped = [{ path: 'b', reason: 'it is a symbolic link' }];
  deepEqual(leftOutJson({ failed, skipped }), { failed: [{ path: 'a', reason: 'EIO: i/o error, read' }], skipped });
  deepEqual(leftOutJson({ failed: [], skipped: [] }), {});
});
