import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CairnError, naming } from './errors.ts';
import { connect } from './node.ts';

test('connect: masters that cannot be reached by anyone are refused at once', async () => {
  for (const masters of [[], ['nowhere'], ['127.0.0.1:99999'], '127.0.0.1:9000', undefined]) {
    await rejects(connect({ masters: masters as string[] }), { name: 'FsError', code: 'EINVAL' }, String(masters));
  }
});

test('error: the reason of a signal reaches the caller as it is, whatever it is', async () => {
  for (const reason of [undefined, new Error('not wanted'), 'not wanted']) {
    const abort = new AbortController();
    abort.abort(reason);
    const aborted = naming('open', '/a', async () => abort.signal.throwIfAborted());
    equal(await aborted.catch((error: unknown) => error), abort.signal.reason);
  }
});

test('error: the end of AbortSignal.timeout() reaches the caller as it is, a failure as a CairnError', async () => {
  const signal = AbortSignal.timeout(0);
  await new Promise((ended) => signal.addEventListener('abort', ended));
  const aborted = naming('open', '/a', async () => signal.throwIfAborted());
  equal(await aborted.catch((error: unknown) => error), signal.reason);
  const failed = naming('open', '/a', async () => {
    throw new FsError('NOT_FOUND', 'no');
  });
  await rejects(failed, (error) => error instanceof CairnError && error.code === 'ENOENT');
});

test('error: only that of an operation with two paths has a dest', async () => {
  const fails = async () => {
    throw new FsError('NOT_FOUND', 'no');
  };
  await rejects(naming('open', '/a', fails), (error: object) => !('dest' in error));
  await rejects(naming('rename', '/a', fails, '/b'), { dest: '/b' });
});
