/**
 * The namespace against a model that is a map from paths to contents: whatever is done, both answer alike, and the state
 * keeps its invariants, through crashes.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { CreateMode, FileType } from '@cairnfs/protocol';
import fc from 'fast-check';
import { Dirent } from '../gen/cairn/master/v1/state.ts';
import { direntRange, META, nameOfDirentKey, ROOT_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { TestNamespace } from '../testing/test-namespace.ts';
import { create, makeDirectory, remove, rename } from './change-calls.ts';

type Step =
  | { kind: 'create'; path: string; mode: CreateMode; makeParents: boolean }
  | { kind: 'mkdir'; path: string; parents: boolean }
  | { kind: 'rename'; from: string; to: string; noReplace: boolean }
  | { kind: 'delete'; path: string; recursive: boolean }
  | { kind: 'reclaim' }
  | { kind: 'crash' };

/** Few paths, so that steps meet what earlier ones made. */
const name = fc.constantFrom('a', 'ü');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      path,
      mode: fc.constantFrom(
        CreateMode.CREATE_MODE_EXCLUSIVE,
        CreateMode.CREATE_MODE_REPLACE,
        CreateMode.CREATE_MODE_OPEN,
      ),
      makeParents: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('mkdir' as const), path, parents: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('rename' as const), from: path, to: path, noReplace: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), path, recursive: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reclaim' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
);

/** Paths of what there is; the root is not among them. Refusals are codes. */
class Model {
  entries = new Map<string, 'file' | 'directory'>();

  apply(step: Step): string {
    switch (step.kind) {
      case 'create':
        return this.#create(step);
      case 'mkdir':
        return this.#mkdir(step);
      case 'rename':
        return this.#rename(step);
      case 'delete':
        return this.#delete(step);
      default:
        return 'ok';
    }
  }

  #kind(path: string): 'file' | 'directory' | undefined {
    return path === '' ? 'directory' : this.entries.get(path);
  }

  /** What stands in the way to the last name of the path. */
  #obstacle(path: string): string | undefined {
    const names = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= names.length; depth += 1) {
      const kind = this.#kind(`/${names.slice(0, depth).join('/')}`);
      if (kind === undefined) return 'NOT_FOUND';
      if (kind === 'file') return 'NOT_A_DIRECTORY';
    }
    return undefined;
  }

  /** Makes the directories above, or says what is in the way; then nothing has changed. */
  #makeParents(path: string): string | undefined {
    if (this.#obstacle(path) === 'NOT_A_DIRECTORY') return 'NOT_A_DIRECTORY';
    const names = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= names.length; depth += 1) {
      const parent = `/${names.slice(0, depth).join('/')}`;
      if (this.#kind(parent) === undefined) this.entries.set(parent, 'directory');
    }
    return undefined;
  }

  #create({ path, mode, makeParents }: Step & { kind: 'create' }): string {
    const kind = this.#obstacle(path) === undefined ? this.#kind(path) : undefined;
    if (kind !== undefined && mode === CreateMode.CREATE_MODE_EXCLUSIVE) return 'ALREADY_EXISTS';
    if (kind === 'directory') return 'IS_A_DIRECTORY';
    const obstacle = makeParents ? this.#makeParents(path) : this.#obstacle(path);
    if (obstacle !== undefined) return obstacle;
    this.entries.set(path, 'file');
    return 'ok';
  }

  #mkdir({ path, parents }: Step & { kind: 'mkdir' }): string {
    const kind = this.#obstacle(path) === undefined ? this.#kind(path) : undefined;
    if (kind === 'directory' && parents) return 'ok';
    if (kind !== undefined) return 'ALREADY_EXISTS';
    const obstacle = parents ? this.#makeParents(path) : this.#obstacle(path);
    if (obstacle !== undefined) return obstacle;
    this.entries.set(path, 'directory');
    return 'ok';
  }

  #rename({ from, to, noReplace }: Step & { kind: 'rename' }): string {
    const obstacle = this.#obstacle(from);
    if (obstacle !== undefined) return obstacle;
    const source = this.#kind(from);
    if (source === undefined) return 'NOT_FOUND';
    const inTheWay = this.#obstacle(to);
    if (inTheWay !== undefined) return inTheWay;
    const target = this.#kind(to);
    if (target !== undefined && noReplace) return 'ALREADY_EXISTS';
    if (from === to) return 'ok';
    if (to.startsWith(`${from}/`)) return 'INVALID_ARGUMENT';
    if (target === 'directory' && source === 'file') return 'IS_A_DIRECTORY';
    if (target === 'file' && source === 'directory') return 'NOT_A_DIRECTORY';
    if (target === 'directory' && this.#below(to).length > 0) return 'NOT_EMPTY';
    for (const path of [from, ...this.#below(from)]) {
      this.entries.set(to + path.slice(from.length), this.entries.get(path)!);
      this.entries.delete(path);
    }
    return 'ok';
  }

  #delete({ path, recursive }: Step & { kind: 'delete' }): string {
    const obstacle = this.#obstacle(path);
    if (obstacle !== undefined) return obstacle;
    if (this.#kind(path) === undefined) return 'NOT_FOUND';
    const below = this.#below(path);
    if (below.length > 0 && !recursive) return 'NOT_EMPTY';
    for (const gone of [path, ...below]) this.entries.delete(gone);
    return 'ok';
  }

  #below(path: string): string[] {
    return [...this.entries.keys()].filter((other) => other.startsWith(`${path}/`));
  }
}

const WISH = { mode: 0, owner: '', group: '', operation: undefined };

async function applyStep(namespace: TestNamespace, step: Step): Promise<string> {
  if (step.kind === 'crash') {
    await namespace.crash();
    return 'ok';
  }
  try {
    if (step.kind === 'reclaim') await namespace.reclaim(1);
    else
      await namespace.do((transaction, change) => {
        switch (step.kind) {
          case 'create':
            return create(transaction, { ...WISH, ...step, create: step.mode, mode: 0, replication: 0 }, change);
          case 'mkdir':
            return makeDirectory(transaction, { ...WISH, ...step }, change);
          case 'rename':
            return rename(transaction, { ...step, operation: undefined }, change);
          case 'delete': {
            const expectedType = FileType.FILE_TYPE_UNSPECIFIED;
            return remove(transaction, { ...step, skipTrash: true, operation: undefined, expectedType }, change);
          }
          default:
            return undefined;
        }
      });
    return 'ok';
  } catch (error) {
    return (error as { kind?: string }).kind ?? String(error);
  }
}

/** All paths below a directory, checking what must hold of every inode on the way. */
function walk(transaction: Transaction, id: number, at: string, found: Map<string, string>): void {
  const entries = transaction.range(direntRange(id), 1000);
  equal(transaction.inode(id)!.entryCount, entries.length, `entry count of '${at}/'`);
  for (const { key, value } of entries) {
    const { inode: child, isDirectory } = Dirent.decode(value);
    const childName = nameOfDirentKey(key);
    const inode = transaction.inode(child)!;
    deepEqual([inode.parent, inode.name, inode.isDirectory], [id, childName, isDirectory]);
    if (childName === '.trash') continue;
    found.set(`${at}/${childName}`, isDirectory ? 'directory' : 'file');
    if (isDirectory) walk(transaction, child, `${at}/${childName}`, found);
  }
}

test('namespace: answers and ends up as a simple model does, and keeps its invariants', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
    const namespace = await TestNamespace.start();
    const model = new Model();
    for (const [index, next] of steps.entries()) {
      equal(await applyStep(namespace, next), model.apply(next), `step ${index}: ${JSON.stringify(next)}`);
    }
    await namespace.reclaim();
    const found = new Map<string, string>();
    namespace.read((transaction) => walk(transaction, ROOT_INODE, '', found));
    deepEqual(new Map([...found].sort()), new Map([...model.entries].sort()));
    const kinds = [...found.values()];
    const counts = namespace.read((transaction) => [
      transaction.counter(META.fileCount),
      transaction.counter(META.directoryCount),
    ]);
    deepEqual(counts, [
      kinds.filter((kind) => kind === 'file').length,
      kinds.filter((kind) => kind === 'directory').length,
    ]);
  });
  await fc.assert(property, { numRuns: 60, seed: 20_261_121 });
});
