/**
 * Decoded inodes and directory entries that were used lately, so that a path is walked without asking the store and
 * decoding each time. Bounded; holds only what the state holds: every record's changes come here when it is appended.
 */
import type { Key } from '@cairnfs/base';
import type { Dirent, Inode } from '../gen/cairn/master/v1/state.ts';
import { DIRENTS_CACHED_MAX, INODES_CACHED_MAX } from '../limits.ts';
import { GenerationMap } from './generation-map.ts';
import { inodeOfInodeKey, isInodeKey, nameOfDirentKey, parentOfDirentKey } from './keys.ts';

export interface Cached<T> {
  /** Never changed: who wants to change it copies it. */
  readonly value: Readonly<T>;
  /** An answer made from it may leave when the journal is durable up to here. */
  readonly sequence: number;
}

export class StateCache {
  readonly #inodes = new GenerationMap<number, Cached<Inode>>({ entriesMax: INODES_CACHED_MAX });
  readonly #dirents = new GenerationMap<string, Cached<Dirent>>({ entriesMax: DIRENTS_CACHED_MAX });

  inode(id: number): Cached<Inode> | undefined {
    return this.#inodes.get(id);
  }

  keepInode(id: number, cached: Cached<Inode>): void {
    this.#inodes.set(id, cached);
  }

  dirent(parent: number, name: string): Cached<Dirent> | undefined {
    return this.#dirents.get(nameIn(parent, name));
  }

  keepDirent(parent: number, name: string, cached: Cached<Dirent>): void {
    this.#dirents.set(nameIn(parent, name), cached);
  }

  /** The value under this key changed. */
  forget(key: Key): void {
    if (isInodeKey(key)) this.#inodes.delete(inodeOfInodeKey(key));
    else if (key.startsWith('d')) this.#dirents.delete(nameIn(parentOfDirentKey(key), nameOfDirentKey(key)));
  }
}

/** Names contain no slash. */
function nameIn(parent: number, name: string): string {
  return `${parent}/${name}`;
}
