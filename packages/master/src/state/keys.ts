/**
 * The keys of the master's state, as binary strings in byte order: one letter for the table, then fields of fixed width,
 * then at most one of free length. Nothing else builds keys.
 */
import {
  bytesToKey,
  getU64LE,
  type Key,
  keyToBytes,
  keyToU32,
  keyToU64,
  keyToUuid,
  putU64LE,
  textToKey,
  u32ToKey,
  u64ToKey,
  utf8Bytes,
  utf8Text,
  uuidToKey,
} from '@cairnfs/base';

export const ROOT_INODE = 1;
export const TRASH_INODE = 2;
/** The first inode given to a user's file. */
export const FIRST_INODE = 16;

export const inodeKey = (inode: number): Key => `i${u64ToKey(inode)}`;
export const isInodeKey = (key: Key): boolean => key.charCodeAt(0) === 0x69;
export const inodeOfInodeKey = (key: Key): number => keyToU64(key, 1);

export const direntKey = (parent: number, name: string): Key => `d${u64ToKey(parent)}${bytesToKey(utf8Bytes(name))}`;
/** Every name in the directory lies from `start` up to `end`. */
export const direntRange = (parent: number) => ({ start: `d${u64ToKey(parent)}`, end: `d${u64ToKey(parent + 1)}` });
export const parentOfDirentKey = (key: Key): number => keyToU64(key, 1);
export const nameOfDirentKey = (key: Key): string => utf8Text(keyToBytes(key.slice(9)));

export const extentKey = (inode: number, offset: number): Key => `e${u64ToKey(inode)}${u64ToKey(offset)}`;
export const extentRange = (inode: number) => ({ start: `e${u64ToKey(inode)}`, end: `e${u64ToKey(inode + 1)}` });
export const offsetOfExtentKey = (key: Key): number => keyToU64(key, 9);

export const chunkKey = (handle: string): Key => `c${uuidToKey(handle)}`;

/** Chunk `handle` has a member on `server`: what the server's inventory is compared with. */
export const memberKey = (server: number, handle: string): Key => `r${u32ToKey(server)}${uuidToKey(handle)}`;
export const memberRange = (server: number) => ({ start: `r${u32ToKey(server)}`, end: `r${u32ToKey(server + 1)}` });
/** Where the 16 bytes of the handle begin in it. */
export const MEMBER_HANDLE_AT = 5;
export const handleOfMemberKey = (key: Key): string => keyToUuid(key, MEMBER_HANDLE_AT);
/** With the chunk's version, so that an inventory is compared without a look at the chunks. */
export function memberValue(version: number): Uint8Array {
  const value = new Uint8Array(MEMBER_VALUE_BYTES);
  putU64LE(value, 0, version);
  return value;
}
/** Undefined where the entry, of an earlier software, does not tell. */
export const versionOfMember = (value: Uint8Array): number | undefined =>
  value.length === MEMBER_VALUE_BYTES ? getU64LE(value, 0) : undefined;
const MEMBER_VALUE_BYTES = 8;

/** Chunks that are open or have a view pending: what a restarted master must look after. */
export const unsettledKey = (handle: string): Key => `n${uuidToKey(handle)}`;
export const unsettledRange = { start: 'n', end: 'o' } as const;
/** Chunks with fewer members than their goal. */
export const belowGoalKey = (handle: string): Key => `b${uuidToKey(handle)}`;
export const belowGoalRange = { start: 'b', end: 'c' } as const;
/** Chunks no file needs, by the time from which they may be collected. */
export const garbageKey = (dueMs: number, handle: string): Key => `g${u64ToKey(dueMs)}${uuidToKey(handle)}`;
export const garbageRange = (untilMs: number) => ({ start: 'g', end: `g${u64ToKey(untilMs)}` });
export const garbageAfter = (dueMs: number) => ({ start: `g${u64ToKey(dueMs + 1)}`, end: 'h' });
export const handleOfGarbageKey = (key: Key): string => keyToUuid(key, 9);
/** Works for every key that is one letter and a handle. */
export const handleOfKey = (key: Key): string => keyToUuid(key, 1);

/** Trees cut off from the namespace, reclaimed bit by bit. */
export const detachedKey = (inode: number): Key => `x${u64ToKey(inode)}`;
export const detachedRange = { start: 'x', end: 'y' } as const;
export const inodeOfDetachedKey = (key: Key): number => keyToU64(key, 1);

export const serverKey = (server: number): Key => `s${u32ToKey(server)}`;
export const serverRange = { start: 's', end: 't' } as const;
export const idOfServerKey = (key: Key): number => keyToU32(key, 1);

export const uploadKey = (upload: string): Key => `u${uuidToKey(upload)}`;
export const uploadRange = { start: 'u', end: 'v' } as const;
export const idOfUploadKey = (key: Key): string => keyToUuid(key, 1);

export const operationKey = (client: Uint8Array, number: number): Key => `o${bytesToKey(client)}${u64ToKey(number)}`;
/** The client's results, without its header, under the numbers of [from, below). */
export const operationRange = (client: Uint8Array, { from, below }: { from: number; below: number }) => ({
  start: operationKey(client, Math.max(1, from)),
  end: operationKey(client, below),
});
export const allOperationsRange = { start: 'o', end: 'p' } as const;
/** The key of the header of the client whose entry has this key. */
export const headerOfOperationKey = (key: Key): Key => key.slice(0, 17) + u64ToKey(0);
export const numberOfOperationKey = (key: Key): number => keyToU64(key, 17);

/** Single values and counters. */
export const META = {
  clusterId: textToKey('mcluster-id'),
  /** Absent in a cluster made before it could be chosen: the largest. */
  chunkBytes: textToKey('mchunk-bytes'),
  nextInode: textToKey('mnext-inode'),
  nextServer: textToKey('mnext-server'),
  session: textToKey('msession'),
  fileCount: textToKey('mfiles'),
  directoryCount: textToKey('mdirectories'),
  chunkCount: textToKey('mchunks'),
  garbageCount: textToKey('mgarbage'),
} as const;
