import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, FsError } from '@cairnfs/base';
import { type CopyClient, copyTree } from './copy-tree.ts';

/** A tree `/d` of the files `a`, `b` and `c`, of which `b` cannot be copied. */
function treeWithFault(kind: ErrorCode) {
  const copied: string[] = [];
  const client = {
    mkdir: async () => undefined,
    async *opendir() {
      for (const name of ['a', 'b', 'c']) yield { name, isDirectory: () => false };
    },
    copyFile: async (from: string) => {
      if (from === '/d/b') throw new FsError(kind, 'no');
      copied.push(from);
    },
  } as unknown as CopyClient;
  return { client, copied };
}

test('copy of a tree: what fails for one file is told, and the rest is copied', async () => {
  const { client, copied } = treeWithFault('IS_A_DIRECTORY');
  const failed = await copyTree(client, '/d', '/e', new AbortController().signal);
  deepEqual([failed.map(({ path, reason }) => [path, reason]), copied], [[['/d/b', 'no']], ['/d/a', '/d/c']]);
});

test('copy of a tree: what would fail for every file ends it', async () => {
  const { client, copied } = treeWithFault('NO_SPACE');
  await rejects(copyTree(client, '/d', '/e', new AbortController().signal), { kind: 'NO_SPACE' });
  deepEqual(copied, ['/d/a']);
});
