/**
 * A disk and a state store in memory for the tests of this package, with the crashes of real ones: of what was not
 * synced, any 64-byte piece may be lost or kept; of names not synced, all or none; of transactions not flushed, a prefix stays.
 */
import {
  assert,
  type Clock,
  type Disk,
  DiskError,
  type DiskFile,
  type Key,
  type Log,
  type OpenMode,
  type Random,
  type StateChange,
  type StateStore,
  type Timer,
} from '@cairnfs/base';

const PIECE_BYTES = 64;
const nothing = new Uint8Array(0);

/** One change of a file not yet synced. */
type Pending = { position: number; bytes: Uint8Array } | { sizeBytes: number };

class Image {
  bytes: Uint8Array = nothing;

  apply(change: Pending): void {
    if ('sizeBytes' in change) {
      this.#resize(change.sizeBytes);
      return;
    }
    const end = change.position + change.bytes.length;
    if (end > this.bytes.length) this.#resize(end);
    this.bytes.set(change.bytes, change.position);
  }

  #resize(sizeBytes: number): void {
    const resized = new Uint8Array(sizeBytes);
    resized.set(this.bytes.subarray(0, sizeBytes));
    this.bytes = resized;
  }
}

class Inode {
  current = new Image();
  synced = new Image();
  pending: Pending[] = [];
}

type Faulty = 'write' | 'sync' | 'rename' | 'remove';

/** Chooses 0 to `count` - 1. */
export type Choose = (count: number) => number;

export class CrashDisk implements Disk {
  files = new Map<string, Inode>();
  syncedFiles = new Map<string, Inode>();
  readonly stores = new Map<string, CrashStore>();
  /** Operations until the machine stops: then none ever settles. */
  operationsLeft = Number.POSITIVE_INFINITY;
  /** Thrown by every operation that matches; nothing of it is done. */
  fault: { operation: Faulty | readonly Faulty[]; path: RegExp; code: string } | undefined;

  get isStopped(): boolean {
    return this.operationsLeft <= 0;
  }

  /** The machine stops for good; what survives is on the disk returned. */
  crash(choose: Choose): CrashDisk {
    this.operationsLeft = 0;
    const survivor = new CrashDisk();
    for (const [path, inode] of choose(2) === 0 ? this.syncedFiles : this.files) {
      const image = new Inode();
      image.synced.bytes = inode.synced.bytes.slice();
      for (const change of inode.pending) applyTorn(image.synced, change, choose);
      image.current.bytes = image.synced.bytes.slice();
      survivor.files.set(path, image);
    }
    survivor.syncedFiles = new Map(survivor.files);
    for (const [directory, store] of this.stores) survivor.stores.set(directory, store.crash(survivor, choose));
    return survivor;
  }

  content(path: string): Uint8Array {
    return this.#inode(path).current.bytes;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.operation();
    const exists = this.files.has(path);
    if (mode === 'create' && exists) throw new DiskError('EEXIST', path, `${path} exists`);
    if (!exists && (mode === 'create' || mode === 'openOrCreate')) this.files.set(path, new Inode());
    return new CrashFile(this, path, this.#inode(path));
  }

  async list(directory: string): Promise<string[]> {
    await this.operation();
    const prefix = `${directory}/`;
    return [...this.files.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length).split('/')[0]!)
      .sort();
  }

  async makeDirectory(): Promise<void> {
    await this.operation();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.operation('rename', from);
    this.files.set(to, this.#inode(from));
    this.files.delete(from);
  }

  async remove(path: string): Promise<void> {
    await this.operation('remove', path);
    this.#inode(path);
    this.files.delete(path);
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.operation('sync', directory);
    this.syncedFiles = new Map(this.files);
  }

  async stat(path: string) {
    await this.operation();
    const inode = this.files.get(path);
    return inode === undefined ? undefined : { sizeBytes: inode.current.bytes.length, modifiedWallMs: 0 };
  }

  async space() {
    return { totalBytes: 1, freeBytes: 1 };
  }

  async lock() {
    return { release: async () => {} };
  }

  /** Counts one operation; never settles once the machine stopped. */
  async operation(operation?: Faulty, path = ''): Promise<void> {
    await Promise.resolve();
    if (this.operationsLeft-- <= 0) await new Promise<never>(() => {});
    this.checkFault(operation, path);
  }

  checkFault(operation: Faulty | undefined, path: string): void {
    const { fault } = this;
    if (fault === undefined || operation === undefined || !fault.path.test(path)) return;
    if (![fault.operation].flat().includes(operation)) return;
    throw new DiskError(fault.code, path, `${operation} of ${path} failed: ${fault.code}`);
  }

  async openStateStore(directory: string): Promise<StateStore> {
    await this.operation();
    const store = this.stores.get(directory) ?? new CrashStore(this);
    this.stores.set(directory, store);
    return store;
  }

  #inode(path: string): Inode {
    const inode = this.files.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', path, `${path} does not exist`);
    return inode;
  }
}

function applyTorn(image: Image, change: Pending, choose: Choose): void {
  const fate = choose(3);
  if (fate === 0) return;
  if (fate === 1 || 'sizeBytes' in change) {
    image.apply(change);
    return;
  }
  for (let offset = 0; offset < change.bytes.length; offset += PIECE_BYTES) {
    if (choose(2) === 0) continue;
    image.apply({ position: change.position + offset, bytes: change.bytes.subarray(offset, offset + PIECE_BYTES) });
  }
}

class CrashFile implements DiskFile {
  readonly #disk: CrashDisk;
  readonly #path: string;
  readonly #inode: Inode;
  #isClosed = false;

  constructor(disk: CrashDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
  }

  async read(position: number, target: Uint8Array): Promise<number> {
    await this.#disk.operation();
    const bytes = this.#inode.current.bytes.subarray(position, position + target.length);
    target.set(bytes);
    return bytes.length;
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    // The bytes are on their way before the operation settles, as with a machine that stops in the middle.
    const change = { position, bytes: new Uint8Array(Buffer.concat(buffers)) };
    if (!this.#disk.isStopped) this.#inode.pending.push(change);
    await this.#disk.operation('write', this.#path);
    this.#inode.current.apply(change);
  }

  readBulk(position: number, target: Uint8Array): Promise<number> {
    return this.read(position, target);
  }

  writeBulk(position: number, bytes: Uint8Array): Promise<void> {
    return this.write(position, [bytes]);
  }

  async sync(): Promise<void> {
    const changes = this.#inode.pending.slice();
    await this.#disk.operation('sync', this.#path);
    for (const change of changes) this.#inode.synced.apply(change);
    this.#inode.pending.splice(0, changes.length);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#disk.operation();
    this.#inode.pending.push({ sizeBytes });
    this.#inode.current.apply({ sizeBytes });
  }

  async size(): Promise<number> {
    await this.#disk.operation();
    return this.#inode.current.bytes.length;
  }

  async close(): Promise<void> {
    assert(!this.#isClosed, () => `${this.#path} was closed twice`);
    this.#isClosed = true;
    await this.#disk.operation();
  }
}

export class CrashStore implements StateStore {
  entries = new Map<Key, Uint8Array>();
  readonly #disk: CrashDisk;
  #flushed = new Map<Key, Uint8Array>();
  #unflushed: StateChange[][] = [];

  constructor(disk: CrashDisk) {
    this.#disk = disk;
  }

  crash(disk: CrashDisk, choose: Choose): CrashStore {
    const survivor = new CrashStore(disk);
    const kept = this.#unflushed.slice(0, choose(this.#unflushed.length + 1));
    for (const entries of [survivor.entries, survivor.#flushed]) {
      for (const [key, value] of this.#flushed) entries.set(key, value);
      for (const changes of kept) applyChanges(entries, changes);
    }
    return survivor;
  }

  get(key: Key): Uint8Array | undefined {
    return this.entries.get(key);
  }

  load(key: Key): Uint8Array | undefined {
    return this.get(key);
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    const keys = [...this.entries.keys()].filter((key) => key >= start && key < end).sort();
    return keys.slice(0, limit).map((key) => ({ key, value: this.entries.get(key)! }));
  }

  async write(changes: Iterable<StateChange>): Promise<void> {
    if (this.#disk.isStopped) throw new Error('the machine has stopped');
    this.#disk.checkFault('write', 'state');
    const list = [...changes].map(({ key, value }) => ({ key, value: value?.slice() }));
    applyChanges(this.entries, list);
    this.#unflushed.push(list);
  }

  async flushed(): Promise<void> {
    const count = this.#unflushed.length;
    await this.#disk.operation();
    for (const changes of this.#unflushed.splice(0, count)) applyChanges(this.#flushed, changes);
  }

  sizeBytes(): number {
    return this.entries.size;
  }

  async close(): Promise<void> {}
}

function applyChanges(entries: Map<Key, Uint8Array>, changes: readonly StateChange[]): void {
  for (const { key, value } of changes) {
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  }
}

/** A clock that stands still until told otherwise. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};

/** Bytes that repeat for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed;
  const uint32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() >>> 24) };
}
