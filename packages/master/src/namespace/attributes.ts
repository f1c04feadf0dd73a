/** Inodes as callers see them. */
import { type Attributes, FileType } from '@cairnfs/protocol';
import type { Inode } from '../gen/cairn/master/v1/state.ts';

export function attributesOf(id: number, inode: Inode, size = inode.size): Attributes {
  return {
    inode: id,
    type: inode.isDirectory ? FileType.FILE_TYPE_DIRECTORY : FileType.FILE_TYPE_FILE,
    size: inode.isDirectory ? 0 : size,
    mode: inode.mode,
    owner: inode.owner,
    group: inode.group,
    createdMs: inode.createdMs,
    modifiedMs: inode.modifiedMs,
    accessedMs: inode.accessedMs,
    changedMs: inode.changedMs,
    xattrs: inode.xattrs,
    replication: inode.replication,
    generation: inode.generation,
    deletedFrom: inode.deletedFrom,
    entryCount: inode.entryCount,
  };
}

export interface NewInode {
  readonly isDirectory: boolean;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly replication: number;
  readonly wallMs: number;
}

export function newInode({ isDirectory, mode, owner, group, replication, wallMs }: NewInode): Inode {
  return {
    isDirectory,
    parent: 0,
    name: '',
    mode,
    owner,
    group,
    createdMs: wallMs,
    modifiedMs: wallMs,
    accessedMs: wallMs,
    changedMs: wallMs,
    size: 0,
    replication,
    xattrs: {},
    generation: 1,
    deletedFrom: '',
    entryCount: 0,
    openTail: '',
  };
}
