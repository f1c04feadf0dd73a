/** Files of this machine. Paths are used as given. */
import { constants, open } from 'node:fs';
import { open as openHandle, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DiskDevice, DiskError, DiskFile, Disks, OpenMode } from '@cairnfs/base';
import { DeviceQueue, type OperationKind, PoolShares } from './device-queue.ts';
import { asDiskError, diskError } from './disk-error.ts';
import { takeLock } from './lock-file.ts';
import { makeDirectory } from './make-directory.ts';
import { RuntimeFile } from './runtime-file.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants;
const FLAGS: Record<OpenMode, number> = {
  read: O_RDONLY,
  readWrite: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
  openOrCreate: O_RDWR | O_CREAT,
};
const FILE_PERMISSIONS = 0o640;
const DIRECTORY_PERMISSIONS = 0o750;

export class RuntimeDisk implements Disks, DiskDevice {
  readonly #shares: PoolShares;
  readonly #queue: DeviceQueue;
  readonly #devices: RuntimeDisk[] = [];

  constructor(shares = new PoolShares()) {
    this.#shares = shares;
    this.#queue = new DeviceQueue(shares);
  }

  device(): RuntimeDisk {
    this.#shares.add();
    const device = new RuntimeDisk(this.#shares);
    this.#devices.push(device);
    return device;
  }

  /** Threads of this process wait for a device that was given up: it can end by a signal only. */
  get isHanging(): boolean {
    return this.#queue.isHanging || this.#devices.some(({ isHanging }) => isHanging);
  }

  tick(): number {
    return this.#queue.tick();
  }

  giveUp(error: DiskError): void {
    this.#queue.giveUp(error);
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#perform('outside', work);
  }

  /** A sync has the device write out its own cache, also when there is nothing new in it. */
  probe(directory: string): Promise<void> {
    return this.syncDirectory(directory);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      const queue = this.#queue;
      const begin = (slot: number): void => {
        open(path, FLAGS[mode], FILE_PERMISSIONS, (error, descriptor) => {
          queue.end(slot);
          if (error) reject(diskError('open', path, error));
          else resolve(new RuntimeFile(path, descriptor, queue));
        });
      };
      queue.begin('other', begin, reject);
    });
  }

  async list(directory: string): Promise<string[]> {
    return (await this.#perform('other', () => asDiskError('list', directory, readdir(directory)))).sort();
  }

  makeDirectory(path: string): Promise<void> {
    return this.#perform('other', () => asDiskError('creation', path, makeDirectory(path, DIRECTORY_PERMISSIONS)));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#perform('other', () => asDiskError('rename', from, rename(from, to)));
  }

  remove(path: string): Promise<void> {
    return this.#perform('other', () => asDiskError('removal', path, unlink(path)));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#perform('sync', async () => {
      const handle = await asDiskError('open', directory, openHandle(directory, O_RDONLY));
      try {
        await asDiskError('sync', directory, handle.sync());
      } finally {
        await handle.close();
      }
    });
  }

  stat(path: string): Promise<{ sizeBytes: number; modifiedWallMs: number } | undefined> {
    return this.#perform('other', async () => {
      try {
        const { size, mtimeMs } = await stat(path);
        return { sizeBytes: size, modifiedWallMs: mtimeMs };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw diskError('stat', path, error);
      }
    });
  }

  /** Free is what this user may fill: the share kept for the superuser does not count. */
  async space(path: string): Promise<{ totalBytes: number; freeBytes: number; fileSystem: string }> {
    const { bsize, blocks, bavail } = await this.#perform('other', () => asDiskError('statfs', path, statfs(path)));
    const { dev } = await this.#perform('other', () => asDiskError('stat', path, stat(path, { bigint: true })));
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize, fileSystem: String(dev) };
  }

  /** The steps of a lock are synchronous. A disk that hangs shows before them, where only a thread of the pool waits. */
  async lock(path: string): Promise<{ release(): Promise<void> }> {
    await this.syncDirectory(dirname(path));
    const lock = takeLock(path);
    return { release: async () => (this.#queue.failure === undefined ? lock.release() : undefined) };
  }

  #perform<T>(kind: OperationKind, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const begin = (slot: number): void => {
        work().then(
          (result) => {
            this.#queue.end(slot);
            resolve(result);
          },
          (error) => {
            this.#queue.end(slot);
            reject(error);
          },
        );
      };
      this.#queue.begin(kind, begin, reject);
    });
  }
}
