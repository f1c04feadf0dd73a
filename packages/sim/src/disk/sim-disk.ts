/**
 * The disks of one simulated host: they outlive its processes. Directory entries follow the same rule as content: what
 * was created, renamed or removed survives a crash for certain only after `syncDirectory`. Directories themselves are
 * durable at once.
 */
import { assert, DiskError, GiB } from '@cairnfs/base';
import { Memory } from '../memory.ts';
import type { SimRandom } from '../random.ts';
import { StorePlatter } from '../state/store-platter.ts';
import { SimFile, type UnsyncedFate } from './sim-file.ts';

export type DiskOperation = 'read' | 'write' | 'sync' | 'metadata';

/** Faults under a path prefix, until `repair`. */
export interface DiskFault {
  readonly prefix: string;
  /** Undefined: all of them. */
  readonly operation?: DiskOperation;
  readonly code: 'EIO' | 'ENOSPC' | 'EROFS' | 'EMFILE';
}

export interface DiskTiming {
  readMs: readonly [low: number, high: number];
  writeMs: readonly [low: number, high: number];
  syncMs: readonly [low: number, high: number];
  /** Multiplies all of them: a disk about to die. */
  slowness: number;
}

/** A creation or rename (`to` names `file`), a rename away or a removal (`from` is gone); not yet durable. */
interface EntryChange {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly file: SimFile;
}

export class SimDisk {
  readonly random: SimRandom;
  readonly timing: DiskTiming = { readMs: [0.02, 0.2], writeMs: [0.01, 0.1], syncMs: [0.2, 3], slowness: 1 };
  readonly files = new Map<string, SimFile>();
  readonly directories = new Set<string>(['/', '']);
  /** Lock files and what holds them; the holder says whether it still lives. */
  readonly locks = new Map<string, { alive: boolean }>();
  readonly #memory: Memory;
  readonly #stores = new Map<string, StorePlatter>();
  readonly #durableEntries = new Map<string, SimFile>();
  #entryChanges: EntryChange[] = [];
  #faults: DiskFault[] = [];
  /** Where nothing answers. */
  readonly #hanging = new Set<{ readonly prefix: string; readonly heldBack: () => void }>();
  readonly #capacities = new Map<string, number>();
  /** Names in each directory; undefined when much changed since it was made. */
  #names: Map<string, Set<string>> | undefined;
  /** Room was set by a test, and may run out. */
  #isLimited = false;

  constructor(random: SimRandom, memory = new Memory()) {
    this.random = random;
    this.#memory = memory;
    this.#capacities.set('', GiB);
  }

  /** Gives the paths under `prefix` a file system of their own with so much room. The one of `''` holds all others. */
  setCapacity(prefix: string, totalBytes: number): void {
    this.#capacities.set(prefix, totalBytes);
    this.#isLimited = true;
  }

  hasRoom(path: string, growthBytes: number): boolean {
    return !this.#isLimited || growthBytes <= this.space(path).freeBytes;
  }

  makeDirectory(path: string): void {
    this.directories.add(path);
    this.#named(path);
  }

  /** Names of the files and directories in it, sorted. */
  list(directory: string): string[] {
    this.#names ??= this.#namesByDirectory();
    return [...(this.#names.get(directory) ?? [])].sort();
  }

  #namesByDirectory(): Map<string, Set<string>> {
    const names = new Map<string, Set<string>>();
    for (const paths of [this.files.keys(), this.directories.values()]) {
      for (const path of paths) addName(names, path);
    }
    return names;
  }

  #named(path: string): void {
    if (this.#names !== undefined) addName(this.#names, path);
  }

  #unnamed(path: string): void {
    if (this.directories.has(path)) return;
    const directory = directoryOf(path);
    this.#names?.get(directory)?.delete(nameIn(directory, path));
  }

  break(fault: DiskFault): void {
    this.#faults.push(fault);
  }

  /**
   * Operations under `prefix` are not answered any more, those under way as well.
   *
   * @param heldBack runs for each that would have been answered, or asks for the state of the disk, meanwhile.
   * @returns what ends it. What was not answered by then never is.
   */
  hang(prefix: string, heldBack: () => void = () => {}): () => void {
    const hanging = { prefix, heldBack };
    this.#hanging.add(hanging);
    return () => this.#hanging.delete(hanging);
  }

  isHanging(path: string): boolean {
    if (this.#hanging.size === 0) return false;
    const hanging = [...this.#hanging].filter(({ prefix }) => isWithin(path, prefix));
    for (const { heldBack } of hanging) heldBack();
    return hanging.length > 0;
  }

  /** Ends one fault. */
  mend(fault: DiskFault): void {
    this.#faults = this.#faults.filter((other) => other !== fault);
  }

  /** An empty disk in place of the one that held everything under `prefix`. The host must run no process. */
  wipe(prefix: string): void {
    this.#names = undefined;
    for (const paths of [this.files, this.#durableEntries, this.#stores]) {
      for (const path of [...paths.keys()]) if (isWithin(path, prefix)) paths.delete(path);
    }
    for (const path of [...this.directories])
      if (path !== '' && path !== '/' && isWithin(path, prefix)) this.directories.delete(path);
    this.#entryChanges = this.#entryChanges.filter(
      ({ from, to }) => ![from, to].some((path) => path !== undefined && isWithin(path, prefix)),
    );
  }

  /** Ends all faults under `prefix`. What they lost stays lost. */
  repair(prefix = ''): void {
    this.#faults = this.#faults.filter((fault) => !fault.prefix.startsWith(prefix));
    for (const hanging of this.#hanging) if (hanging.prefix.startsWith(prefix)) this.#hanging.delete(hanging);
  }

  /** Flips one bit of a file's content; a random one when `bitIndex` is absent. */
  flipBit(path: string, bitIndex?: number): void {
    const file = this.files.get(path);
    assert(file !== undefined && file.sizeBytes > 0, () => `no content to damage at ${path}`);
    file.flipBit(bitIndex ?? this.random.between(0, file.sizeBytes * 8 - 1));
  }

  /** The machine lost power, or (`keep`) the process alone died: then the kernel still holds all that was written. */
  crash(fate: UnsyncedFate): void {
    if (fate !== 'keep') {
      const keptCount = fate === 'lose' ? 0 : this.random.between(0, this.#entryChanges.length);
      this.#makeDurable(this.#entryChanges.slice(0, keptCount));
      this.#names = undefined;
      this.files.clear();
      for (const [path, file] of this.#durableEntries) this.files.set(path, file);
      this.#entryChanges = [];
    }
    for (const file of new Set(this.files.values())) file.crash(fate, this.random);
    for (const platter of this.#stores.values()) platter.crash(fate, this.random);
  }

  /** @throws DiskError as a fault says. */
  check(operation: DiskOperation, path: string): void {
    for (const fault of this.#faults) {
      if (!isWithin(path, fault.prefix) || (fault.operation ?? operation) !== operation) continue;
      throw new DiskError(fault.code, path, `${operation} of ${path}: ${fault.code} (injected)`);
    }
  }

  /** How long an operation takes this time. */
  delayMs(operation: DiskOperation): number {
    const { readMs, writeMs, syncMs, slowness } = this.timing;
    const [low, high] = operation === 'sync' ? syncMs : operation === 'read' ? readMs : writeMs;
    return this.random.uniform(low, high) * slowness;
  }

  space(path: string): { totalBytes: number; freeBytes: number } {
    let prefix = '';
    for (const candidate of this.#capacities.keys()) {
      if (path.startsWith(candidate) && candidate.length > prefix.length) prefix = candidate;
    }
    let usedBytes = 0;
    for (const [filePath, file] of this.files) if (filePath.startsWith(prefix)) usedBytes += file.sizeBytes;
    for (const [directory, platter] of this.#stores) if (directory.startsWith(prefix)) usedBytes += platter.sizeBytes;
    const totalBytes = this.#capacities.get(prefix)!;
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes) };
  }

  create(path: string): SimFile {
    const file = new SimFile(this.#memory);
    this.#named(path);
    this.files.set(path, file);
    this.#entryChanges.push({ from: undefined, to: path, file });
    return file;
  }

  rename(from: string, to: string): void {
    const file = this.files.get(from);
    if (file === undefined) throw new DiskError('ENOENT', from, `rename of ${from}: there is no such file`);
    if (from === to) return;
    this.files.delete(from);
    this.files.set(to, file);
    this.#unnamed(from);
    this.#named(to);
    this.#entryChanges.push({ from, to, file });
  }

  remove(path: string): void {
    const file = this.files.get(path);
    if (file === undefined) throw new DiskError('ENOENT', path, `removal of ${path}: there is no such file`);
    this.files.delete(path);
    this.#unnamed(path);
    this.#entryChanges.push({ from: path, to: undefined, file });
  }

  syncDirectory(directory: string): void {
    // Backwards: what touches the directory, and whatever earlier change those build on.
    const paths = new Set<string>();
    const durable: EntryChange[] = [];
    const rest: EntryChange[] = [];
    for (const change of this.#entryChanges.toReversed()) {
      const touched = [change.from, change.to].filter((path) => path !== undefined);
      if (touched.some((path) => directoryOf(path) === directory || paths.has(path))) {
        for (const path of touched) paths.add(path);
        durable.unshift(change);
      } else {
        rest.unshift(change);
      }
    }
    this.#makeDurable(durable);
    this.#entryChanges = rest;
  }

  /** State stores, by directory. */
  get stores(): ReadonlyMap<string, StorePlatter> {
    return this.#stores;
  }

  store(directory: string): StorePlatter {
    let platter = this.#stores.get(directory);
    if (platter === undefined) {
      platter = new StorePlatter(this.#memory);
      this.#stores.set(directory, platter);
      this.makeDirectory(directory);
    }
    return platter;
  }

  #makeDurable(changes: readonly EntryChange[]): void {
    for (const { from, to, file } of changes) {
      if (from !== undefined) this.#durableEntries.delete(from);
      if (to !== undefined) this.#durableEntries.set(to, file);
    }
  }
}

/** Whole path components, so that `disk` does not hold what is in `disk2`. */
function isWithin(path: string, prefix: string): boolean {
  if (prefix === '' || path === prefix) return true;
  return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}

function addName(names: Map<string, Set<string>>, path: string): void {
  const directory = directoryOf(path);
  const name = nameIn(directory, path);
  if (name === '') return;
  const others = names.get(directory);
  if (others === undefined) names.set(directory, new Set([name]));
  else others.add(name);
}

function nameIn(directory: string, path: string): string {
  return path.slice(directory.length).replace('/', '');
}

export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? path.slice(0, slash + 1) : path.slice(0, slash);
}
