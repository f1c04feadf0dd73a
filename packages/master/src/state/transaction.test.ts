import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { Key } from '@cairnfs/base';
import { encodeMessage } from '@cairnfs/protocol';
import type { StateView } from '@cairnfs/storage';
import { Inode } from '../gen/cairn/master/v1/state.ts';
import { newInode } from '../namespace/attributes.ts';
import { inodeKey } from './keys.ts';
import { StateCache } from './state-cache.ts';
import { Transaction } from './transaction.ts';

const FILE = { isDirectory: false, mode: 0o644, owner: 'o', group: 'g', replication: 3, wallMs: 7 };

/** One inode, 20, seen at sequence 5. */
class OneInode implements StateView {
  readonly readSequence = 5;
  getCount = 0;

  get(key: Key): Uint8Array | undefined {
    this.getCount += 1;
    return key === inodeKey(20) ? encodeMessage(Inode, newInode(FILE)) : undefined;
  }

  range(): { key: Key; value: Uint8Array }[] {
    return [];
  }
}

test('transaction: an inode looked at in passing stays out of the cache, and comes from it when it is there', () => {
  const view = new OneInode();
  const cache = new StateCache();
  const passing = new Transaction(view, cache);
  deepEqual(passing.inodeInPassing(20), newInode(FILE));
  equal(passing.inodeInPassing(21), undefined);
  equal(cache.inode(20), undefined);
  cache.keepInode(20, { value: { ...newInode(FILE), size: 9 }, sequence: 8 });
  const later = new Transaction(view, cache);
  deepEqual([later.inodeInPassing(20)!.size, later.readSequence, view.getCount], [9, 8, 2]);
});

test('transaction: an inode looked at in passing is the one that the transaction itself wrote', () => {
  const transaction = new Transaction(new OneInode(), new StateCache());
  transaction.putInode(20, { ...newInode(FILE), size: 3 });
  equal(transaction.inodeInPassing(20)!.size, 3);
  transaction.removeInode(20);
  equal(transaction.inodeInPassing(20), undefined);
});
