import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { ListPage, Stats } from '@cairnfs/client';
import { statsAlone, type WalkClient, walk } from './walk.ts';

/** A tree as nested objects; null is a file. */
type Tree = { [name: string]: Tree | null };

class TreeClient {
  /** Each page asked for: directory and cursor. */
  readonly pages: string[] = [];
  readonly #root: Tree;

  constructor(root: Tree) {
    this.#root = root;
  }

  #find(path: string): Tree | null {
    let at: Tree | null | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) at = at?.[name];
    if (at === undefined) throw new FsError('NOT_FOUND', `there is no '${path}'`);
    return at;
  }

  async stat(path: string): Promise<Stats> {
    return statsOf(this.#find(path));
  }

  async list(path: string, { cursor = '', limit = 1000 } = {}): Promise<ListPage> {
    this.pages.push(`${path} ${cursor}`);
    const directory = this.#find(path);
    if (directory === null) throw new FsError('NOT_A_DIRECTORY', `'${path}' is a file`);
    const names = Object.keys(directory)
      .filter((name) => name > cursor)
      .sort();
    const entries = names.slice(0, limit).map((name) => {
      const isDirectory = directory[name] !== null;
      return { name, stats: isDirectory ? statsOf(directory[name]!) : undefined, isDirectory: () => isDirectory };
    });
    return { entries: entries as unknown as ListPage['entries'], nextCursor: names[limit - 1] ?? '' };
  }
}

function statsOf(tree: Tree | null): Stats {
  return { isDirectory: () => tree !== null } as Stats;
}

async function walked(client: TreeClient, path: string, limits = {}): Promise<string[]> {
  const paths: string[] = [];
  const signal = new AbortController().signal;
  for await (const visited of walk(client as unknown as WalkClient, path, signal, limits)) paths.push(visited.path);
  return paths;
}

/** Every directory holds `width` directories and as many files. */
function bushy(width: number, depth: number): Tree {
  const tree: Tree = {};
  for (let index = 0; index < width; index += 1) {
    tree[`d${index}`] = depth === 0 ? {} : bushy(width, depth - 1);
    tree[`f${index}`] = null;
  }
  return tree;
}

function inOrder(tree: Tree | null, path: string): string[] {
  const below = Object.keys(tree ?? {}).sort();
  return [path, ...below.flatMap((name) => inOrder(tree![name]!, path === '/' ? `/${name}` : `${path}/${name}`))];
}

test('walk: parents come before what they hold, in order of name, whatever it may keep', async () => {
  const tree = bushy(3, 3);
  const expected = inOrder(tree, '/');
  for (const limits of [{}, { pageEntries: 2 }, { entriesKeptMax: 0 }, { pageEntries: 3, entriesKeptMax: 4 }]) {
    deepEqual(await walked(new TreeClient(tree), '/', limits), expected);
  }
  deepEqual(await walked(new TreeClient(tree), '/d1/d0'), inOrder(bushy(3, 1), '/d1/d0'));
  deepEqual(await walked(new TreeClient(tree), '/f1'), ['/f1']);
});

test('walk: a tree is read once when all of it may be kept, and in part again when not', async () => {
  const kept = new TreeClient(bushy(3, 2));
  await walked(kept, '/');
  deepEqual(new Set(kept.pages).size, kept.pages.length);
  const forgotten = new TreeClient(bushy(3, 2));
  await walked(forgotten, '/', { entriesKeptMax: 4 });
  ok(forgotten.pages.includes('/ d0'));
});

test('walk: a directory removed meanwhile is left out, a start that is not there is refused', async () => {
  const tree: Tree = { a: { b: { c: null } }, d: null };
  const client = new TreeClient(tree);
  const paths: string[] = [];
  for await (const { path } of walk(client as unknown as WalkClient, '/', new AbortController().signal)) {
    paths.push(path);
    if (path === '/a') delete tree.a;
  }
  deepEqual(paths, ['/', '/a', '/d']);
  await rejects(walked(client, '/a'), (error: { kind?: string }) => error.kind === 'NOT_FOUND');
});

test('walk: a file that a listing could not tell is visited all the same, and told alone unless it is gone', async () => {
  const client = new TreeClient({ file: null }) as unknown as WalkClient;
  const { signal } = new AbortController();
  const visited: unknown[] = [];
  for await (const { path, isDirectory, stats } of walk(client, '/', signal)) visited.push([path, isDirectory, !stats]);
  deepEqual(visited, [
    ['/', true, false],
    ['/file', false, true],
  ]);
  equal((await statsAlone(client, '/file', signal))?.isDirectory(), false);
  equal(await statsAlone(client, '/removed', signal), undefined);
});
