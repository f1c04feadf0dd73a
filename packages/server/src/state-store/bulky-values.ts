/**
 * Bulky values, kept in a file beside LMDB's tree. In the tree a value of 4 KiB would take two pages, be copied twice on its
 * way, and stay mapped, as memory of the process, once it was read; here it takes its size, and the page cache has it.
 *
 * A value takes whole units of the file. Which are taken says the space map, whose changed blocks are part of the
 * transaction that changes the entries, so tree and map always agree. Bytes are on stable storage before a
 * transaction speaks of them. What a transaction lets go is given out again two transactions later: until then a read may
 * still hold an entry from before.
 */
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, DiskError, FsError, getU32LE, getU64LE, putU32LE, putU64LE } from '@cairnfs/base';
import { blockOf, type Run, SpaceMap } from './space-map.ts';

const UNIT_BYTES = 1_024;
/** Smaller ones stay in the tree. */
const APART_BYTES_MIN = 512;
/** Buffers that one system call takes: IOV_MAX of Linux. */
const WRITEV_BUFFERS_MAX = 1_024;
const ENTRY_BYTES = 13;
const ZEROS = new Uint8Array(UNIT_BYTES);

/** What stands first in an entry of the tree. */
const HERE = 0;
const APART = 1;

export class BulkyValues {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #space: SpaceMap;
  /** Let go by the last two transactions, the older first. */
  #leaving: [readonly Run[], readonly Run[]] = [[], []];
  #sizeBytes: number;

  private constructor(path: string, file: FileHandle, space: SpaceMap, sizeBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#space = space;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * @param blocks of the space map, as the transactions stored them.
   * @throws FsError DAMAGED  the file is shorter than the tree says.
   */
  static async open(directory: string, blocks: readonly Uint8Array[]): Promise<BulkyValues> {
    const path = join(directory, 'values');
    const file = await openOrCreate(path, directory);
    const space = new SpaceMap(blocks);
    const { size } = await file.stat();
    const wanted = space.endUnit * UNIT_BYTES;
    if (size >= wanted) return new BulkyValues(path, file, space, size);
    await file.close();
    const message =
      `The values of the index in ${path} are damaged: the file has ${size} bytes, the index speaks of ${wanted}. Nothing was ` +
      'changed. Restore its folder from a backup, or, if other servers hold replicas of what it held, start with an empty one.';
    throw new FsError('DAMAGED', message, { details: { path } });
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The value that an entry stands for, in memory of its own. */
  read(entry: Uint8Array): Uint8Array {
    if (entry[0] === HERE) return entry.slice(1);
    const { position, length } = placeOf(entry);
    const value = Buffer.allocUnsafe(length);
    const bytesRead = readSync(this.#file.fd, value, 0, length, position);
    if (bytesRead === length) return value;
    throw new DiskError('EIO', this.#path, `${this.#path} ends inside the value at ${position}, of ${length} bytes`);
  }

  /** The changes of one transaction. One at a time. */
  begin(): BulkyChanges {
    const [done, last] = this.#leaving;
    for (const run of done) this.#space.free(run);
    this.#leaving = [last, []];
    return new BulkyChanges(this.#space, {
      left: last,
      write: (position, buffers) => this.#write(position, buffers),
      sync: () => this.#file.datasync(),
      committed: (leaving) => {
        this.#leaving = [last, leaving];
      },
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    let at = position;
    for (let rest = [...buffers]; rest.length > 0; ) {
      const { bytesWritten } = await this.#file.writev(rest, at);
      if (bytesWritten === 0) throw new DiskError('EIO', this.#path, `write to ${this.#path}: the system took no byte`);
      at += bytesWritten;
      rest = withoutFirst(rest, bytesWritten);
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, at);
  }
}

interface ChangesShell {
  /** Free for the tree already, and not yet given out again. */
  readonly left: readonly Run[];
  readonly write: (position: number, buffers: readonly Uint8Array[]) => Promise<void>;
  readonly sync: () => Promise<void>;
  readonly committed: (leaving: readonly Run[]) => void;
}

export class BulkyChanges {
  readonly #space: SpaceMap;
  readonly #shell: ChangesShell;
  readonly #taken: (Run & { readonly value: Uint8Array })[] = [];
  readonly #leaving: Run[] = [];

  constructor(space: SpaceMap, shell: ChangesShell) {
    this.#space = space;
    this.#shell = shell;
  }

  /** @returns the entry to be put in the tree. */
  put(value: Uint8Array): Uint8Array {
    if (value.length < APART_BYTES_MIN) {
      const entry = new Uint8Array(1 + value.length);
      entry[0] = HERE;
      entry.set(value, 1);
      return entry;
    }
    const count = unitsOf(value.length);
    const start = this.#space.take(count);
    this.#taken.push({ start, count, value });
    const entry = new Uint8Array(ENTRY_BYTES);
    entry[0] = APART;
    putU64LE(entry, 1, start * UNIT_BYTES);
    putU32LE(entry, 9, value.length);
    return entry;
  }

  /** The entry leaves the tree, or another takes its place. */
  drop(entry: Uint8Array): void {
    if (entry[0] === HERE) return;
    const { position, length } = placeOf(entry);
    this.#leaving.push({ start: position / UNIT_BYTES, count: unitsOf(length) });
  }

  /** Before the transaction: the bytes are on stable storage when it resolves. */
  async flush(): Promise<void> {
    if (this.#taken.length === 0) return;
    this.#taken.sort((a, b) => a.start - b.start);
    let buffers: Uint8Array[] = [];
    let first = 0;
    let end = 0;
    for (const { start, count, value } of this.#taken) {
      if (buffers.length > 0 && (start !== end || buffers.length + 2 > WRITEV_BUFFERS_MAX)) {
        await this.#shell.write(first * UNIT_BYTES, buffers);
        buffers = [];
      }
      if (buffers.length === 0) first = start;
      buffers.push(value);
      const rest = count * UNIT_BYTES - value.length;
      if (rest > 0) buffers.push(ZEROS.subarray(0, rest));
      end = start + count;
    }
    await this.#shell.write(first * UNIT_BYTES, buffers);
    await this.#shell.sync();
  }

  /** The blocks of the space map that the transaction changes, by number. */
  blocks(): Map<number, Uint8Array> {
    const blocks = new Map<number, Uint8Array>();
    for (const { start } of [...this.#taken, ...this.#leaving]) {
      const index = blockOf(start);
      if (!blocks.has(index)) blocks.set(index, this.#space.block(index, [...this.#shell.left, ...this.#leaving]));
    }
    return blocks;
  }

  committed(): void {
    this.#shell.committed(this.#leaving);
  }

  /** The transaction did not come about: what it took is free again. */
  failed(): void {
    for (const run of this.#taken) this.#space.free(run);
  }
}

function placeOf(entry: Uint8Array): { position: number; length: number } {
  assert(
    entry[0] === APART && entry.length === ENTRY_BYTES,
    () => `an entry of ${entry.length} bytes, kind ${entry[0]}`,
  );
  return { position: getU64LE(entry, 1), length: getU32LE(entry, 9) };
}

function unitsOf(length: number): number {
  return Math.ceil(length / UNIT_BYTES);
}

async function openOrCreate(path: string, directory: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const file = await open(path, 'wx+');
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return file;
}

function withoutFirst(buffers: readonly Uint8Array[], length: number): Uint8Array[] {
  let index = 0;
  let rest = length;
  while (index < buffers.length && rest >= buffers[index]!.length) rest -= buffers[index++]!.length;
  const left = buffers.slice(index);
  if (rest > 0) left[0] = left[0]!.subarray(rest);
  return left;
}
