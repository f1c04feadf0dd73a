/** Calls on names: directories, moving and removing, attributes (GFS §4.1). None of them touches a byte of a file but `truncate`. */
import { FsError, isFsError } from '@cairnfs/base';
import { type Attributes, FileType, MasterMethods, type SetAttributesRequest } from '@cairnfs/protocol';
import type { MasterCalls } from './call/master-calls.ts';
import { checkIsPath, naming } from './errors.ts';
import { LIST_PAGE_ENTRIES } from './limits.ts';
import type { CallOptions } from './options.ts';
import { endsInSlash, joinPath, parentPath, withoutSlash } from './path.ts';
import { DirectoryEntry, Stats } from './stats.ts';

export interface ListPage {
  readonly entries: readonly DirectoryEntry[];
  /** Empty at the end. */
  readonly nextCursor: string;
}

export class NamespaceCalls {
  readonly #calls: MasterCalls;

  constructor(calls: MasterCalls) {
    this.#calls = calls;
  }

  // ---- Directories ----

  /** One page of a directory, in order of name. */
  list(
    path: string,
    options: CallOptions & { cursor?: string; prefix?: string; limit?: number; withAttributes?: boolean } = {},
  ): Promise<ListPage> {
    return naming('scandir', path, async () => {
      const { cursor = '', prefix = '', limit = LIST_PAGE_ENTRIES, withAttributes = false } = options;
      const request = { directory: { path: withoutSlash(path), inode: 0 }, cursor, prefix, limit, withAttributes };
      const reply = await this.#calls.call(MasterMethods.list, request, this.#calls.deadline(options));
      return { entries: reply.entries.map((entry) => new DirectoryEntry(entry, path)), nextCursor: reply.nextCursor };
    });
  }

  /** Every entry, page by page. */
  async *opendir(
    path: string,
    options: CallOptions & { withAttributes?: boolean } = {},
  ): AsyncGenerator<DirectoryEntry> {
    let cursor = '';
    do {
      const page = await this.list(path, { ...options, cursor });
      yield* page.entries;
      cursor = page.nextCursor;
    } while (cursor !== '');
  }

  readdir(path: string, options: CallOptions & { withFileTypes: true; recursive?: boolean }): Promise<DirectoryEntry[]>;
  readdir(path: string, options?: CallOptions & { withFileTypes?: false; recursive?: boolean }): Promise<string[]>;
  async readdir(
    path: string,
    options: CallOptions & { withFileTypes?: boolean; recursive?: boolean } = {},
  ): Promise<string[] | DirectoryEntry[]> {
    checkIsPath('scandir', path);
    const entries: DirectoryEntry[] = [];
    const directories = [path];
    for (let directory = directories.shift(); directory !== undefined; directory = directories.shift()) {
      for await (const entry of this.opendir(directory, options)) {
        entries.push(entry);
        if (options.recursive && entry.isDirectory()) directories.push(joinPath(directory, entry.name));
      }
    }
    if (options.withFileTypes) return entries;
    const base = joinPath(path, '');
    return entries.map((entry) => joinPath(entry.parentPath, entry.name).slice(base.length));
  }

  /**
   * @param options `recursive` makes missing parents too, and is content when the directory exists; `mode`: permission bits.
   * @returns with `recursive` the first directory that was made, undefined when there was none to make; as in `node:fs`.
   * @throws CairnError EEXIST, ENOENT (a parent), ENOTDIR
   */
  mkdir(path: string, options: CallOptions & { recursive: true; mode?: number }): Promise<string | undefined>;
  mkdir(path: string, options?: CallOptions & { recursive?: boolean; mode?: number }): Promise<string | undefined>;
  mkdir(
    named: string,
    options: CallOptions & { recursive?: boolean; mode?: number } = {},
  ): Promise<string | undefined> {
    return naming('mkdir', named, async () => {
      const path = withoutSlash(named);
      const parents = options.recursive === true;
      const missing = parents ? await this.#firstMissing(path, options) : undefined;
      const request = { path, parents, mode: options.mode ?? 0, owner: '', group: '' };
      const { created } = await this.#calls.change(MasterMethods.makeDirectory, request, this.#calls.deadline(options));
      return parents && created ? (missing ?? path) : undefined;
    });
  }

  /** The directory farthest up that `path` needs and that is not there. */
  async #firstMissing(path: string, options: CallOptions): Promise<string | undefined> {
    let missing: string | undefined;
    for (let at = path; at !== '' && !(await this.#isThere(at, options)); at = at.slice(0, at.lastIndexOf('/')))
      missing = at;
    return missing;
  }

  /**
   * Atomic; replaces a file, or an empty directory, that has the name.
   *
   * @param options `noReplace`: fail with EEXIST instead.
   * @throws CairnError ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL (a directory into itself); `dest` names `to`
   */
  async rename(from: string, to: string, options: CallOptions & { noReplace?: boolean } = {}): Promise<void> {
    checkIsPath('rename', to);
    const work = async () => {
      // A slash at either end is a promise that a directory is moved.
      if (endsInSlash(to)) await this.#attributesOf(joinPath(parentPath(to), ''), options);
      if (endsInSlash(from) || endsInSlash(to)) await this.#attributesOf(joinPath(from, ''), options);
      const request = { from: withoutSlash(from), to: withoutSlash(to), noReplace: options.noReplace === true };
      await this.#calls.change(MasterMethods.rename, request, this.#calls.deadline(options));
    };
    return naming('rename', from, work, to);
  }

  /**
   * Into /.trash, from where `rename` restores; `skipTrash` deletes for good.
   *
   * @returns where in the trash it is; empty when it was deleted for good, or, with `force`, was not there.
   */
  async rm(
    path: string,
    options: CallOptions & { recursive?: boolean; force?: boolean; skipTrash?: boolean } = {},
  ): Promise<{ trashPath: string }> {
    checkIsPath('rm', path);
    try {
      const type = endsInSlash(path) ? FileType.FILE_TYPE_DIRECTORY : FileType.FILE_TYPE_UNSPECIFIED;
      return { trashPath: await this.#remove('rm', path, type, options) };
    } catch (error) {
      if (!(options.force && isFsError(error, 'NOT_FOUND'))) throw error;
      return { trashPath: '' };
    }
  }

  async unlink(path: string, options: CallOptions & { skipTrash?: boolean } = {}): Promise<void> {
    await this.#remove('unlink', path, FileType.FILE_TYPE_FILE, options);
  }

  async rmdir(path: string, options: CallOptions & { skipTrash?: boolean } = {}): Promise<void> {
    await this.#remove('rmdir', path, FileType.FILE_TYPE_DIRECTORY, options);
  }

  #remove(
    syscall: string,
    path: string,
    expectedType: FileType,
    options: CallOptions & { recursive?: boolean; skipTrash?: boolean },
  ): Promise<string> {
    return naming(syscall, path, async () => {
      if (expectedType === FileType.FILE_TYPE_FILE && endsInSlash(path)) await this.refuseAsFile(path, options);
      const request = {
        path: withoutSlash(path),
        recursive: options.recursive === true,
        skipTrash: options.skipTrash === true,
        expectedType,
      };
      return (await this.#calls.change(MasterMethods.delete, request, this.#calls.deadline(options))).trashPath;
    });
  }

  // ---- Attributes ----

  stat(path: string, options: CallOptions = {}): Promise<Stats> {
    return naming('stat', path, async () => new Stats(await this.#attributesOf(path, options)));
  }

  /** @throws FsError NOT_A_DIRECTORY  also of a file under a path that ends in a slash. */
  async #attributesOf(path: string, options: CallOptions): Promise<Attributes> {
    const request = { file: { path: withoutSlash(path), inode: 0 } };
    const { attributes } = await this.#calls.call(MasterMethods.stat, request, this.#calls.deadline(options));
    if (endsInSlash(path) && attributes!.type !== FileType.FILE_TYPE_DIRECTORY) {
      throw new FsError('NOT_A_DIRECTORY', `'${path}' is a file: the slash at the end is for directories`);
    }
    return attributes!;
  }

  /**
   * A path that ends in a slash cannot be a file's: fails with what is wrong with it.
   *
   * @param options `isCreating`: the file would have been made when it is missing.
   * @throws FsError IS_A_DIRECTORY, NOT_FOUND, NOT_A_DIRECTORY; as `node:fs` does on Linux
   */
  protected async refuseAsFile(path: string, options: CallOptions & { isCreating?: boolean }): Promise<never> {
    const { isCreating = false, ...call } = options;
    await this.#attributesOf(isCreating ? joinPath(parentPath(path), '') : path, call);
    throw new FsError('IS_A_DIRECTORY', `'${path}' ends in a slash: that is for directories`);
  }

  /** The path as the protocol has it, of what may be a file or a directory. @throws FsError NOT_A_DIRECTORY */
  protected async plainPath(path: string, options: CallOptions): Promise<string> {
    if (endsInSlash(path)) await this.#attributesOf(path, options);
    return withoutSlash(path);
  }

  exists(path: string, options: CallOptions = {}): Promise<boolean> {
    return naming('stat', path, () => this.#isThere(path, options));
  }

  async #isThere(path: string, options: CallOptions): Promise<boolean> {
    try {
      await this.#attributesOf(path, options);
      return true;
    } catch (error) {
      if (isFsError(error, 'NOT_FOUND', 'NOT_A_DIRECTORY')) return false;
      throw error;
    }
  }

  async access(path: string, options: CallOptions = {}): Promise<void> {
    await this.stat(path, options);
  }

  truncate(path: string, size = 0, options: CallOptions = {}): Promise<void> {
    return naming('truncate', path, async () => {
      if (endsInSlash(path)) await this.refuseAsFile(path, options);
      const request = { file: { path, inode: 0 }, size };
      await this.#calls.change(MasterMethods.truncate, request, this.#calls.deadline(options));
    });
  }

  /** Seconds since the epoch, or dates, as in `node:fs`. */
  utimes(path: string, atime: number | Date, mtime: number | Date, options: CallOptions = {}): Promise<void> {
    return this.#set('utime', path, { accessedMs: toMs(atime), modifiedMs: toMs(mtime) }, options);
  }

  chmod(path: string, mode: number, options: CallOptions = {}): Promise<void> {
    return this.#set('chmod', path, { mode }, options);
  }

  chown(path: string, owner: string, group: string, options: CallOptions = {}): Promise<void> {
    return this.#set('chown', path, { owner, group }, options);
  }

  setReplication(path: string, replication: number, options: CallOptions = {}): Promise<void> {
    return this.#set('setReplication', path, { replication }, options);
  }

  async getxattr(path: string, name: string, options: CallOptions = {}): Promise<Uint8Array> {
    const { xattrs } = await this.stat(path, options);
    const value = Object.hasOwn(xattrs, name) ? xattrs[name] : undefined;
    if (value !== undefined) return value;
    return naming('getxattr', path, () =>
      Promise.reject(new FsError('NO_ATTRIBUTE', `there is no attribute '${name}'`)),
    );
  }

  async listxattr(path: string, options: CallOptions = {}): Promise<string[]> {
    return Object.keys((await this.stat(path, options)).xattrs).sort();
  }

  setxattr(path: string, name: string, value: Uint8Array, options: CallOptions = {}): Promise<void> {
    return this.#set('setxattr', path, { setXattrs: { [name]: value } }, options);
  }

  removexattr(path: string, name: string, options: CallOptions = {}): Promise<void> {
    return this.#set('removexattr', path, { removeXattrs: [name] }, options);
  }

  #set(syscall: string, path: string, change: Partial<SetAttributesRequest>, options: CallOptions): Promise<void> {
    return naming(syscall, path, async () => {
      const file = { path: await this.plainPath(path, options), inode: 0 };
      const request = { ...NO_CHANGE, file, ...change };
      await this.#calls.change(MasterMethods.setAttributes, request, this.#calls.deadline(options));
    });
  }
}

const NO_CHANGE = {
  mode: undefined,
  owner: undefined,
  group: undefined,
  modifiedMs: undefined,
  accessedMs: undefined,
  replication: undefined,
  setXattrs: {},
  removeXattrs: [],
};

/** Seconds have no exact place for most milliseconds: within this of a whole one, that one is meant. */
const EXACT_WITHIN_MS = 0.0005;

/** Down: what is copied must not come out newer than it was. */
function toMs(time: number | Date): number {
  return Math.max(0, Math.floor(typeof time === 'number' ? time * 1000 + EXACT_WITHIN_MS : time.getTime()));
}
