/** The SDK's front: files of a cluster, in the manner of `node:fs/promises`. */
import { FsError, isFsError, LruMap } from '@cairnfs/base';
import {
  type CheckReply,
  ChunkserverDataMethods,
  CreateMode,
  createRpcPool,
  FileType,
  FRAME_DATA_BYTES_MAX,
  type GetClusterPressureReply,
  type GetClusterStatusReply,
  MasterMethods,
  type RepairStatus,
  ReplicaState,
  type RpcPool,
  type SetAttributesRequest,
  verifyData,
} from '@cairnfs/protocol';
import type { Deadline } from './call/deadline.ts';
import { MasterCalls } from './call/master-calls.ts';
import { CairnError, naming } from './errors.ts';
import { FileHandle, type HandleParts } from './file-handle.ts';
import { parseFlags } from './flags.ts';
import { APPEND_TARGETS_MAX, DATA_ATTEMPT_MS, LIST_PAGE_ENTRIES } from './limits.ts';
import type { CallOptions, ClientOptions, ClientSeams } from './options.ts';
import { FileReader } from './read/file-reader.ts';
import { LocatedFile } from './read/located-file.ts';
import { readPieces } from './read/read-pieces.ts';
import { ReplicaReader } from './read/replica-reader.ts';
import { DirectoryEntry, Stats } from './stats.ts';
import { type Content, contentSource, gather } from './write/content.ts';
import { Mutations, type WriteTarget, writeTarget } from './write/mutations.ts';
import { type UploadOptions, uploadFile } from './write/upload.ts';
import { iterableSource, type UploadSource } from './write/upload-source.ts';

export type ClusterStatus = GetClusterStatusReply & { readonly repair: RepairStatus };
export type ClusterPressure = GetClusterPressureReply;
export type CheckPage = CheckReply;

export interface LocatedReplica {
  readonly serverId: number;
  readonly address: string;
  readonly state: 'live' | 'unreachable' | 'missing' | 'corrupt' | 'copying';
}

export interface LocatedChunk {
  /** In the file. */
  readonly offset: number;
  readonly length: number;
  readonly handle: string;
  readonly version: number;
  readonly open: boolean;
  /** Of mutations, up to which the chunk holds all; undefined while it is open. */
  readonly sequence: number | undefined;
  /** The first is the primary while the chunk is open. */
  readonly replicas: readonly LocatedReplica[];
}

export type WriteFileOptions = UploadOptions & {
  readonly flag?: 'w' | 'wx' | 'a' | 'ax';
  readonly encoding?: BufferEncoding;
};

export interface ListPage {
  readonly entries: readonly DirectoryEntry[];
  /** Empty at the end. */
  readonly nextCursor: string;
}

const REPLICA_STATES: Readonly<Record<number, LocatedReplica['state']>> = {
  [ReplicaState.REPLICA_STATE_LIVE]: 'live',
  [ReplicaState.REPLICA_STATE_UNREACHABLE]: 'unreachable',
  [ReplicaState.REPLICA_STATE_MISSING]: 'missing',
  [ReplicaState.REPLICA_STATE_CORRUPT]: 'corrupt',
  [ReplicaState.REPLICA_STATE_COPYING]: 'copying',
};

export class CairnClient {
  readonly #pool: RpcPool;
  readonly #calls: MasterCalls;
  readonly #parts: HandleParts;
  readonly #replicas: ReplicaReader;
  readonly #appendTargets: LruMap<number, WriteTarget>;

  constructor(seams: ClientSeams, options: ClientOptions) {
    if (options.masters.length === 0)
      throw new FsError('INVALID_ARGUMENT', 'no master was named: give at least one host:port');
    this.#pool = createRpcPool(seams);
    this.#calls = new MasterCalls(seams, this.#pool, options);
    this.#replicas = new ReplicaReader(seams, this.#pool);
    const reader = new FileReader(this.#replicas);
    this.#parts = { calls: this.#calls, reader, mutations: new Mutations(this.#calls) };
    this.#appendTargets = new LruMap({ entriesMax: APPEND_TARGETS_MAX });
  }

  /** Ends all connections; what is under way fails with CANCELLED. */
  async close(): Promise<void> {
    this.#calls.close();
  }

  // ---- Whole files ----

  /**
   * The whole file, as bytes or decoded by `encoding` (`'utf8'`, `'base64'`, ... as Buffer knows them).
   *
   * @throws CairnError ENOENT, EISDIR
   */
  readFile(path: string, options: (CallOptions & { encoding: BufferEncoding }) | BufferEncoding): Promise<string>;
  readFile(path: string, options?: CallOptions & { encoding?: undefined }): Promise<Buffer>;
  readFile(
    path: string,
    optionsOrEncoding: (CallOptions & { encoding?: BufferEncoding | undefined }) | BufferEncoding = {},
  ): Promise<Buffer | string> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    return naming('open', path, async () => {
      const deadline = this.#calls.deadline(options);
      for (let attempt = 1; ; attempt += 1) {
        try {
          const bytes = await this.#readWhole(path, deadline);
          return options.encoding === undefined ? bytes : bytes.toString(options.encoding);
        } catch (error) {
          // Replaced while it was being read: the new file is as good, but only as a whole.
          if (!isFsError(error, 'STALE_HANDLE')) throw error;
          await deadline.pause(attempt, error);
        }
      }
    });
  }

  async #readWhole(path: string, deadline: Deadline): Promise<Buffer> {
    const file = new LocatedFile(this.#calls, { path, inode: 0 });
    const { size = 0 } = await file.layout(0, Number.MAX_SAFE_INTEGER, deadline, true);
    const buffer = Buffer.alloc(size);
    const length = size === 0 ? 0 : await this.#parts.reader.read(file, 0, buffer, deadline);
    return buffer.subarray(0, length);
  }

  /**
   * Replaces the file at once, or makes it: readers see the old content or the new, never a part. It is durable when the
   * promise resolves.
   *
   * @param data text, a buffer, or an iterable or stream of those; unchanged until the promise settles.
   * @param optionsOrEncoding `flag`: 'w' (the default), 'wx' (EEXIST when the file is there), 'a' or 'ax' (append, not
   *   atomic beyond a record); `mode`, `owner`, `group`, `replication` of the new file; `encoding` of text.
   * @throws CairnError EEXIST, EISDIR, ENOENT (the directory), ENOSPC, EINVAL
   */
  writeFile(path: string, data: Content, optionsOrEncoding: WriteFileOptions | BufferEncoding = {}): Promise<void> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    return naming('open', path, async () => {
      const { append, exclusive } = parseFlags(options.flag ?? 'w');
      if (append) {
        if (exclusive) await (await this.open(path, 'ax', options.mode, options)).close();
        await this.appendFile(path, data, options);
        return;
      }
      const source = contentSource(data, options.encoding);
      await this.store(path, source, { ...options, exclusive: options.exclusive === true || exclusive });
    });
  }

  /** As `writeFile`, from a source of frames. */
  store(path: string, source: UploadSource, options: UploadOptions = {}): Promise<Stats> {
    return naming('open', path, async () => new Stats(await uploadFile(this.#calls, path, source, options)));
  }

  /** Makes the file when it is missing. In records of at most 1 MiB or a chunk, each whole and applied once. */
  async appendFile(
    path: string,
    data: Content,
    optionsOrEncoding: (CallOptions & { encoding?: BufferEncoding }) | BufferEncoding = {},
  ): Promise<void> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    const bytes = await naming('append', path, () => gather(data, options.encoding));
    if (bytes.length === 0) await (await this.open(path, 'a', undefined, options)).close();
    else {
      await naming('append', path, async () => {
        const deadline = this.#calls.deadline(options);
        await this.#whileReplaced(
          deadline,
          () => this.#openOrCreate(path, deadline),
          (target) => this.#parts.mutations.appendAll(target, bytes, () => this.#calls.deadline(options)),
        );
      });
    }
  }

  /**
   * Appends one record atomically at an offset the primary chooses, exactly once however often it is retried.
   *
   * @param bytes 1 byte to 1 MiB; unchanged until the promise settles.
   * @returns the record's offset in the file.
   * @see GFS §3.3; docs/spec/mutations.md
   */
  appendRecord(
    path: string,
    bytes: Uint8Array,
    options: CallOptions & { create?: boolean } = {},
  ): Promise<{ offset: number }> {
    return naming('append', path, async () => {
      // The path is resolved each time: it may lead to another file by now. A handle spares that.
      const deadline = this.#calls.deadline(options);
      const resolve = () =>
        options.create === true ? this.#openOrCreate(path, deadline) : this.#inodeOf(path, deadline);
      const offset = await this.#whileReplaced(deadline, resolve, (target) =>
        this.#parts.mutations.append(target, bytes, deadline),
      );
      return { offset };
    });
  }

  /** Appends by path: where the file was replaced after the path was resolved, nothing was appended, and the next one takes it. */
  async #whileReplaced<T>(
    deadline: Deadline,
    resolve: () => Promise<number>,
    append: (target: WriteTarget) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const target = this.#appendTarget(await resolve());
      try {
        return await append(target);
      } catch (error) {
        if (!isFsError(error, 'NOT_FOUND')) throw error;
        await deadline.pause(attempt, error);
      }
    }
  }

  #appendTarget(inode: number): WriteTarget {
    const target = this.#appendTargets.get(inode) ?? writeTarget(inode);
    this.#appendTargets.set(inode, target);
    return target;
  }

  async #openOrCreate(path: string, deadline: Deadline): Promise<number> {
    const request = { path, create: CreateMode.CREATE_MODE_OPEN, ...NO_WISH, makeParents: false };
    return (await this.#calls.change(MasterMethods.create, request, deadline)).attributes!.inode;
  }

  async #inodeOf(path: string, deadline: Deadline): Promise<number> {
    return (await this.#calls.call(MasterMethods.stat, { file: { path, inode: 0 } }, deadline)).attributes!.inode;
  }

  /**
   * Copies the content with mode, owner, group and replication; the copy appears at once, whole.
   *
   * @param options `exclusive`, or the flag `fs.constants.COPYFILE_EXCL`: fail with EEXIST when `to` is there.
   */
  copyFile(from: string, to: string, options: (CallOptions & { exclusive?: boolean }) | number = {}): Promise<void> {
    const isFlag = typeof options === 'number';
    const exclusive = isFlag ? (options & COPY_EXCLUSIVE) !== 0 : options.exclusive === true;
    const call: CallOptions = isFlag ? {} : options;
    return naming(
      'copyfile',
      from,
      async () => {
        const stats = await withoutPath(this.stat(from, call));
        if (stats.isDirectory()) throw new FsError('IS_A_DIRECTORY', `'${from}' is a directory`);
        const source = iterableSource(this.readPieces(from, call));
        const { mode, owner, group, replication } = stats;
        await withoutPath(this.store(to, source, { ...call, exclusive, mode, owner, group, replication }));
      },
      to,
    );
  }

  // ---- Handles and streams ----

  /**
   * @param flags  as in `node:fs`: a word such as 'r', 'r+', 'wx', 'a+', or the sum of `fs.constants.O_*`.
   * @param mode  permission bits of a file that is made.
   * @throws CairnError ENOENT, EEXIST (with `x`), EISDIR, EINVAL
   */
  open(path: string, flags: string | number = 'r', mode?: number, options: CallOptions = {}): Promise<FileHandle> {
    return naming('open', path, async () => {
      const wanted = parseFlags(flags);
      const deadline = this.#calls.deadline(options);
      const inode = await this.#resolve(path, { ...wanted, mode: mode ?? 0 }, deadline);
      const handle = new FileHandle(this.#parts, { path, inode }, wanted);
      if (wanted.truncate) {
        await this.#calls.change(MasterMethods.truncate, { file: { path: '', inode }, size: 0 }, deadline);
      }
      return handle;
    });
  }

  async #resolve(
    path: string,
    { create, exclusive, mode }: { create: boolean; exclusive: boolean; mode: number },
    deadline: Deadline,
  ): Promise<number> {
    if (!create) {
      const { attributes } = await this.#calls.call(MasterMethods.stat, { file: { path, inode: 0 } }, deadline);
      if (attributes!.type === FileType.FILE_TYPE_DIRECTORY)
        throw new FsError('IS_A_DIRECTORY', `'${path}' is a directory`);
      return attributes!.inode;
    }
    const createMode = exclusive ? CreateMode.CREATE_MODE_EXCLUSIVE : CreateMode.CREATE_MODE_OPEN;
    const request = { path, create: createMode, ...NO_WISH, mode, makeParents: false };
    return (await this.#calls.change(MasterMethods.create, request, deadline)).attributes!.inode;
  }

  /** The bytes of a range in order, read ahead; each piece is the caller's own. */
  readPieces(path: string, options: CallOptions & { start?: number; end?: number } = {}): AsyncGenerator<Uint8Array> {
    const { start = 0, end = Number.MAX_SAFE_INTEGER - 1 } = options;
    const file = new LocatedFile(this.#calls, { path, inode: 0 });
    return readPieces(this.#parts.reader, file, { path, start, end, deadline: () => this.#calls.deadline(options) });
  }

  // ---- Directories ----

  /** One page of a directory, in order of name. */
  list(
    path: string,
    options: CallOptions & { cursor?: string; prefix?: string; limit?: number; withAttributes?: boolean } = {},
  ): Promise<ListPage> {
    return naming('scandir', path, async () => {
      const { cursor = '', prefix = '', limit = LIST_PAGE_ENTRIES, withAttributes = false } = options;
      const request = { directory: { path, inode: 0 }, cursor, prefix, limit, withAttributes };
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
    const entries: DirectoryEntry[] = [];
    const directories = [path];
    for (let directory = directories.shift(); directory !== undefined; directory = directories.shift()) {
      for await (const entry of this.opendir(directory, options)) {
        entries.push(entry);
        if (options.recursive && entry.isDirectory()) directories.push(join(directory, entry.name));
      }
    }
    if (options.withFileTypes) return entries;
    const base = path === '/' ? '/' : `${path}/`;
    return entries.map((entry) => join(entry.parentPath, entry.name).slice(base.length));
  }

  /**
   * @param options `recursive` makes missing parents too, and is content when the directory exists; `mode`: permission bits.
   * @returns with `recursive` the first directory that was made, undefined when there was none to make; as in `node:fs`.
   * @throws CairnError EEXIST, ENOENT (a parent), ENOTDIR
   */
  mkdir(path: string, options: CallOptions & { recursive: true; mode?: number }): Promise<string | undefined>;
  mkdir(path: string, options?: CallOptions & { recursive?: boolean; mode?: number }): Promise<string | undefined>;
  mkdir(path: string, options: CallOptions & { recursive?: boolean; mode?: number } = {}): Promise<string | undefined> {
    return naming('mkdir', path, async () => {
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
    for (let at = path; at !== '' && !(await this.exists(at, options)); at = at.slice(0, at.lastIndexOf('/')))
      missing = at;
    return missing;
  }

  /**
   * Atomic; replaces a file, or an empty directory, that has the name.
   *
   * @param options `noReplace`: fail with EEXIST instead.
   * @throws CairnError ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL (a directory into itself); `dest` names `to`
   */
  rename(from: string, to: string, options: CallOptions & { noReplace?: boolean } = {}): Promise<void> {
    const work = async () => {
      const request = { from, to, noReplace: options.noReplace === true };
      await this.#calls.change(MasterMethods.rename, request, this.#calls.deadline(options));
    };
    return naming('rename', from, work, to);
  }

  /** Into /.trash, from where `rename` restores; `skipTrash` deletes for good. */
  async rm(
    path: string,
    options: CallOptions & { recursive?: boolean; force?: boolean; skipTrash?: boolean } = {},
  ): Promise<void> {
    try {
      await this.#remove('rm', path, FileType.FILE_TYPE_UNSPECIFIED, options);
    } catch (error) {
      if (!(options.force && isFsError(error, 'NOT_FOUND'))) throw error;
    }
  }

  unlink(path: string, options: CallOptions & { skipTrash?: boolean } = {}): Promise<void> {
    return this.#remove('unlink', path, FileType.FILE_TYPE_FILE, options);
  }

  rmdir(path: string, options: CallOptions & { skipTrash?: boolean } = {}): Promise<void> {
    return this.#remove('rmdir', path, FileType.FILE_TYPE_DIRECTORY, options);
  }

  #remove(
    syscall: string,
    path: string,
    expectedType: FileType,
    options: CallOptions & { recursive?: boolean; skipTrash?: boolean },
  ): Promise<void> {
    return naming(syscall, path, async () => {
      const request = {
        path,
        recursive: options.recursive === true,
        skipTrash: options.skipTrash === true,
        expectedType,
      };
      await this.#calls.change(MasterMethods.delete, request, this.#calls.deadline(options));
    });
  }

  // ---- Attributes ----

  stat(path: string, options: CallOptions = {}): Promise<Stats> {
    return naming('stat', path, async () => {
      const request = { file: { path, inode: 0 } };
      const reply = await this.#calls.call(MasterMethods.stat, request, this.#calls.deadline(options));
      return new Stats(reply.attributes!);
    });
  }

  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
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
      const request = { ...NO_CHANGE, file: { path, inode: 0 }, ...change };
      await this.#calls.change(MasterMethods.setAttributes, request, this.#calls.deadline(options));
    });
  }

  // ---- The cluster ----

  async clusterStatus(options: CallOptions = {}): Promise<ClusterStatus> {
    const status = await this.#calls.call(MasterMethods.getClusterStatus, {}, this.#calls.deadline(options));
    if (status.repair === undefined) throw new FsError('BAD_FRAME', 'the master told nothing of repair');
    return { ...status, repair: status.repair };
  }

  clusterPressure(options: CallOptions = {}): Promise<ClusterPressure> {
    return this.#calls.call(MasterMethods.getClusterPressure, {}, this.#calls.deadline(options));
  }

  /** A read-only verdict over everything below `path`, page by page. */
  async *check(path: string, options: CallOptions = {}): AsyncGenerator<CheckPage> {
    let cursor = '';
    do {
      const request = { path, cursor, limit: 0 };
      const page = await naming('check', path, () =>
        this.#calls.call(MasterMethods.check, request, this.#calls.deadline(options)),
      );
      yield page;
      cursor = page.nextCursor;
    } while (cursor !== '');
  }

  /** The chunks of a file and where their replicas are. */
  locate(path: string, options: CallOptions = {}): Promise<{ size: number; chunks: LocatedChunk[] }> {
    return naming('locate', path, async () => {
      const file = new LocatedFile(this.#calls, { path, inode: 0 });
      const layout = await file.layout(0, Number.MAX_SAFE_INTEGER, this.#calls.deadline(options), true);
      const chunks = layout.segments.flatMap(({ extent, length }): LocatedChunk[] => {
        if (extent?.chunk === undefined) return [];
        const { handle, version, open, sequence } = extent.chunk;
        const replicas = extent.chunk.replicas.map(({ serverId, address, state }) => {
          return { serverId, address, state: REPLICA_STATES[state] ?? ('unreachable' as const) };
        });
        return [{ offset: extent.offset, length, handle, version, open, sequence, replicas }];
      });
      return { size: layout.size ?? 0, chunks };
    });
  }

  /** The bytes of one copy, from that server and no other. */
  async *readReplica(chunk: LocatedChunk, address: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < chunk.length; ) {
      const length = Math.min(FRAME_DATA_BYTES_MAX, chunk.length - offset);
      const request = {
        handle: chunk.handle,
        version: chunk.version,
        offset,
        length,
        knownLength: chunk.open ? 0 : chunk.length,
        knownSequence: chunk.sequence,
      };
      const call = { timeoutMs: DATA_ATTEMPT_MS, signal: options.signal };
      const { data } = await this.#pool.channel(address).call(ChunkserverDataMethods.readChunk, request, call);
      if (data === undefined || data.bytes.length === 0) return;
      verifyData(data);
      const bytes = data.bytes.slice();
      data.memory.release();
      yield bytes;
      offset += bytes.length;
    }
  }
}

/** The core, over any seams; `connect` of `@cairnfs/client/node` wires the real ones. */
export function createClient(seams: ClientSeams, options: ClientOptions): CairnClient {
  return new CairnClient(seams, options);
}

const COPY_EXCLUSIVE = 1; // fs.constants.COPYFILE_EXCL

const NO_WISH = { mode: 0, owner: '', group: '', replication: 0 };

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

/** What a step failed with, for the operation that it is a step of to name. */
async function withoutPath<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw error instanceof CairnError && error.cause instanceof FsError ? error.cause : error;
  }
}

function toMs(time: number | Date): number {
  return Math.max(0, Math.round(typeof time === 'number' ? time * 1000 : time.getTime()));
}

function join(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}
