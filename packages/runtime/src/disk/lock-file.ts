/**
 * An exclusive lock for a data directory: a file that names its owner. Node offers no flock, so the kernel does not
 * release it when the owner dies; instead the file says enough to tell for certain whether the owner still lives:
 * its pid, when that process began (pids are used again), the boot it ran under and its pid namespace (containers
 * count pids on their own).
 *
 * The file appears whole or not at all (written aside, then linked), and only the holder of a second such file, the
 * takeover file, may remove a dead owner's: so two that find the same dead owner cannot both win. All steps are
 * synchronous; a takeover lasts microseconds. On a full disk, where no new content fits, a dead owner's file is written
 * over instead, under an empty takeover file: a server that was killed there must come back to delete.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DiskError } from '@cairnfs/base';
import { diskError } from './disk-error.ts';

interface Owner {
  pid: number;
  /** Clock ticks from boot to the start of the process, as /proc tells; '' where there is no /proc. */
  started: string;
  boot: string;
  pidNamespace: string;
  /** Tells apart locks of the same process. */
  token: string;
}

export function takeLock(path: string): { release(): Promise<void> } {
  const owner = describeSelf();
  try {
    claimOrTakeOver(path, owner);
  } catch (error) {
    throw diskError('lock', path, error);
  }
  return {
    release: async () => {
      // Somebody may have removed the file by hand and started another server since.
      try {
        if (readOwner(path)?.token === owner.token) unlinkSync(path);
      } catch (error) {
        throw diskError('unlock', path, error);
      }
    },
  };
}

function claimOrTakeOver(path: string, owner: Owner): void {
  try {
    if (claim(path, owner)) return;
    checkDead(path);
    takeOver(path, owner);
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    takeOverInPlace(path, owner, error);
  }
}

/** Creates the file with its content at once; false when it exists. */
function claim(path: string, owner: Owner): boolean {
  const draft = `${path}.${owner.token}`;
  try {
    writeFileSync(draft, JSON.stringify(owner), { flag: 'wx' });
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    removeIfPresent(draft);
  }
}

function takeOver(path: string, owner: Owner): void {
  const takeoverPath = `${path}.takeover`;
  if (!claim(takeoverPath, owner)) {
    throw busy(path, `another process is taking it over; if none is, remove ${takeoverPath}`);
  }
  try {
    // Looked at again: whoever held the takeover file before may have taken the lock.
    checkDead(path);
    if (readOwner(path) !== undefined) unlinkSync(path);
    if (!claim(path, owner)) throw busy(path, 'another process took it first');
  } finally {
    unlinkSync(takeoverPath);
  }
}

/** Needs no room: the takeover file is empty, and the content takes the place of the dead owner's. */
function takeOverInPlace(path: string, owner: Owner, cause: unknown): void {
  if (readOwner(path) === undefined) throw cause;
  checkDead(path);
  const takeoverPath = `${path}.takeover`;
  try {
    closeSync(openSync(takeoverPath, 'wx'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw busy(path, `another process is taking it over; if none is, remove ${takeoverPath}`);
  }
  try {
    checkDead(path);
    // As long as what was there: spaces behind the text mean nothing to whoever reads it.
    const text = JSON.stringify(owner).padEnd(statSync(path).size);
    const descriptor = openSync(path, 'r+');
    try {
      writeSync(descriptor, text, 0);
    } finally {
      closeSync(descriptor);
    }
  } finally {
    unlinkSync(takeoverPath);
  }
}

function removeIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Throws EBUSY unless it is certain that the owner is gone. */
function checkDead(path: string): void {
  const owner = readOwner(path);
  if (owner === undefined) return;
  const self = describeSelf();
  if (owner.boot !== self.boot) return;
  if (owner.pidNamespace !== self.pidNamespace) {
    throw busy(
      path,
      `process ${owner.pid} of another container holds it; when that container is gone, remove the file`,
    );
  }
  if (isAlive(owner)) throw busy(path, `process ${owner.pid} holds it; stop that server first`);
}

function isAlive({ pid, started }: Owner): boolean {
  if (started !== '') return processStart(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readOwner(path: string): Owner | undefined {
  const text = readIfPresent(path);
  if (text === undefined) return undefined;
  try {
    const { pid, started, boot, pidNamespace, token } = JSON.parse(text) as Owner;
    if (Number.isSafeInteger(pid) && [started, boot, pidNamespace, token].every((part) => typeof part === 'string')) {
      return { pid, started, boot, pidNamespace, token };
    }
  } catch (error) {
    throw busy(path, 'its content is damaged; when no server runs on this directory, remove the file', error);
  }
  throw busy(path, 'its content is damaged; when no server runs on this directory, remove the file');
}

function describeSelf(): Owner {
  return {
    pid: process.pid,
    started: processStart(process.pid),
    boot: readIfPresent('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    pidNamespace: pidNamespace(),
    token: randomUUID(),
  };
}

/**
 * Fields 3 (state) and 22 (start) of /proc/<pid>/stat, counted after the command name, which may hold spaces and
 * parentheses (proc(5)). '' for a process that is gone, or dead and only not yet waited for by its parent.
 */
function processStart(pid: number): string {
  const text = readIfPresent(`/proc/${pid}/stat`);
  if (text === undefined) return '';
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''; // not Linux
    throw error;
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function busy(path: string, reason: string, cause?: unknown): DiskError {
  return new DiskError('EBUSY', path, `The lock ${path} is not free: ${reason}.`, cause);
}
