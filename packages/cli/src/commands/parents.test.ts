import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client/node';
import type { CommandContext } from '../command.ts';
import { making, OR_ADD_P } from './parents.ts';

const context = { signal: new AbortController().signal } as CommandContext;

/** A cluster with `/` and `/d` alone. */
const client = {
  stat: async (path: string) => {
    if (path === '/' || path === '/d') return { isDirectory: () => true };
    throw new FsError('NOT_FOUND', `no '${path}'`);
  },
} as unknown as CairnClient;

const notFound = async () => {
  throw new FsError('NOT_FOUND', 'what the cluster said');
};

test('parents: what is missing above is named, with what to do', async () => {
  await rejects(making(context, client, '/a/b/c', notFound, OR_ADD_P), {
    message: `ENOENT: there is no directory '/a/b': make it with "cairn mkdir -p /a/b", or add -p`,
  });
});

test('parents: when they are there, the error stays', async () => {
  await rejects(making(context, client, '/d/c', notFound), { message: 'what the cluster said' });
  await rejects(making(context, client, '/c', notFound), { message: 'what the cluster said' });
  const full = async () => {
    throw new FsError('NO_SPACE', 'full');
  };
  await rejects(making(context, client, '/a/b/c', full), { message: 'full' });
});

test('parents: what is made comes back', async () => {
  equal(await making(context, client, '/d/c', async () => 7), 7);
});
