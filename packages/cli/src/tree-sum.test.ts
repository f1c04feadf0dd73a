import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import type { ListPage, Stats } from '@cairnfs/client';
import { type SumClient, sumTree } from './tree-sum.ts';

/** Directory → what is in it: the size of a file, undefined for a directory. The root does not list the trash. */
const TREE: Record<string, Record<string, number | undefined>> = {
  '/': { d: undefined, file: 5 },
  '/d': { e: undefined, file: 7 },
  '/d/e': {},
  '/.trash': { old: undefined, gone: 11 },
  '/.trash/old': { file: 13 },
};

const CLIENT = {
  stat: async (path: string) => {
    if (path === '/.trash/old/file') return statsOf(13);
    return statsOf(TREE[path.replace(/(?<=.)\/$/, '')] === undefined ? 1 : undefined);
  },
  list: async (path: string) => {
    const entries = Object.entries(TREE[path.replace(/(?<=.)\/$/, '')]!).map(([name, size]) => {
      // Of the last file the page could not tell how long it is.
      return { name, stats: size === 13 ? undefined : statsOf(size), isDirectory: () => size === undefined };
    });
    return { entries, nextCursor: '' } as unknown as ListPage;
  },
  /** In two pages, of which chunks hold less than the files are long. */
  check: async function* () {
    yield { storedByteCount: 3 };
    yield { storedByteCount: 6 };
  },
} as unknown as SumClient;

function statsOf(size: number | undefined): Stats {
  return { size: size ?? 0, replication: 3, isDirectory: () => size === undefined } as Stats;
}

test('tree sum: the named directory and those below it count, the root and the trash themselves do not', async () => {
  const sum = (path: string) => sumTree(CLIENT, path, new AbortController().signal);
  deepEqual(await sum('/d'), { files: 1, directories: 2, sizeBytes: 7, storedBytes: 9 });
  deepEqual(await sum('/d/'), await sum('/d'));
  deepEqual(await sum('/file'), { files: 1, directories: 0, sizeBytes: 1, storedBytes: 9 });
  for (const trash of ['/.trash', '/.trash/']) {
    deepEqual(await sum(trash), { files: 2, directories: 1, sizeBytes: 24, storedBytes: 9 });
  }
});

test('tree sum: of everything the trash is a part', async () => {
  const { files, directories, sizeBytes } = await sumTree(CLIENT, '/', new AbortController().signal);
  deepEqual([files, directories, sizeBytes], [4, 3, 36]);
});
