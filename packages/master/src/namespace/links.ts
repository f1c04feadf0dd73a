/**
 * Names of inodes: giving, taking and moving them. Every inode but the root has at most one name, the directory's entry
 * and the inode's own `parent` and `name` agree, and a directory's `entryCount` is the number of its entries.
 */
import { assert, FsError, utf8Bytes } from '@cairnfs/base';
import { REPLICATION_MAX } from '@cairnfs/protocol';
import type { Inode } from '../gen/cairn/master/v1/state.ts';
import { OWNER_BYTES_MAX } from '../limits.ts';
import { direntKey, FIRST_INODE, META } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { type NewInode, newInode } from './attributes.ts';
import { type Found, inodeOf, type Place } from './resolve.ts';

const MODE_MAX = 0o7777;
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;

/** What a request says of a new file or directory; zero and empty mean the default. */
export interface Wish {
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly replication?: number;
}

export function wishedInode(
  wish: Wish,
  isDirectory: boolean,
  defaults: { replication: number; wallMs: number },
): NewInode {
  checkMode(wish.mode);
  checkOwner(wish.owner);
  checkOwner(wish.group);
  const replication = isDirectory ? 0 : wish.replication || defaults.replication;
  if (!isDirectory) checkReplication(replication);
  const mode = wish.mode || (isDirectory ? DIRECTORY_MODE : FILE_MODE);
  return { isDirectory, mode, owner: wish.owner, group: wish.group, replication, wallMs: defaults.wallMs };
}

export function checkMode(mode: number): void {
  if (mode > MODE_MAX) throw new FsError('INVALID_ARGUMENT', `mode 0o${mode.toString(8)} has bits above 0o7777`);
}

/** Of a user or a group. */
export function checkOwner(name: string): void {
  if (utf8Bytes(name).length > OWNER_BYTES_MAX) {
    throw new FsError('INVALID_ARGUMENT', `the name of an owner or group has at most ${OWNER_BYTES_MAX} bytes`);
  }
}

export function checkReplication(replication: number): void {
  if (replication < 1 || replication > REPLICATION_MAX) {
    throw new FsError('INVALID_ARGUMENT', `replication ${replication} is not between 1 and ${REPLICATION_MAX}`);
  }
}

/** Makes an inode and names it. The name must be free. */
export function make(transaction: Transaction, place: Place, wanted: NewInode): Found {
  const id = Math.max(transaction.counter(META.nextInode), FIRST_INODE);
  transaction.setCounter(META.nextInode, id + 1);
  const found = { id, inode: newInode(wanted) };
  link(transaction, place, found, wanted.wallMs);
  count(transaction, found.inode, 1);
  return found;
}

/** Names an inode that has no name. Changes `found.inode` and writes it. */
export function link(transaction: Transaction, place: Place, found: Found, wallMs: number): void {
  const { parent, name } = place;
  assert(transaction.dirent(parent.id, name) === undefined, () => `'${name}' in ${parent.id} is taken`);
  found.inode.parent = parent.id;
  found.inode.name = name;
  transaction.putInode(found.id, found.inode);
  transaction.putDirent(parent.id, name, { inode: found.id, isDirectory: found.inode.isDirectory });
  touchDirectory(transaction, parent.id, 1, wallMs);
}

/** Takes an inode's name away. Changes `found.inode` and writes it. */
export function unlink(transaction: Transaction, found: Found, wallMs: number): void {
  const { parent, name } = found.inode;
  assert(transaction.dirent(parent, name)?.inode === found.id, () => `'${name}' in ${parent} is not inode ${found.id}`);
  transaction.remove(direntKey(parent, name));
  found.inode.parent = 0;
  found.inode.name = '';
  transaction.putInode(found.id, found.inode);
  touchDirectory(transaction, parent, -1, wallMs);
}

/** One more, or one fewer, file or directory exists. */
export function count(transaction: Transaction, inode: Inode, amount: 1 | -1): void {
  transaction.add(inode.isDirectory ? META.directoryCount : META.fileCount, amount);
}

/** Content or attributes changed. */
export function raise(inode: Inode, wallMs: number): void {
  inode.changedMs = wallMs;
  inode.generation += 1;
}

function touchDirectory(transaction: Transaction, id: number, entries: 1 | -1, wallMs: number): void {
  const inode = inodeOf(transaction, id);
  inode.entryCount += entries;
  inode.modifiedMs = wallMs;
  raise(inode, wallMs);
  assert(inode.entryCount >= 0, () => `directory ${id} has ${inode.entryCount} entries`);
  transaction.putInode(id, inode);
}
