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
