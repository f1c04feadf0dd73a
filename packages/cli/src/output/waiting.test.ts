import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, FsError } from '@cairnfs/base';
import { tellingWhatIsAwaited } from './waiting.ts';

test('waiting: what a call waits for is told after a while, once for each kind of failure, with how long it is tried', () => {
  const lines: string[] = [];
  const retry = tellingWhatIsAwaited(60_000, (line) => lines.push(line));
  const failed = (kind: ErrorCode, message: string, triedMs: number) =>
    retry({ reason: new FsError(kind, message), triedMs });
  failed('CONNECTION_REFUSED', 'nobody listens', 20);
  deepEqual(lines, []);
  failed('CONNECTION_REFUSED', 'No connection to m:9000: nobody listens there', 2100);
  failed('CONNECTION_REFUSED', 'No connection to m:9000: nobody listens there', 3100);
  failed('VIEW_TOO_SMALL', 'disk /a\nb has no room', 4000);
  deepEqual(lines, [
    'cairn: No connection to m:9000: nobody listens there; trying for 1m in all (--timeout)\n',
    'cairn: disk /a\\x0ab has no room; trying for 1m in all (--timeout)\n',
  ]);
});
