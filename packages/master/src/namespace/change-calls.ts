/** MakeDirectory, Create, Rename, Delete, SetAttributes: synchronous decisions on one transaction each. */
import { FsError } from '@cairnfs/base';
import {
  CreateMode,
  type CreateReply,
  type CreateRequest,
  checkPath,
  type DeleteReply,
  type DeleteRequest,
  FileType,
  type MakeDirectoryReply,
  type MakeDirectoryRequest,
  type RenameReply,
  type RenameRequest,
  type SetAttributesReply,
  type SetAttributesRequest,
} from '@cairnfs/protocol';
import { GOALS_CHANGED_MAX } from '../limits.ts';
import { ROOT_INODE, TRASH_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { attributesOf } from './attributes.ts';
import { destroy } from './destroy.ts';
import { checkMode, checkOwner, checkReplication, link, make, raise, unlink, type Wish, wishedInode } from './links.ts';
import {
  checkNotInTrash,
  checkNotReserved,
  findPath,
  inodeOf,
  isWithin,
  notADirectory,
  type Place,
  pathOf,
  resolvePath,
  resolvePlace,
  resolveRef,
} from './resolve.ts';
import { moveToTrash } from './trash.ts';
import { changeXattrs } from './xattrs.ts';

export interface ChangeContext {
  readonly wallMs: number;
  /** Of the master's process calendar: what is deleted now carries it, and is kept from then on. */
  readonly deletedMs: number;
  /** Copies of files that do not say otherwise. */
  readonly replication: number;
  /** When chunks of what is destroyed now may be collected. */
  readonly garbageDueMs: number;
}

export function makeDirectory(
  transaction: Transaction,
  request: MakeDirectoryRequest,
  context: ChangeContext,
): MakeDirectoryReply {
  checkNotInTrash(request.path);
  if (request.parents) {
    const existing = findPath(transaction, request.path);
    if (existing !== undefined) {
      if (!existing.inode.isDirectory) throw alreadyExists(request.path);
      return { attributes: attributesOf(existing.id, existing.inode), created: false };
    }
    makeParents(transaction, request.path, request, context);
  }
  const place = resolvePlace(transaction, request.path);
  checkFree(transaction, place);
  const made = make(transaction, place, wishedInode(request, true, context));
  return { attributes: attributesOf(made.id, made.inode), created: true };
}

export function create(transaction: Transaction, request: CreateRequest, context: ChangeContext): CreateReply {
  checkNotInTrash(request.path);
  if (request.makeParents)
    makeParents(transaction, request.path, { mode: 0, owner: request.owner, group: request.group }, context);
  const place = resolvePlace(transaction, request.path);
  const existing = transaction.dirent(place.parent.id, place.name);
  if (existing !== undefined) {
    if (request.create === CreateMode.CREATE_MODE_EXCLUSIVE) throw alreadyExists(place.path);
    if (existing.isDirectory) throw isADirectory(place.path);
    const found = { id: existing.inode, inode: inodeOf(transaction, existing.inode) };
    if (request.create === CreateMode.CREATE_MODE_OPEN) {
      return { attributes: attributesOf(found.id, found.inode), created: false };
    }
    unlink(transaction, found, context.wallMs);
    destroy(transaction, found, context.garbageDueMs);
  }
  const made = make(transaction, place, wishedInode(request, false, context));
  return { attributes: attributesOf(made.id, made.inode), created: true };
}

export function rename(transaction: Transaction, request: RenameRequest, context: ChangeContext): RenameReply {
  const source = resolvePath(transaction, request.from);
  checkNotReserved(source.id, request.from);
  checkNotInTrash(request.to);
  const place = resolvePlace(transaction, request.to);
  const target = transaction.dirent(place.parent.id, place.name);
  if (target !== undefined && request.noReplace) throw alreadyExists(place.path);
  if (target?.inode === source.id) return {};
  if (source.inode.isDirectory && isWithin(transaction, place.parent.id, source.id)) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `'${request.from}' cannot become a part of itself: '${request.to}' lies in it`,
    );
  }
  if (target !== undefined) {
    checkNotReserved(target.inode, place.path);
    if (target.isDirectory && !source.inode.isDirectory) throw isADirectory(place.path);
    if (!target.isDirectory && source.inode.isDirectory) {
      throw new FsError('NOT_A_DIRECTORY', `'${place.path}' is a file: a directory cannot replace it`);
    }
    const replaced = { id: target.inode, inode: inodeOf(transaction, target.inode) };
    if (replaced.inode.isDirectory && replaced.inode.entryCount > 0) throw notEmpty(place.path);
    unlink(transaction, replaced, context.wallMs);
    destroy(transaction, replaced, context.garbageDueMs);
  }
  unlink(transaction, source, context.wallMs);
  source.inode.deletedFrom = '';
  raise(source.inode, context.wallMs);
  link(transaction, place, source, context.wallMs);
  return {};
}

export function remove(transaction: Transaction, request: DeleteRequest, context: ChangeContext): DeleteReply {
  const found = resolvePath(transaction, request.path);
  checkNotReserved(found.id, request.path);
  const { inode } = found;
  if (request.expectedType === FileType.FILE_TYPE_FILE && inode.isDirectory) throw isADirectory(request.path);
  if (request.expectedType === FileType.FILE_TYPE_DIRECTORY && !inode.isDirectory) {
    throw new FsError('NOT_A_DIRECTORY', `'${request.path}' is a file, not a directory`);
  }
  if (inode.isDirectory && inode.entryCount > 0 && !request.recursive) throw notEmpty(request.path);
  const isForGood = request.skipTrash || isWithin(transaction, found.id, TRASH_INODE);
  if (!isForGood) return { trashPath: moveToTrash(transaction, found, pathOf(transaction, found.id), context) };
  unlink(transaction, found, context.wallMs);
  destroy(transaction, found, context.garbageDueMs);
  return { trashPath: '' };
}

export function setAttributes(
  transaction: Transaction,
  request: SetAttributesRequest,
  wallMs: number,
): SetAttributesReply {
  const { id, inode } = resolveRef(transaction, request.file);
  if (request.mode !== undefined) {
    checkMode(request.mode);
    inode.mode = request.mode;
  }
  if (request.owner !== undefined) {
    checkOwner(request.owner);
    inode.owner = request.owner;
  }
  if (request.group !== undefined) {
    checkOwner(request.group);
    inode.group = request.group;
  }
  if (request.modifiedMs !== undefined) inode.modifiedMs = request.modifiedMs;
  if (request.accessedMs !== undefined) inode.accessedMs = request.accessedMs;
  if (request.replication !== undefined) {
    if (inode.isDirectory) throw isADirectory(pathOf(transaction, id));
    checkReplication(request.replication);
    inode.replication = request.replication;
    setGoals(transaction, id, request.replication);
  }
  inode.xattrs = changeXattrs(inode.xattrs, { set: request.setXattrs, removed: request.removeXattrs });
  raise(inode, wallMs);
  transaction.putInode(id, inode);
  return { attributes: attributesOf(id, inode) };
}

function setGoals(transaction: Transaction, inode: number, goal: number): void {
  const extents = transaction.extents(inode, 0, Number.MAX_SAFE_INTEGER, GOALS_CHANGED_MAX + 1);
  if (extents.length > GOALS_CHANGED_MAX) {
    const message = `the replication of a file of more than ${GOALS_CHANGED_MAX} chunks cannot be changed: copy it to a file with the one wanted`;
    throw new FsError('TOO_LARGE', message);
  }
  for (const { handle } of extents) {
    const chunk = transaction.chunk(handle);
    if (chunk !== undefined && chunk.goal !== goal) transaction.putChunk(handle, { ...chunk, goal });
  }
}

/** `mkdir -p` of everything above the last name. */
export function makeParents(transaction: Transaction, path: string, wish: Wish, context: ChangeContext): void {
  const names = checkPath(path).slice(0, -1);
  const wanted = wishedInode({ mode: 0, owner: wish.owner, group: wish.group }, true, context);
  let parent = { id: ROOT_INODE, inode: inodeOf(transaction, ROOT_INODE) };
  for (const [index, name] of names.entries()) {
    const dirent = transaction.dirent(parent.id, name);
    if (dirent?.isDirectory === false) throw notADirectory(names.slice(0, index + 1));
    const place = { parent, name, path: `/${names.slice(0, index + 1).join('/')}` };
    parent =
      dirent === undefined
        ? make(transaction, place, wanted)
        : { id: dirent.inode, inode: inodeOf(transaction, dirent.inode) };
  }
}

function checkFree(transaction: Transaction, place: Place): void {
  if (transaction.dirent(place.parent.id, place.name) !== undefined) throw alreadyExists(place.path);
}

export function alreadyExists(path: string): FsError {
  return new FsError('ALREADY_EXISTS', `'${path}' already exists`, { details: { path } });
}

export function isADirectory(path: string): FsError {
  return new FsError('IS_A_DIRECTORY', `'${path}' is a directory`, { details: { path } });
}

function notEmpty(path: string): FsError {
  return new FsError('NOT_EMPTY', `directory '${path}' is not empty`, { details: { path } });
}
