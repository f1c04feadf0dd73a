/** Calls on the bytes of files: whole ones, handles and streams. */
import { FsError, isFsError, LruMap } from '@cairnfs/base';
import { CreateMode, FileType, MasterMethods } from '@cairnfs/protocol';
import type { Deadline } from './call/deadline.ts';
import { unlessAborted } from './call/unless-aborted.ts';
import { CairnError, checkIsPath, naming, ofOpened } from './errors.ts';
import { FileHandle, type HandleParts } from './file-handle.ts';
import { parseFlags } from './flags.ts';
import { APPEND_TARGETS_MAX } from './limits.ts';
import { NamespaceCalls } from './namespace-calls.ts';
import type { CallOptions } from './options.ts';
import { endsInSlash } from './path.ts';
import { LocatedFile } from './read/located-file.ts';
import { readPieces } from './read/read-pieces.ts';
import { bufferOfFile } from './read/whole-file.ts';
import { Stats } from './stats.ts';
import { type Content, contentSource } from './write/content.ts';
import { type WriteTarget, writeTarget } from './write/mutations.ts';
import { type UploadOptions, uploadFile } from './write/upload.ts';
import { FRAME_BYTES, iterableSource, type UploadSource } from './write/upload-source.ts';

export type WriteFileOptions = UploadOptions & {
  readonly flag?: 'w' | 'wx' | 'a' | 'ax';
  readonly encoding?: BufferEncoding;
};

export class FileCalls extends NamespaceCalls {
  readonly #parts: HandleParts;
  readonly #appendTargets: LruMap<number, WriteTarget>;

  constructor(parts: HandleParts) {
    super(parts.calls);
    this.#parts = parts;
    this.#appendTargets = new LruMap({ entriesMax: APPEND_TARGETS_MAX });
  }

  // ---- Whole files ----

  /**
   * The whole file, as bytes or decoded by `encoding` (`'utf8'`, `'base64'`, ... as Buffer knows them).
   *
   * @throws CairnError ENOENT, EISDIR, EFBIG (more than a Buffer holds)
   */
  readFile(path: string, options: (CallOptions & { encoding: BufferEncoding }) | BufferEncoding): Promise<string>;
  readFile(path: string, options?: CallOptions & { encoding?: undefined }): Promise<Buffer>;
  readFile(
    path: string,
    optionsOrEncoding: (CallOptions & { encoding?: BufferEncoding | undefined }) | BufferEncoding = {},
  ): Promise<Buffer | string> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    return naming('open', path, async () => {
      if (endsInSlash(path)) await this.refuseAsFile(path, options);
      const deadline = this.#parts.calls.deadline(options);
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
    const file = new LocatedFile(this.#parts.calls, { path, inode: 0 });
    const { size = 0 } = await file.layout(0, Number.MAX_SAFE_INTEGER, deadline, true);
    const buffer = bufferOfFile(size);
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
        const made = exclusive ? (await this.open(path, 'ax', options.mode, options)).ino : undefined;
        await this.#append(path, data, options, made);
        return;
      }
      const source = contentSource(data, options.encoding);
      await this.store(path, source, { ...options, exclusive: options.exclusive === true || exclusive });
    });
  }

  /** As `writeFile`, from a source of frames. */
  store(path: string, source: UploadSource, options: UploadOptions = {}): Promise<Stats> {
    return naming('open', path, async () => {
      try {
        if (endsInSlash(path)) await this.refuseAsFile(path, { ...options, isCreating: true });
        return new Stats(await uploadFile(this.#parts.calls, path, source, options));
      } catch (error) {
        source.abandon?.();
        throw error;
      }
    });
  }

  /**
   * Makes the file when it is missing. In records of at most 1 MiB or a chunk, each whole and applied once; what comes piece by
   * piece is appended piece by piece, so when it fails, what came before is there.
   */
  appendFile(
    path: string,
    data: Content,
    optionsOrEncoding: (CallOptions & { encoding?: BufferEncoding }) | BufferEncoding = {},
  ): Promise<void> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    return this.#append(path, data, options, undefined);
  }

  /** @param made inode of the file, when no other is meant that the path leads to by now. */
  #append(
    path: string,
    data: Content,
    options: CallOptions & { encoding?: BufferEncoding | undefined },
    made: number | undefined,
  ): Promise<void> {
    return naming('append', path, async () => {
      const source = contentSource(data, options.encoding);
      try {
        if (endsInSlash(path)) await this.refuseAsFile(path, { ...options, isCreating: true });
        await this.#appendFrom(path, source, options, made);
      } catch (error) {
        source.abandon?.();
        throw error;
      }
    });
  }

  async #appendFrom(path: string, source: UploadSource, options: CallOptions, made: number | undefined): Promise<void> {
    const { calls, mutations } = this.#parts;
    const next = () => unlessAborted(source.next(FRAME_BYTES), options.signal);
    const first = await next();
    const deadline = calls.deadline(options);
    if (first === undefined) {
      if (made === undefined) await this.#openOrCreate(path, deadline);
      return;
    }
    const append = async (target: WriteTarget, bytes: Uint8Array) => {
      await mutations.appendAll(target, bytes, () => calls.deadline(options));
      return target;
    };
    const resolve = () => this.#openOrCreate(path, deadline);
    const begin = (opened: WriteTarget) => append(opened, first);
    const target = await (made === undefined
      ? this.#whileReplaced(deadline, resolve, begin)
      : ofOpened(() => begin(this.#appendTarget(made))));
    // What is appended to stays the same file, whatever the path leads to by now.
    for (let bytes = await next(); bytes !== undefined; bytes = await next()) {
      const following = bytes;
      await ofOpened(() => append(target, following));
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
      const isCreating = options.create === true;
      if (endsInSlash(path)) await this.refuseAsFile(path, { ...options, isCreating });
      // The path is resolved each time: it may lead to another file by now. A handle spares that.
      const deadline = this.#parts.calls.deadline(options);
      const resolve = () => (isCreating ? this.#openOrCreate(path, deadline) : this.#inodeOf(path, deadline));
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
    return (await this.#parts.calls.change(MasterMethods.create, request, deadline)).attributes!.inode;
  }

  async #inodeOf(path: string, deadline: Deadline): Promise<number> {
    return (await this.#parts.calls.call(MasterMethods.stat, { file: { path, inode: 0 } }, deadline)).attributes!.inode;
  }

  /**
   * Copies the content with mode, owner, group and replication; the copy appears at once, whole.
   *
   * @param options `exclusive`, or the flag `fs.constants.COPYFILE_EXCL`: fail with EEXIST when `to` is there.
   */
  async copyFile(
    from: string,
    to: string,
    options: (CallOptions & { exclusive?: boolean }) | number = {},
  ): Promise<void> {
    checkIsPath('copyfile', to);
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
      if (endsInSlash(path)) await this.refuseAsFile(path, { ...options, isCreating: wanted.create });
      const deadline = this.#parts.calls.deadline(options);
      const { inode, isNew } = await this.#resolve(path, { ...wanted, mode: mode ?? 0 }, deadline);
      if (wanted.truncate && !isNew) await this.#empty(inode, deadline);
      return new FileHandle(this.#parts, { path, inode }, wanted);
    });
  }

  async #empty(inode: number, deadline: Deadline): Promise<void> {
    try {
      await this.#parts.calls.change(MasterMethods.truncate, { file: { path: '', inode }, size: 0 }, deadline);
    } catch (error) {
      // Deleted or replaced since it was opened, as may happen to every open file: its handle will tell.
      if (!isFsError(error, 'NOT_FOUND')) throw error;
    }
  }

  async #resolve(
    path: string,
    { create, exclusive, mode }: { create: boolean; exclusive: boolean; mode: number },
    deadline: Deadline,
  ): Promise<{ inode: number; isNew: boolean }> {
    if (!create) {
      const { attributes } = await this.#parts.calls.call(MasterMethods.stat, { file: { path, inode: 0 } }, deadline);
      if (attributes!.type === FileType.FILE_TYPE_DIRECTORY)
        throw new FsError('IS_A_DIRECTORY', `'${path}' is a directory`);
      return { inode: attributes!.inode, isNew: false };
    }
    const createMode = exclusive ? CreateMode.CREATE_MODE_EXCLUSIVE : CreateMode.CREATE_MODE_OPEN;
    const request = { path, create: createMode, ...NO_WISH, mode, makeParents: false };
    const { attributes, created } = await this.#parts.calls.change(MasterMethods.create, request, deadline);
    return { inode: attributes!.inode, isNew: created };
  }

  /** The bytes of a range in order, read ahead; each piece is the caller's own. */
  readPieces(path: string, options: CallOptions & { start?: number; end?: number } = {}): AsyncGenerator<Uint8Array> {
    // An iteration fails when it begins, also over what is no path.
    if (typeof path !== 'string' || endsInSlash(path)) return this.#noPieces(path, options);
    const { start = 0 } = options;
    const end = Math.min(options.end ?? LAST_BYTE, LAST_BYTE);
    const file = new LocatedFile(this.#parts.calls, { path, inode: 0 });
    return readPieces(this.#parts.reader, file, {
      path,
      start,
      end,
      deadline: () => this.#parts.calls.deadline(options),
    });
  }

  async *#noPieces(path: string, options: CallOptions): AsyncGenerator<never> {
    await naming('open', path, () => this.refuseAsFile(path, options));
  }
}

/** Of the longest file there could be. */
const LAST_BYTE = Number.MAX_SAFE_INTEGER - 1;

const COPY_EXCLUSIVE = 1; // fs.constants.COPYFILE_EXCL

const NO_WISH = { mode: 0, owner: '', group: '', replication: 0 };

/** What a step failed with, for the operation that it is a step of to name. */
async function withoutPath<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw error instanceof CairnError && error.cause instanceof FsError ? error.cause : error;
  }
}
