/** From paths and inode numbers to inodes. */
import { FsError } from '@cairnfs/base';
import { checkPath, type FileRef } from '@cairnfs/protocol';
import type { Inode } from '../gen/cairn/master/v1/state.ts';
import { ROOT_INODE, TRASH_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';

export const TRASH_NAME = '.trash';

export interface Found {
  readonly id: number;
  readonly inode: Inode;
}

/** Where a name is or would be. */
export interface Place {
  readonly parent: Found;
  readonly name: string;
  readonly path: string;
}

export function resolveRef(transaction: Transaction, ref: FileRef | undefined): Found {
  if (ref === undefined || (ref.path === '' && ref.inode === 0)) {
    throw new FsError('INVALID_ARGUMENT', 'neither path nor inode was given: name a file');
  }
  if (ref.inode === 0) return resolvePath(transaction, ref.path);
  const inode = transaction.inode(ref.inode);
  if (inode === undefined) throw new FsError('NOT_FOUND', `no file or directory has inode ${ref.inode} any more`);
  return { id: ref.inode, inode };
}

/** @throws FsError IS_A_DIRECTORY, and as `resolveRef` */
export function resolveFile(transaction: Transaction, ref: FileRef | undefined): Found {
  const found = resolveRef(transaction, ref);
  if (!found.inode.isDirectory) return found;
  const name = ref?.inode === 0 ? `'${ref.path}'` : `inode ${found.id}`;
  throw new FsError('IS_A_DIRECTORY', `${name} is a directory: it has no bytes`);
}

/** @throws FsError NOT_FOUND, NOT_A_DIRECTORY, INVALID_ARGUMENT, NAME_TOO_LONG */
export function resolvePath(transaction: Transaction, path: string): Found {
  const found = findPath(transaction, path);
  if (found === undefined) throw notFound(path);
  return found;
}

export function findPath(transaction: Transaction, path: string): Found | undefined {
  return findNames(transaction, checkPath(path));
}

function findNames(transaction: Transaction, names: readonly string[]): Found | undefined {
  let id = ROOT_INODE;
  for (const [index, name] of names.entries()) {
    const dirent = transaction.dirent(id, name);
    if (dirent === undefined) return undefined;
    if (!dirent.isDirectory && index < names.length - 1) throw notADirectory(names.slice(0, index + 1));
    id = dirent.inode;
  }
  return { id, inode: inodeOf(transaction, id) };
}

/** The directory that holds, or is to hold, the last name of `path`. */
export function resolvePlace(transaction: Transaction, path: string): Place {
  const names = checkPath(path);
  if (names.length === 0) throw new FsError('INVALID_ARGUMENT', `'/' is always there: this needs a path below it`);
  const name = names.pop()!;
  const parent = findNames(transaction, names);
  if (parent === undefined) throw notFound(`/${names.join('/')}`);
  if (!parent.inode.isDirectory) throw notADirectory(names);
  return { parent, name, path };
}

function notFound(path: string): FsError {
  return new FsError('NOT_FOUND', `no such file or directory: '${path}'`, { details: { path } });
}

export function inodeOf(transaction: Transaction, id: number): Inode {
  const inode = transaction.inode(id);
  if (inode === undefined) throw dangling(id);
  return inode;
}

/** As `inodeOf`, of one of very many: not to be changed, and not kept in the cache. */
export function inodeInPassing(transaction: Transaction, id: number): Readonly<Inode> {
  const inode = transaction.inodeInPassing(id);
  if (inode === undefined) throw dangling(id);
  return inode;
}

function dangling(id: number): FsError {
  return new FsError('DAMAGED', `a directory entry names inode ${id}, which does not exist`);
}

/** The path that leads to the inode now; empty when none does. */
export function pathOf(transaction: Transaction, id: number): string {
  const names: string[] = [];
  for (let at = id; at !== ROOT_INODE; ) {
    const inode = transaction.inode(at);
    if (inode === undefined || inode.parent === 0) return '';
    names.unshift(inode.name);
    at = inode.parent;
  }
  return `/${names.join('/')}`;
}

/** Whether `id` is `ancestor` or lies below it. */
export function isWithin(transaction: Transaction, id: number, ancestor: number): boolean {
  for (let at = id; at !== 0; ) {
    if (at === ancestor) return true;
    if (at === ROOT_INODE) return false;
    at = transaction.inode(at)?.parent ?? 0;
  }
  return false;
}

/** The root and the trash itself are nobody's to rename or delete. */
export function checkNotReserved(id: number, path: string): void {
  if (id === ROOT_INODE || id === TRASH_INODE) {
    throw new FsError('INVALID_ARGUMENT', `'${path}' belongs to the file system itself and stays where it is`);
  }
}

/** Only Delete puts anything into the trash: what else lay there would expire at once, or never. */
export function checkNotInTrash(path: string): void {
  if (path.startsWith(`/${TRASH_NAME}/`)) {
    throw new FsError('INVALID_ARGUMENT', `'${path}' lies in the trash, which takes only what is deleted`);
  }
}

export function notADirectory(names: readonly string[]): FsError {
  const path = `/${names.join('/')}`;
  return new FsError('NOT_A_DIRECTORY', `'${path}' is a file, not a directory`, { details: { path } });
}
