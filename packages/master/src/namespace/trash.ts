/**
 * The trash: a directory `/.trash` that listings of the root do not show. What is deleted moves there under a name that
 * sorts by time of deletion; a rename brings it back, and the master destroys it when it has been kept long enough.
 */
import { utf8Bytes } from '@cairnfs/base';
import { NAME_BYTES_MAX } from '@cairnfs/protocol';
import { TRASH_INODE } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';
import { link, unlink } from './links.ts';
import { type Found, inodeOf, TRASH_NAME } from './resolve.ts';

/** @returns the path from which it can be restored. */
export function moveToTrash(transaction: Transaction, found: Found, path: string, wallMs: number): string {
  const name = trashName(found.id, found.inode.name, wallMs);
  unlink(transaction, found, wallMs);
  found.inode.deletedFrom = path;
  const parent = { id: TRASH_INODE, inode: inodeOf(transaction, TRASH_INODE) };
  link(transaction, { parent, name, path: `/${TRASH_NAME}/${name}` }, found, wallMs);
  return `/${TRASH_NAME}/${name}`;
}

/** `20261120T170300123Z.42.notes.txt`, cut to the longest name allowed between two characters. */
function trashName(id: number, name: string, wallMs: number): string {
  const prefix = `${compactTime(wallMs)}.${id}.`;
  let kept = name;
  while (utf8Bytes(prefix + kept).length > NAME_BYTES_MAX) kept = [...kept].slice(0, -1).join('');
  return prefix + kept;
}

/** Names of entries deleted before `wallMs` sort below this. */
export function trashNameBefore(wallMs: number): string {
  return compactTime(wallMs);
}

function compactTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/[-:.]/g, '');
}
