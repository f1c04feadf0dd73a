/** The disk seam of one process over its host's disks. Every operation takes effect at once, when it completes. */
import { assert, type DiskDevice, DiskError, type DiskFile, type Disks, type OpenMode } from '@cairnfs/base';
import type { SimProcess } from '../process.ts';
import { PendingOperations } from './pending-operations.ts';
import { type DiskOperation, directoryOf, type SimDisk } from './sim-disk.ts';
import type { SimFile } from './sim-file.ts';

export class ProcessDisk implements Disks, DiskDevice {
  readonly #disk: SimDisk;
  readonly #pending: PendingOperations;
  readonly #process: SimProcess;
  readonly #wallMs: () => number;

  constructor(disk: SimDisk, process: SimProcess, wallMs: () => number) {
    this.#disk = disk;
    this.#process = process;
    this.#wallMs = wallMs;
    this.#pending = new PendingOperations(process);
  }

  device(): ProcessDisk {
    return new ProcessDisk(this.#disk, this.#process, this.#wallMs);
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#pending.settleAs(work);
  }

  probe(directory: string): Promise<void> {
    return this.#disk.isHanging(directory) ? this.#pending.never() : Promise.resolve();
  }

  tick(): number {
    return this.#pending.tick();
  }

  giveUp(error: DiskError): void {
    this.#pending.giveUp(error);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#perform('metadata', path, () => {
      let file = this.#disk.files.get(path);
      if (file !== undefined && mode === 'create') throw new DiskError('EEXIST', path, `${path} exists`);
      if (file === undefined) {
        if (mode === 'read' || mode === 'readWrite') throw new DiskError('ENOENT', path, `there is no file ${path}`);
        if (this.#disk.directories.has(path)) throw new DiskError('EISDIR', path, `${path} is a directory`);
        this.#checkDirectory(directoryOf(path));
        file = this.#disk.create(path);
        file.modifiedWallMs = this.#wallMs();
      }
      return new ProcessFile({
        path,
        file,
        isWritable: mode !== 'read',
        perform: this.#perform,
        disk: this.#disk,
        wallMs: this.#wallMs,
      });
    });
  }

  list(directory: string): Promise<string[]> {
    const list = () => {
      this.#checkDirectory(directory);
      return this.#disk.list(directory);
    };
    // The start of a server lists hundreds: of a disk in order that is over in no time.
    const isSlow = this.#disk.timing.slowness > 1;
    return isSlow ? this.#perform('metadata', directory, list) : this.#performAtOnce(directory, list);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#performAtOnce(path, () => {
      for (let at = path; !this.#disk.directories.has(at); at = directoryOf(at)) {
        if (this.#disk.files.has(at)) throw new DiskError('ENOTDIR', at, `${at} is a file`);
        this.#disk.makeDirectory(at);
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#perform('metadata', from, () => {
      this.#checkDirectory(directoryOf(to));
      this.#disk.rename(from, to);
    });
  }

  remove(path: string): Promise<void> {
    return this.#perform('metadata', path, () => this.#disk.remove(path));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#perform('sync', directory, () => {
      this.#checkDirectory(directory);
      this.#disk.syncDirectory(directory);
    });
  }

  stat(path: string): Promise<{ sizeBytes: number; modifiedWallMs: number } | undefined> {
    return this.#perform('metadata', path, () => {
      const file = this.#disk.files.get(path);
      if (file !== undefined) return { sizeBytes: file.sizeBytes, modifiedWallMs: file.modifiedWallMs };
      return this.#disk.directories.has(path) ? { sizeBytes: 0, modifiedWallMs: 0 } : undefined;
    });
  }

  space(path: string): Promise<{ totalBytes: number; freeBytes: number }> {
    return this.#perform('metadata', path, () => this.#disk.space(path));
  }

  lock(path: string): Promise<{ release(): Promise<void> }> {
    return this.#perform('metadata', path, () => {
      this.#checkDirectory(directoryOf(path));
      if (this.#disk.locks.get(path)?.alive) {
        throw new DiskError('EBUSY', path, `${path} is locked by another live process`);
      }
      // Not the process itself: a lock may be released and taken again by the same one.
      const process = this.#process;
      const holder = {
        released: false,
        get alive() {
          return process.alive && !this.released;
        },
      };
      this.#disk.locks.set(path, holder);
      return {
        release: async () => {
          // A file is removed, which a disk that takes no changes refuses.
          if (this.#pending.failure === undefined) this.#disk.check('metadata', path);
          holder.released = true;
        },
      };
    });
  }

  readonly #perform: Perform = (operation, path, effect) => {
    if (operation === 'write' || operation === 'sync') this.#process.passes(operation);
    const isHanging = (): boolean => this.#disk.isHanging(path);
    return this.#pending.settleLater(this.#disk.delayMs(operation), isHanging, () => {
      this.#disk.check(operation, path);
      const result = effect();
      if (operation === 'sync') this.#process.passes('synced');
      return result;
    });
  };

  /** For what a kernel does in memory, and servers do hundreds of times in a row when they start. */
  #performAtOnce<T>(path: string, effect: () => T): Promise<T> {
    if (!this.#process.alive) return new Promise(() => {});
    if (this.#pending.failure !== undefined || this.#disk.isHanging(path)) return this.#pending.never();
    try {
      this.#disk.check('metadata', path);
      return Promise.resolve(effect());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #checkDirectory(directory: string): void {
    if (this.#disk.directories.has(directory)) return;
    throw new DiskError('ENOENT', directory, `there is no directory ${directory}`);
  }
}

type Perform = <T>(operation: DiskOperation, path: string, effect: () => T) => Promise<T>;

class ProcessFile implements DiskFile {
  readonly #path: string;
  readonly #file: SimFile;
  readonly #isWritable: boolean;
  readonly #perform: Perform;
  readonly #disk: SimDisk;
  readonly #wallMs: () => number;
  #closed = false;

  constructor(options: {
    path: string;
    file: SimFile;
    isWritable: boolean;
    perform: Perform;
    disk: SimDisk;
    wallMs: () => number;
  }) {
    this.#path = options.path;
    this.#file = options.file;
    this.#isWritable = options.isWritable;
    this.#perform = options.perform;
    this.#disk = options.disk;
    this.#wallMs = options.wallMs;
  }

  read(position: number, target: Uint8Array): Promise<number> {
    this.#checkOpen();
    return this.#perform('read', this.#path, () => this.#file.read(position, target));
  }

  write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    return this.#perform('write', this.#path, () => {
      this.#checkWritable();
      // Taken when the write completes: a caller that changes its buffers too early is found out.
      let length = 0;
      for (const bytes of buffers) length += bytes.length;
      const growth = Math.max(0, position + length - this.#file.sizeBytes);
      if (growth > 0 && !this.#disk.hasRoom(this.#path, growth)) {
        throw new DiskError('ENOSPC', this.#path, `write of ${length} bytes to ${this.#path}: the disk is full`);
      }
      if (length > 0) this.#file.write(position, buffers, length);
      this.#file.modifiedWallMs = this.#wallMs();
    });
  }

  readBulk(position: number, target: Uint8Array): Promise<number> {
    return this.read(position, target);
  }

  writeBulk(position: number, bytes: Uint8Array): Promise<void> {
    return this.write(position, [bytes]);
  }

  sync(): Promise<void> {
    this.#checkOpen();
    const changeCount = this.#file.changeCount;
    return this.#perform('sync', this.#path, () => this.#file.syncedThrough(changeCount)).catch((error) => {
      this.#file.breakSync();
      throw error;
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    this.#checkOpen();
    return this.#perform('write', this.#path, () => {
      this.#checkWritable();
      this.#file.truncate(sizeBytes);
      this.#file.modifiedWallMs = this.#wallMs();
    });
  }

  size(): Promise<number> {
    this.#checkOpen();
    return this.#perform('metadata', this.#path, () => this.#file.sizeBytes);
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#closed = true;
  }

  #checkOpen(): void {
    assert(!this.#closed, () => `${this.#path} used after its close`);
  }

  #checkWritable(): void {
    if (!this.#isWritable) throw new DiskError('EBADF', this.#path, `${this.#path} is open for reading only`);
  }
}
