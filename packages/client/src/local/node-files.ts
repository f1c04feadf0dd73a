/** Local files, as uploads and downloads need them. */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { constants, write } from 'node:fs';
import { chmod, lstat, open, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory } from '@cairnfs/runtime';
import { followLinks } from './node-target.ts';

export interface LocalEntry {
  readonly path: string;
  /** Relative to where the walk began, with `/`; empty for the beginning itself. */
  readonly relative: string;
  readonly kind: 'file' | 'directory' | 'other' | 'unreadable';
  readonly sizeBytes: number;
  readonly mode: number;
  /** For `other` and `unreadable`: why it is left out. */
  readonly reason: string;
}

/** What the cluster stores of a local mode. */
export const STORED_MODE = 0o7777;
/**
 * What a fetched file or directory gets of it. Never the set-id and sticky bits: who fetches a file owns it, and with the
 * bits anybody who may store a program would have it run with the rights of whoever fetches it.
 */
const PERMISSIONS = 0o777;
/** What the owner of a directory needs to put something into it. */
const OWNER_ALL = 0o700;
const writeTo = promisify(write);

/**
 * Everything from `path` on, directories before what is in them. Symbolic links count as `other`, unless they are followed; so
 * does one that leads to a directory that it is in. What cannot be read below `path` is told as `unreadable`, and the walk
 * goes on: a file may vanish at any time.
 */
export function walkLocal(path: string, followLinks: boolean): AsyncGenerator<LocalEntry> {
  return walkBelow({ path, relative: '', followLinks, above: [] });
}

interface WalkStep {
  readonly path: string;
  readonly relative: string;
  readonly followLinks: boolean;
  /** Where the directories really are that it is in; only when links are followed. */
  readonly above: readonly string[];
}

async function* walkBelow({ path, relative, followLinks, above }: WalkStep): AsyncGenerator<LocalEntry> {
  let entry: LocalEntry;
  let names: Buffer[] = [];
  let within = above;
  try {
    entry = await entryAt(path, relative, followLinks);
    if (entry.kind === 'directory' && followLinks) {
      const real = await realpath(path);
      if (above.includes(real))
        return yield { ...entry, kind: 'other', reason: 'it leads to a directory that it is in' };
      within = [...above, real];
    }
  } catch (error) {
    return yield unreadable(path, relative, error);
  }
  yield entry;
  if (entry.kind !== 'directory') return;
  try {
    names = await readdir(path, { encoding: 'buffer' });
  } catch (error) {
    return yield unreadable(path, relative, error);
  }
  for (const bytes of names.sort(Buffer.compare)) {
    const name = bytes.toString();
    const below = { path: join(path, name), relative: relative === '' ? name : `${relative}/${name}` };
    if (isUtf8(bytes)) yield* walkBelow({ ...below, followLinks, above: within });
    else {
      const error = new Error('its name is not UTF-8, as all names in the cluster are');
      yield unreadable(below.path, below.relative, error);
    }
  }
}

async function entryAt(path: string, relative: string, followLinks: boolean): Promise<LocalEntry> {
  const stats = await (followLinks || relative === '' ? stat(path) : lstat(path));
  return {
    path,
    relative,
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    sizeBytes: stats.isFile() ? stats.size : 0,
    mode: stats.mode & STORED_MODE,
    reason: stats.isSymbolicLink() ? 'it is a symbolic link' : 'it is neither a file nor a directory',
  };
}

/** @throws `error`, when it is the beginning of the walk that cannot be read. */
function unreadable(path: string, relative: string, error: unknown): LocalEntry {
  if (relative === '') throw error;
  const { message } = error as Error;
  return { path, relative, kind: 'unreadable', sizeBytes: 0, mode: 0, reason: message };
}

/**
 * A directory of its own with these permissions, as far as the umask allows, and with those that it takes to fill it. One that
 * is there stays as it is.
 *
 * @returns  the mode that it is to have when all is in it, where it has another until then.
 */
export async function makeLocalDirectory(path: string, mode: number): Promise<number | undefined> {
  if ((await statOrUndefined(path))?.isDirectory() === true) return undefined;
  await makeDirectory(dirname(path));
  await makeDirectory(path, (mode & PERMISSIONS) | OWNER_ALL);
  // What the system made of it: with the umask, the lists of access and the group that the directory above hands on.
  const made = (await stat(path)).mode & STORED_MODE;
  if ((made & OWNER_ALL) !== OWNER_ALL) await chmod(path, made | OWNER_ALL);
  const final = made & ~(OWNER_ALL & ~mode);
  return final === (made | OWNER_ALL) ? undefined : final;
}

export interface LocalAttributes {
  /** As it is stored. */
  readonly mode: number;
  readonly modifiedMs: number;
}

/**
 * Writes a file beside its final name and moves it there at the end, so that a half one is never taken for whole. A link stays,
 * and the file that it names is replaced or created. What is there and is no file, a device or a pipe, is written to as it is:
 * nothing may ever take the place of `/dev/null`. An open descriptor is too, whatever it is open on: `/dev/stdout` may be a
 * file that others write to before and after. A file that is replaced hands on its own permissions, as if it were written to;
 * a new one gets those that are stored, as far as the umask allows.
 */
export async function writeLocal(
  target: string,
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
  attributes: LocalAttributes,
): Promise<void> {
  const present = await statOrUndefined(target);
  const { path, descriptor } = await followLinks(target);
  const isFile = present?.isFile() === true;
  const isReplaceable = present === undefined || isFile || present.isDirectory();
  if (isReplaceable && descriptor === undefined) return replaceLocal(path, present?.mode, pieces, onBytes, attributes);
  // To open a file again is to begin again at its first byte. Our own descriptor knows its place, and whether it appends; of
  // another's the end is all that is known to be free. Pipes and terminals have no place, and ours may be set not to wait.
  if (isFile && descriptor?.isOwn) return writePieces(descriptor.number, undefined, pieces, onBytes, target);
  const opened = await open(path, isFile ? constants.O_WRONLY | constants.O_APPEND : constants.O_WRONLY);
  try {
    await writePieces(opened.fd, undefined, pieces, onBytes, target);
  } finally {
    await opened.close();
  }
}

async function replaceLocal(
  target: string,
  presentMode: number | undefined,
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
  { mode, modifiedMs }: LocalAttributes,
): Promise<void> {
  const temporary = join(dirname(target), temporaryName(basename(target)));
  const permissions = (presentMode ?? mode) & PERMISSIONS;
  // The system takes off what the umask denies.
  const file = await open(temporary, 'wx', permissions);
  try {
    try {
      await writePieces(file.fd, 0, pieces, onBytes, target);
      if (presentMode !== undefined) await file.chmod(permissions);
    } finally {
      await file.close();
    }
    const modified = (modifiedMs + TIME_NUDGE_MS) / 1000;
    await utimes(temporary, modified, modified);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * A whole millisecond in seconds is most often no binary fraction, and Node cuts to microseconds: without this half of one
 * the file would be a microsecond older, and a millisecond when it is stored again.
 */
const TIME_NUDGE_MS = 0.0005;

/** With what surrounds it, within the 255 bytes that a name may have. */
const TEMPORARY_STEM_BYTES = 200;
const TEMPORARY_RANDOM_BYTES = 6;

/** No other download has it: not of a name that differs in its end alone, and not of another process or machine. */
function temporaryName(name: string): string {
  const stem = Buffer.from(name).subarray(0, TEMPORARY_STEM_BYTES).toString();
  return `.${stem}.${randomBytes(TEMPORARY_RANDOM_BYTES).toString('hex')}.part`;
}

async function statOrUndefined(path: string) {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** From `start` on; `undefined` is for what has no positions. */
async function writePieces(
  descriptor: number,
  start: number | undefined,
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
  target: string,
): Promise<void> {
  let position = start;
  for await (const piece of pieces) {
    await writeFully(descriptor, piece, position).catch((cause: NodeJS.ErrnoException) => {
      // The system's own words name no file, and a full disk here is not a full cluster.
      throw Object.assign(new Error(`${cause.message} to the local file '${target}'`, { cause }), { code: cause.code });
    });
    if (position !== undefined) position += piece.length;
    onBytes(piece.length);
  }
}

async function writeFully(descriptor: number, bytes: Uint8Array, position: number | undefined): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const at = position === undefined ? null : position + written;
    const { bytesWritten } = await writeTo(descriptor, bytes, written, bytes.length - written, at);
    written += bytesWritten;
  }
}
