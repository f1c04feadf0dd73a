import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import { CairnError, naming } from './errors.ts';
import { connect } from './node.ts';

test('connect: masters that cannot be reached by anyone are refused at once', async () => {
  for (const masters of [[], ['nowhere'], [9000], [undefined], ['127.0.0.1:99999'], '127.0.0.1:9000', undefined]) {
    await rejects(connect({ masters: masters as string[] }), { name: 'FsError', code: 'EINVAL' }, String(masters));
  }
  for (const options of [undefined, null, {}]) {
    const failing = connect(options as unknown as { masters: string[] });
    await rejects(failing, { code: 'EINVAL', message: /^the masters are a list of host:port: connect\(/ });
  }
});

test('path: what is no text is refused with what it is and what is expected', async () => {
  const fs = await connect({ masters: ['127.0.0.1:1'] });
  const wrong = [undefined, null, 7, Buffer.from('/x'), new URL('file:///x'), Object.create(null)];
  const calls: ((path: string) => Promise<unknown>)[] = [
    (path) => fs.readFile(path),
    (path) => fs.writeFile(path, 'x'),
    (path) => fs.open(path),
    (path) => fs.appendRecord(path, Buffer.from('x')),
    (path) => fs.stat(path),
    (path) => fs.exists(path),
    (path) => fs.access(path),
    (path) => fs.mkdir(path),
    (path) => fs.readdir(path),
    (path) => fs.rm(path),
    (path) => fs.truncate(path),
    (path) => fs.utimes(path, 1, 1),
    (path) => fs.rename(path, '/b'),
    (path) => fs.rename('/a', path),
    (path) => fs.copyFile(path, '/b'),
    (path) => fs.copyFile('/a', path),
    (path) => fs.unlink(path),
    (path) => fs.getxattr(path, 'a'),
    (path) => fs.appendFile(path, 'x'),
    (path) => fs.locate(path),
    (path) => fs.check(path).next(),
    (path) => fs.readPieces(path).next(),
    (path) => fs.createReadStream(path).toArray(),
  ];
  for (const call of calls) {
    for (const path of wrong) {
      const failing = call(path as string);
      await rejects(failing, { code: 'EINVAL', message: /path is of type \w+: expected a string/ }, String(call));
    }
  }
  await rejects(fs.readFile(Buffer.from('/x') as unknown as string), /^FsError: open: the path is of type Buffer: /);
  await fs.close();
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
