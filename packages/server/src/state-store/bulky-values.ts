/**
 * Bulky values, kept in a file beside LMDB's tree. In the tree a value of 4 KiB would take two pages, be copied twice on its
 * way, and stay mapped, as memory of the process, once it was read; here it takes its size, and the page cache has it.
 *
 * A value takes whole units of the file. Which are taken says the space map, whose changed blocks are part of the
 * transaction that changes the entries, so tree and map always agree. Bytes are on stable storage before a
 * transaction speaks of them. What a transaction lets go is given out again two transactions later: until then a read may
 * still hold an entry from before.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type Disk, type DiskFile, FsError, type Key } from '@cairnfs/base';
import { APART_BYTES_MIN, isApart, openEntry, type Place, sealApart, sealBlock, sealHere } from './bulky-entry.ts';
import { SlowReads } from './slow-reads.ts';
import { blockOf, type Run, SpaceMap } from './space-map.ts';

const UNIT_BYTES = 1_024;
const ZEROS = new Uint8Array(UNIT_BYTES);
/** Of the operations that a disk may have under way: the others go on with what is not slow. */
const SLOW_LOADS_AT_ONCE = 2;

export class BulkyValues {
  readonly #path: string;
  readonly #file: DiskFile;
  /** Reads are synchronous, as those of the tree are, unless the caller can wait and the disk is slow. */
  readonly #readDescriptor: number;
  readonly #slowReads: SlowReads;
  /** Those that come later, and those of them whose turn it is not yet. */
  readonly #loads = new Set<Promise<Uint8Array>>();
  readonly #waitingLoads: (() => void)[] = [];
  #loadsUnderWay = 0;
  readonly #space: SpaceMap;
  /** Let go by the last two transactions, the older first. */
  #leaving: [readonly Run[], readonly Run[]] = [[], []];
  /** Of a transaction of which nobody knows whether it came about: free when another one has. */
  #doubtful: Run[] = [];
  #sizeBytes: number;

  private constructor(
    path: string,
    { file, space, sizeBytes, nowMs }: { file: DiskFile; space: SpaceMap; sizeBytes: number; nowMs: () => number },
  ) {
    this.#path = path;
    this.#slowReads = new SlowReads(nowMs);
    this.#readDescriptor = openSync(path, 'r');
    this.#file = file;
    this.#space = space;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * @param blocks of the space map, by number.
   * @param disk holds the file.
   * @param nowMs monotonic.
   * @throws FsError DAMAGED  the file is shorter than the tree says.
   */
  static async open(
    directory: string,
    blocks: ReadonlyMap<number, Uint8Array>,
    disk: Disk,
    nowMs: () => number = () => performance.now(),
  ): Promise<BulkyValues> {
    const path = join(directory, 'values');
    const space = new SpaceMap(blocks);
    const wanted = space.endUnit * UNIT_BYTES;
    if (wanted > 0 && (await disk.stat(path)) === undefined) {
      throw damaged(path, `it is gone, the index speaks of ${wanted} bytes`);
    }
    const file = await disk.open(path, 'openOrCreate');
    try {
      await disk.syncDirectory(directory); // also when it was there: the start that made it may have ended before this
      const sizeBytes = await file.size();
      if (sizeBytes >= wanted) return new BulkyValues(path, { file, space, sizeBytes, nowMs });
      throw damaged(path, `the file has ${sizeBytes} bytes, the index speaks of ${wanted}`);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * The value that an entry stands for, in memory of its own.
   *
   * @throws FsError DAMAGED  the entry is not what was put there, or the file ends before it.
   */
  read(key: Key, entry: Uint8Array): Uint8Array {
    const opened = openEntry(key, entry);
    if (!isApart(opened)) return opened.value;
    const { position, length } = opened;
    const value = Buffer.allocUnsafeSlow(length);
    const begunMs = this.#slowReads.begun();
    const count = readSync(this.#readDescriptor, value, 0, length, position);
    this.#slowReads.ended(begunMs);
    if (count === length) return value;
    throw this.#endsInside(opened);
  }

  /**
   * As `read`, but when reads were slow lately, it comes later. What the entry stands for may be let go and given out again before
   * that: then it is other bytes.
   *
   * @throws FsError DAMAGED  as `read`; so does what comes later.
   */
  load(key: Key, entry: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (!this.#slowReads.areSlow) return this.read(key, entry);
    const opened = openEntry(key, entry);
    if (!isApart(opened)) return opened.value;
    const load = this.#loadLater(opened).finally(() => this.#loads.delete(load));
    this.#loads.add(load);
    return load;
  }

  async #loadLater(place: Place): Promise<Uint8Array> {
    if (this.#loadsUnderWay < SLOW_LOADS_AT_ONCE) this.#loadsUnderWay += 1;
    else await new Promise<void>((begin) => this.#waitingLoads.push(begin));
    const begunMs = this.#slowReads.begun();
    try {
      const value = Buffer.allocUnsafeSlow(place.length);
      if ((await this.#file.read(place.position, value)) === place.length) return value;
    } finally {
      this.#slowReads.ended(begunMs);
      const next = this.#waitingLoads.shift();
      if (next === undefined) this.#loadsUnderWay -= 1;
      else next();
    }
    throw this.#endsInside(place);
  }

  #endsInside({ position, length }: Place): FsError {
    return new FsError('DAMAGED', `${this.#path} ends inside the value at ${position}, of ${length} bytes`);
  }

  /** The changes of one transaction. One at a time. */
  begin(): BulkyChanges {
    const [done, last] = this.#leaving;
    for (const run of done) this.#space.free(run);
    this.#leaving = [last, []];
    return new BulkyChanges(this.#space, {
      left: last,
      write: (position, buffers) => this.#write(position, buffers),
      sync: () => this.#file.sync(),
      committed: (leaving) => {
        this.#leaving = [last, leaving];
        for (const run of this.#doubtful.splice(0)) this.#space.free(run);
      },
      doubtful: (taken) => this.#doubtful.push(...taken),
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#loads); // who waits for them hears of it
    closeSync(this.#readDescriptor);
    await this.#file.close();
  }

  async #write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    await this.#file.write(position, buffers);
    const end = buffers.reduce((at, { length }) => at + length, position);
    this.#sizeBytes = Math.max(this.#sizeBytes, end);
  }
}

interface ChangesShell {
  /** Free for the tree already, and not yet given out again. */
  readonly left: readonly Run[];
  readonly write: (position: number, buffers: readonly Uint8Array[]) => Promise<void>;
  readonly sync: () => Promise<void>;
  readonly committed: (leaving: readonly Run[]) => void;
  readonly doubtful: (taken: readonly Run[]) => void;
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
  put(key: Key, value: Uint8Array): Uint8Array {
    if (value.length < APART_BYTES_MIN) return sealHere(key, value);
    const count = unitsOf(value.length);
    const start = this.#space.take(count);
    this.#taken.push({ start, count, value });
    return sealApart(key, { position: start * UNIT_BYTES, length: value.length });
  }

  /** The entry leaves the tree, or another takes its place. Where a damaged one points to nobody knows: that stays taken. */
  drop(key: Key, entry: Uint8Array): void {
    try {
      const opened = openEntry(key, entry);
      if (isApart(opened)) {
        this.#leaving.push({ start: opened.position / UNIT_BYTES, count: unitsOf(opened.length) });
      }
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
  }

  /** Before the transaction: the bytes are on stable storage when it resolves. */
  async flush(): Promise<void> {
    if (this.#taken.length === 0) return;
    this.#taken.sort((a, b) => a.start - b.start);
    let buffers: Uint8Array[] = [];
    let first = 0;
    let end = 0;
    for (const { start, count, value } of this.#taken) {
      if (buffers.length > 0 && start !== end) {
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

  /** The blocks of the space map that the transaction changes, sealed, by number. */
  blocks(): Map<number, Uint8Array> {
    const without = new Map<number, Run[]>();
    for (const { start } of this.#taken) without.set(blockOf(start), []);
    for (const { start } of this.#leaving) without.set(blockOf(start), []);
    for (const run of [...this.#shell.left, ...this.#leaving]) without.get(blockOf(run.start))?.push(run);
    const blocks = new Map<number, Uint8Array>();
    for (const [number, runs] of without) blocks.set(number, sealBlock(number, this.#space.block(number, runs)));
    return blocks;
  }

  committed(): void {
    this.#shell.committed(this.#leaving);
  }

  /** The transaction was not begun: what it took is free again. */
  abandoned(): void {
    for (const run of this.#taken) this.#space.free(run);
  }

  /** The transaction failed, and may have come about all the same. */
  failed(): void {
    this.#shell.doubtful(this.#taken);
  }
}

function unitsOf(length: number): number {
  return Math.ceil(length / UNIT_BYTES);
}

function damaged(path: string, fault: string): FsError {
  const message =
    `The values of the index in ${path} are damaged: ${fault}. Nothing was changed. Restore its folder from a backup, or, ` +
    'if other servers hold replicas of what it held, start with an empty one.';
  return new FsError('DAMAGED', message, { details: { path } });
}
