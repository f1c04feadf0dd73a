/**
 * An exclusive lock for a data directory: a file that names its owner. Node offers no flock, so the kernel does not
 * release it when the owner dies; instead the file says enough to tell for certain whether the owner still lives:
 * its pid, when that process began (pids are used again), the boot it ran under and its pid namespace (containers
 * count pids on their own).
 *
 * The file appears with its content (written aside, synced, then linked), and stays: a release leaves it blank, and whoever finds it
 * blank or its owner dead writes over it in place. That needs no room, so a server comes back to delete on a disk that
 * others filled meanwhile. Only the holder of a second file, the empty takeover file, may write: so two that find the
 * same dead owner cannot both win. All steps are synchronous; a takeover lasts microseconds.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
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
    if (existsSync(path) || !create(path, owner)) takeOver(path, owner);
  } catch (error) {
    throw diskError('lock', path, error);
  }
  return {
    release: async () => {
      // Somebody may have removed the file by hand and started another server since.
      try {
        if (readOwner(path)?.token === owner.token) writeOver(path, '');
      } catch (error) {
        throw diskError('unlock', path, error);
      }
    },
  };
}

/** The file with its content at once, also after a power cut: no name without what it names. False when it exists. */
function create(path: string, owner: Owner): boolean {
  const draft = `${path}.${owner.token}`;
  try {
    const descriptor = openSync(draft, 'wx');
    try {
      writeFileSync(descriptor, JSON.stringify(owner));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
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
  checkFree(path);
  const takeoverPath = `${path}.takeover`;
  try {
    closeSync(openSync(takeoverPath, 'wx'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw busy(path, `another process is taking it over; if none is, remove ${takeoverPath}`);
  }
  try {
    // Looked at again: whoever held the takeover file before may have taken the lock.
    checkFree(path);
    writeOver(path, JSON.stringify(owner));
  } finally {
    unlinkSync(takeoverPath);
  }
}

/** As long as what was there, so that it takes no room: spaces behind the text mean nothing to whoever reads it. */
function writeOver(path: string, text: string): void {
  const descriptor = openSync(path, 'r+');
  try {
    writeSync(descriptor, text.padEnd(fstatSync(descriptor).size), 0);
  } finally {
    closeSync(descriptor);
  }
}

function removeIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Throws EBUSY unless it is certain that nobody holds it. */
function checkFree(path: string): void {
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

/** Undefined: nobody. Blank is what a release leaves, or power that failed once, before new files were synced. */
function readOwner(path: string): Owner | undefined {
  const text = readIfPresent(path)?.replaceAll('\0', ' ').trim() ?? '';
  if (text === '') return undefined;
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
