/**
 * One request's view of the state: typed reads, and writes that are collected until the request is decided. A handler
 * that throws has changed nothing. Ranges show the state as it was before the request's own writes.
 */

import { bytesToKey, type Key, keyToBytes, keyToU64, u64ToKey } from '@cairnfs/base';
import { decodeMessage, encodeMessage } from '@cairnfs/protocol';
import type { StateView } from '@cairnfs/storage';
import { Chunk, ChunkState, Dirent, ExtentValue, Inode, Server, Upload } from '../gen/cairn/master/v1/state.ts';
import {
  belowGoalKey,
  chunkKey,
  direntKey,
  extentKey,
  extentRange,
  inodeKey,
  isInodeKey,
  META,
  memberKey,
  memberValue,
  offsetOfExtentKey,
  serverKey,
  unsettledKey,
  uploadKey,
} from './keys.ts';
import type { StateCache } from './state-cache.ts';

export type FileExtent = ExtentValue & { readonly offset: number };

const PRESENT = new Uint8Array([1]);

export class Transaction {
  readonly #view: StateView;
  readonly #changes = new Map<Key, Uint8Array | undefined>();

  readonly #inodes = new Map<number, Inode>();
  readonly #cache: StateCache;
  /** The last name that was looked for in vain: who makes it looks again. */
  #absent: { readonly parent: number; readonly name: string } | undefined;
  readonly #afterAppend: (() => void)[] = [];
  /** Of what was read from the cache. */
  #cachedSequence = 0;

  constructor(view: StateView, cache: StateCache) {
    this.#view = view;
    this.#cache = cache;
  }

  get changes(): ReadonlyMap<Key, Uint8Array | undefined> {
    return this.#changes;
  }

  /** The answer may leave once this is durable. */
  get readSequence(): number {
    return Math.max(this.#view.readSequence, this.#cachedSequence);
  }

  get(key: Key): Uint8Array | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : this.#view.get(key);
  }

  put(key: Key, value: Uint8Array): void {
    this.#changes.set(key, value);
  }

  remove(key: Key): void {
    this.#changes.set(key, undefined);
  }

  range(range: { start: Key; end: Key }, limit: number): { key: Key; value: Uint8Array }[] {
    return this.#view.range(range.start, range.end, limit);
  }

  // ---- Single values ----

  counter(key: Key): number {
    const value = this.get(key);
    return value === undefined ? 0 : keyToU64(bytesToKey(value));
  }

  setCounter(key: Key, value: number): void {
    this.put(key, keyToBytes(u64ToKey(value)));
  }

  add(key: Key, amount: number): void {
    if (amount !== 0) this.setCounter(key, this.counter(key) + amount);
  }

  // ---- Namespace ----

  /** A copy that the caller may change; its `xattrs` are replaced, not changed. */
  inode(inode: number): Inode | undefined {
    if (this.#changes.size > 0) {
      const key = inodeKey(inode);
      if (this.#changes.has(key)) {
        const own = this.#inodes.get(inode);
        return own === undefined ? undefined : { ...own };
      }
    }
    const cached = this.#cache.inode(inode);
    if (cached !== undefined) {
      this.#cachedSequence = Math.max(this.#cachedSequence, cached.sequence);
      return { ...cached.value };
    }
    const decoded = this.#storedInode(inode);
    if (decoded === undefined) return undefined;
    this.#cache.keepInode(inode, { value: { ...decoded }, sequence: this.#view.readSequence });
    return decoded;
  }

  /** For a look in passing, as listings take: what is not in the cache stays out, or a long directory would fill it. */
  inodeInPassing(inode: number): Readonly<Inode> | undefined {
    if (this.#changes.size > 0) return this.inode(inode);
    const cached = this.#cache.inode(inode);
    if (cached === undefined) return this.#storedInode(inode);
    this.#cachedSequence = Math.max(this.#cachedSequence, cached.sequence);
    return cached.value;
  }

  #storedInode(inode: number): Inode | undefined {
    const value = this.#view.get(inodeKey(inode));
    if (value === undefined) return undefined;
    const decoded = decodeMessage(Inode, value);
    // Decoded bytes point into the value, which the store only lends.
    for (const name in decoded.xattrs) decoded.xattrs[name] = new Uint8Array(decoded.xattrs[name]!);
    return decoded;
  }

  putInode(inode: number, value: Inode): void {
    this.#inodes.set(inode, { ...value });
    this.put(inodeKey(inode), encodeMessage(Inode, value));
  }

  removeInode(inode: number): void {
    this.#inodes.delete(inode);
    this.remove(inodeKey(inode));
  }

  dirent(parent: number, name: string): Readonly<Dirent> | undefined {
    if (this.#changes.size > 0) {
      const key = direntKey(parent, name);
      if (this.#changes.has(key)) {
        const own = this.#changes.get(key);
        return own === undefined ? undefined : decodeMessage(Dirent, own);
      }
    }
    const cached = this.#cache.dirent(parent, name);
    if (cached !== undefined) {
      this.#cachedSequence = Math.max(this.#cachedSequence, cached.sequence);
      return cached.value;
    }
    if (this.#absent?.parent === parent && this.#absent.name === name) return undefined;
    const value = this.#view.get(direntKey(parent, name));
    if (value === undefined) {
      this.#absent = { parent, name };
      return undefined;
    }
    const decoded = decodeMessage(Dirent, value);
    this.#cache.keepDirent(parent, name, { value: decoded, sequence: this.#view.readSequence });
    return decoded;
  }

  /** Runs `callback` when what is written here has become a record; not when that is refused, or nothing is written. */
  afterAppend(callback: () => void): void {
    this.#afterAppend.push(callback);
  }

  /** What was written is in the state now, under this sequence number: the cache follows. */
  appended(sequence: number): void {
    for (const callback of this.#afterAppend) callback();
    for (const [inode, value] of this.#inodes) this.#cache.keepInode(inode, { value, sequence });
    for (const [key, value] of this.#changes) {
      const isKept = value !== undefined && isInodeKey(key);
      if (!isKept) this.#cache.forget(key);
    }
  }

  putDirent(parent: number, name: string, value: Dirent): void {
    this.put(direntKey(parent, name), encodeMessage(Dirent, value));
  }

  // ---- Extents ----

  putExtent(inode: number, extent: FileExtent): void {
    this.put(extentKey(inode, extent.offset), encodeMessage(ExtentValue, extent));
  }

  extentAt(inode: number, offset: number): FileExtent | undefined {
    const value = this.get(extentKey(inode, offset));
    return value === undefined ? undefined : { offset, ...decodeMessage(ExtentValue, value) };
  }

  /** Extents that start in [from, to), in order. */
  extents(inode: number, from: number, to: number, limit: number): FileExtent[] {
    const { start, end } = extentRange(inode);
    if (from >= to) return [];
    const last = to >= Number.MAX_SAFE_INTEGER ? end : extentKey(inode, to);
    const entries = this.#view.range(from === 0 ? start : extentKey(inode, from), last, limit);
    return entries.map(({ key, value }) => ({ offset: offsetOfExtentKey(key), ...decodeMessage(ExtentValue, value) }));
  }

  // ---- Chunks ----

  chunk(handle: string): Chunk | undefined {
    const value = this.get(chunkKey(handle));
    return value === undefined ? undefined : decodeMessage(Chunk, value);
  }

  /** Writes the chunk and every index that follows from it. */
  putChunk(handle: string, chunk: Chunk): void {
    this.#replaceChunk(handle, this.chunk(handle), chunk);
  }

  /** As `putChunk`, of one that the caller knows not to be there. */
  addChunk(handle: string, chunk: Chunk): void {
    this.#replaceChunk(handle, undefined, chunk);
  }

  #replaceChunk(handle: string, before: Chunk | undefined, chunk: Chunk): void {
    if (before === undefined) this.add(META.chunkCount, 1);
    this.#indexMembers(handle, before, chunk);
    this.#mark(unsettledKey(handle), isUnsettled(before), isUnsettled(chunk));
    this.#mark(belowGoalKey(handle), isBelowGoal(before), isBelowGoal(chunk));
    this.put(chunkKey(handle), encodeMessage(Chunk, chunk));
  }

  removeChunk(handle: string): void {
    const before = this.chunk(handle);
    if (before === undefined) return;
    this.add(META.chunkCount, -1);
    this.#indexMembers(handle, before, undefined);
    this.#mark(unsettledKey(handle), isUnsettled(before), false);
    this.#mark(belowGoalKey(handle), isBelowGoal(before), false);
    this.remove(chunkKey(handle));
  }

  #indexMembers(handle: string, before: Chunk | undefined, after: Chunk | undefined): void {
    const was = before?.members ?? [];
    const is = after?.members ?? [];
    for (const server of was) if (!is.includes(server)) this.remove(memberKey(server, handle));
    if (after === undefined) return;
    const isSameVersion = before?.version === after.version;
    const value = memberValue(after.version);
    for (const server of is) if (!isSameVersion || !was.includes(server)) this.put(memberKey(server, handle), value);
  }

  /** An index entry follows from the chunk, so whether it is there need not be looked up. */
  #mark(key: Key, was: boolean, is: boolean): void {
    if (is && !was) this.put(key, PRESENT);
    else if (!is && was) this.remove(key);
  }

  // ---- Servers and uploads ----

  server(id: number): Server | undefined {
    const value = this.get(serverKey(id));
    return value === undefined ? undefined : decodeMessage(Server, value);
  }

  putServer(id: number, server: Server): void {
    this.put(serverKey(id), encodeMessage(Server, server));
  }

  upload(id: string): Upload | undefined {
    const value = this.get(uploadKey(id));
    return value === undefined ? undefined : decodeMessage(Upload, value);
  }

  putUpload(id: string, upload: Upload): void {
    this.put(uploadKey(id), encodeMessage(Upload, upload));
  }
}

/** What a restarted master must look after. */
function isUnsettled(chunk: Chunk | undefined): boolean {
  if (chunk === undefined || chunk.state === ChunkState.CHUNK_STATE_GARBAGE) return false;
  return chunk.state === ChunkState.CHUNK_STATE_OPEN || chunk.pendingVersion !== 0;
}

function isBelowGoal(chunk: Chunk | undefined): boolean {
  const isOfFile = chunk?.state === ChunkState.CHUNK_STATE_OPEN || chunk?.state === ChunkState.CHUNK_STATE_CLOSED;
  return isOfFile && chunk.members.length < chunk.goal;
}
