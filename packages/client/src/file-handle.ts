/** An open file, in the manner of `fs.FileHandle`. */
import { FsError } from '@cairnfs/base';
import { MasterMethods } from '@cairnfs/protocol';
import type { MasterCalls } from './call/master-calls.ts';
import { naming, ofOpened } from './errors.ts';
import type { CallOptions } from './options.ts';
import type { FileReader } from './read/file-reader.ts';
import { LocatedFile } from './read/located-file.ts';
import { bufferOfFile } from './read/whole-file.ts';
import { Stats } from './stats.ts';
import { ChangeOrder, type Span } from './write/change-order.ts';
import { type Appended, type Mutations, type WriteTarget, writeTarget } from './write/mutations.ts';

export interface HandleParts {
  readonly calls: MasterCalls;
  readonly reader: FileReader;
  readonly mutations: Mutations;
}

export interface HandleRights {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
}

/**
 * One open file. It stays the same file when its path is renamed; when the file is deleted for good or replaced, the handle
 * reads what it still can of it or fails with ESTALE, and never touches what has the path now. Every method takes `signal` and
 * `timeoutMs`; every error carries `code`, `syscall` and `path`.
 */
export class FileHandle {
  readonly path: string;
  readonly #parts: HandleParts;
  readonly #rights: HandleRights;
  readonly #located: LocatedFile;
  readonly #target: WriteTarget;
  readonly #inode: number;
  readonly #order = new ChangeOrder();
  #position = 0;
  #isClosed = false;

  constructor(parts: HandleParts, file: { path: string; inode: number }, rights: HandleRights) {
    this.path = file.path;
    this.#parts = parts;
    this.#rights = rights;
    this.#inode = file.inode;
    this.#located = new LocatedFile(parts.calls, { path: '', inode: file.inode });
    this.#target = writeTarget(file.inode);
  }

  get ino(): number {
    return this.#inode;
  }

  /**
   * Reads into `buffer` from its byte `offset` on, at most `length` bytes.
   *
   * @param position byte of the file; null or absent reads on from where the last read or write without a position ended.
   * @returns fewer bytes than asked only at the end of the file, 0 behind it.
   * @throws CairnError EBADF (closed, or not opened for reading), EINVAL (outside the buffer), ESTALE (the file is gone)
   */
  async read<T extends Uint8Array>(
    buffer: T,
    offset: number | null = 0,
    length: number | null = buffer.length - (offset ?? 0),
    position: number | null = null,
    options: CallOptions = {},
  ): Promise<{ bytesRead: number; buffer: T }> {
    return naming('read', this.path, async () => {
      this.#check(this.#rights.read, 'reading');
      const target = rangeOf(buffer, offset ?? 0, length ?? buffer.length - (offset ?? 0));
      const { reader, calls } = this.#parts;
      const at = positionOf(position) ?? this.#position;
      const bytesRead = await reader.read(this.#located, at, target, calls.deadline(options));
      if (position === null) this.#position = at + bytesRead;
      return { bytesRead, buffer };
    });
  }

  /** The whole file, wherever the position is, as bytes or decoded. */
  readFile(options: (CallOptions & { encoding: BufferEncoding }) | BufferEncoding): Promise<string>;
  readFile(options?: CallOptions & { encoding?: undefined }): Promise<Buffer>;
  async readFile(
    optionsOrEncoding: (CallOptions & { encoding?: BufferEncoding | undefined }) | BufferEncoding = {},
  ): Promise<Buffer | string> {
    const options = typeof optionsOrEncoding === 'string' ? { encoding: optionsOrEncoding } : optionsOrEncoding;
    const { size } = await this.stat(options);
    const buffer = bufferOfFile(size);
    const { bytesRead } = await this.read(buffer, 0, size, 0, options);
    const bytes = buffer.subarray(0, bytesRead);
    return options.encoding === undefined ? bytes : bytes.toString(options.encoding);
  }

  /**
   * Writes `length` bytes of `buffer` from its byte `offset` on; durable when it resolves. With the flag `a`, `position` is
   * ignored and the bytes go to the end, in records of at most 1 MiB or a chunk. Writes that overlap, of one handle, are applied
   * in the order of their calls, awaited or not. A write of more than 1 MiB is not atomic: when it fails, any part of it may
   * be there.
   *
   * @param buffer unchanged until the promise settles.
   * @param position byte of the file; null or absent writes on from where the last read or write without one ended.
   * @throws CairnError EBADF (closed, or not opened for writing), EINVAL, ENOSPC, ESTALE (the file is gone)
   */
  async write<T extends Uint8Array>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | null,
    options?: CallOptions,
  ): Promise<{ bytesWritten: number; buffer: T }>;
  /** Writes text as UTF-8, or in `encoding`. */
  async write(
    text: string,
    position?: number | null,
    encoding?: BufferEncoding | null,
  ): Promise<{ bytesWritten: number; buffer: string }>;
  async write(
    data: Uint8Array | string,
    offsetOrPosition?: number | null,
    lengthOrEncoding?: number | string | null,
    position: number | null = null,
    options: CallOptions = {},
  ): Promise<{ bytesWritten: number; buffer: Uint8Array | string }> {
    if (typeof data === 'string') {
      const bytes = Buffer.from(data, (lengthOrEncoding as BufferEncoding | null | undefined) ?? 'utf8');
      await this.#write(() => bytes, offsetOrPosition ?? null, options);
      return { bytesWritten: bytes.length, buffer: data };
    }
    const offset = offsetOrPosition ?? 0;
    const length = (lengthOrEncoding as number | null | undefined) ?? data.length - offset;
    await this.#write(() => rangeOf(data, offset, length), position, options);
    return { bytesWritten: length, buffer: data };
  }

  #write(content: () => Uint8Array, position: number | null, options: CallOptions): Promise<void> {
    return naming('write', this.path, async () => {
      this.#check(this.#rights.write, 'writing');
      const bytes = content();
      if (this.#rights.append) {
        const appended = await this.appendFile(bytes, options);
        this.#position = appended?.end ?? this.#position;
        return;
      }
      // Taken at once, so that writes that are not awaited go one behind the other.
      const at = positionOf(position) ?? this.#position;
      const end = at + bytes.length;
      if (position === null) this.#position = end;
      const write = () =>
        this.#parts.mutations.write(this.#target, at, bytes, () => this.#parts.calls.deadline(options));
      try {
        await this.#change('write', { kind: 'write', start: at, end }, options, write);
      } catch (error) {
        // What comes next goes where this one did not, unless another went on behind it.
        if (position === null && this.#position === end) this.#position = at;
        throw error;
      }
    });
  }

  /** Writes all of `data` from the position on, which moves behind it; what lies behind that stays, as in `node:fs`. */
  async writeFile(data: Uint8Array | string, options: CallOptions = {}): Promise<void> {
    await this.#write(() => (typeof data === 'string' ? Buffer.from(data) : data), null, options);
  }

  /** Appends at the end of the file, exactly once, in records that are each whole; answers where, unless there is nothing. */
  async appendFile(data: Uint8Array | string, options: CallOptions = {}): Promise<Appended | undefined> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const { calls, mutations } = this.#parts;
    return this.#change('append', { kind: 'append' }, options, () =>
      mutations.appendAll(this.#target, bytes, () => calls.deadline(options)),
    );
  }

  /** Appends one record of 1 byte to 1 MiB, whole and exactly once; answers where it is. */
  appendRecord(bytes: Uint8Array, options: CallOptions = {}): Promise<{ offset: number }> {
    return this.#change('append', { kind: 'append' }, options, async () => {
      return { offset: await this.#parts.mutations.append(this.#target, bytes, this.#parts.calls.deadline(options)) };
    });
  }

  /** Cuts the file at `size` bytes, or extends it with zeros; after all writes called before it, before all called later. */
  truncate(size = 0, options: CallOptions = {}): Promise<void> {
    return this.#change('ftruncate', { kind: 'cut' }, options, async () => {
      const { calls } = this.#parts;
      const request = { file: { path: '', inode: this.#inode }, size };
      await calls.change(MasterMethods.truncate, request, calls.deadline(options));
      this.#located.forget();
      this.#target.tail = undefined;
      this.#target.recent = undefined;
    });
  }

  /** Also while the file is being written: size and times are those of the last acknowledged write. */
  stat(options: CallOptions = {}): Promise<Stats> {
    return naming('fstat', this.path, async () => {
      this.#check();
      const { calls } = this.#parts;
      const request = { file: { path: '', inode: this.#inode } };
      const reply = await ofOpened(() => calls.call(MasterMethods.stat, request, calls.deadline(options)));
      return new Stats(reply.attributes!);
    });
  }

  /** Waits for every write under way; each was durable when its own promise resolved. */
  sync(): Promise<void> {
    return naming('fsync', this.path, async () => {
      this.#check();
      await this.#order.idle();
    });
  }

  /** As `sync`. */
  datasync(): Promise<void> {
    return this.sync();
  }

  /** Waits for the writes under way; the handle takes no more. Closing twice is fine. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#order.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #change<T>(syscall: string, span: Span, { signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    return naming(syscall, this.path, async () => {
      this.#check(this.#rights.write, 'writing');
      return this.#order.run(span, signal, () => ofOpened(work));
    });
  }

  #check(right = true, what = ''): void {
    if (this.#isClosed) throw new FsError('BAD_HANDLE', 'the file handle is closed');
    if (!right) throw new FsError('BAD_HANDLE', `the file was not opened for ${what}`);
  }
}

/** @throws FsError INVALID_ARGUMENT  the range lies outside the buffer. */
function rangeOf(buffer: Uint8Array, offset: number, length: number): Uint8Array {
  const isInside = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0;
  if (!isInside || offset + length > buffer.length) {
    throw new FsError('INVALID_ARGUMENT', `${length} bytes from ${offset} on of a buffer of ${buffer.length} bytes`);
  }
  return buffer.subarray(offset, offset + length);
}

/** @throws FsError INVALID_ARGUMENT  it is no byte of a file. */
function positionOf(position: number | null): number | null {
  if (position === null || (Number.isSafeInteger(position) && position >= 0)) return position;
  throw new FsError('INVALID_ARGUMENT', `position ${position}: expected a whole number from 0 on, or null`);
}
