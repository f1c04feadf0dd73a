import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { NamespaceCalls } from './namespace-calls.ts';
import { scriptedCalls } from './testing/scripted-pool.ts';

test('rm: it tells where in the trash the file is, and nothing where there is none', async () => {
  const kept = new NamespaceCalls(scriptedCalls(() => ({ trashPath: '/.trash/T.1.a' })));
  deepEqual(await kept.rm('/a'), { trashPath: '/.trash/T.1.a' });
  const none = new NamespaceCalls(
    scriptedCalls(() => {
      throw new FsError('NOT_FOUND', 'no');
    }),
  );
  deepEqual(await none.rm('/a', { force: true }), { trashPath: '' });
});

test('mkdir: what is wrong with a path is said of mkdir, also with recursive', async () => {
  const refusing = new NamespaceCalls(
    scriptedCalls(() => {
      throw new FsError('INVALID_ARGUMENT', 'no');
    }),
  );
  for (const recursive of [true, false]) {
    await rejects(refusing.mkdir('/a/../b', { recursive }), { code: 'EINVAL', syscall: 'mkdir', path: '/a/../b' });
  }
});

test('utimes: parts of a millisecond are cut off, and whole ones arrive as they were given', async () => {
  const stored: unknown[] = [];
  const calls = new NamespaceCalls(
    scriptedCalls(({ request }) => {
      if ('modifiedMs' in request) stored.push(request.modifiedMs);
      return {};
    }),
  );
  const given = [1_700_000_000.1238, 1_700_000_000.9999, new Date(1_700_000_000_123)];
  for (const time of given) await calls.utimes('/a', time, time);
  deepEqual(stored, [1_700_000_000_123, 1_700_000_000_999, 1_700_000_000_123]);
  stored.length = 0;
  const whole = Array.from({ length: 1000 }, (_, index) => 1_700_000_000_000 + index);
  for (const ms of whole) await calls.utimes('/a', ms / 1000, ms / 1000);
  deepEqual(stored, whole);
});
