/** Files of this machine. Paths are used as given. */
import { constants, open } from 'node:fs';
import { open as openHandle, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import type { Disk, DiskFile, OpenMode } from '@cairnfs/base';
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

export class RuntimeDisk implements Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      open(path, FLAGS[mode], FILE_PERMISSIONS, (error, descriptor) => {
        if (error) reject(diskError('open', path, error));
        else resolve(new RuntimeFile(path, descriptor));
      });
    });
  }

  async list(directory: string): Promise<string[]> {
    return (await asDiskError('list', directory, readdir(directory))).sort();
  }

  async makeDirectory(path: string): Promise<void> {
    await asDiskError('creation', path, makeDirectory(path, DIRECTORY_PERMISSIONS));
  }

  rename(from: string, to: string): Promise<void> {
    return asDiskError('rename', from, rename(from, to));
  }

  remove(path: string): Promise<void> {
    return asDiskError('removal', path, unlink(path));
  }

  async syncDirectory(directory: string): Promise<void> {
    const handle = await asDiskError('open', directory, openHandle(directory, O_RDONLY));
    try {
      await asDiskError('sync', directory, handle.sync());
    } finally {
      await handle.close();
    }
  }

  async stat(path: string): Promise<{ sizeBytes: number; modifiedWallMs: number } | undefined> {
    try {
      const { size, mtimeMs } = await stat(path);
      return { sizeBytes: size, modifiedWallMs: mtimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw diskError('stat', path, error);
    }
  }

  /** Free is what this user may fill: the share kept for the superuser does not count. */
  async space(path: string): Promise<{ totalBytes: number; freeBytes: number }> {
    const { bsize, blocks, bavail } = await asDiskError('statfs', path, statfs(path));
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  async lock(path: string): Promise<{ release(): Promise<void> }> {
    return takeLock(path);
  }
}
