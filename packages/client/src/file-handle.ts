/** An open file, in the manner of `fs.FileHandle`. */
import { FsError } from '@cairnfs/base';
import { MasterMethods } from '@cairnfs/protocol';
import type { MasterCalls } from './call/master-calls.ts';
import { naming, ofOpened } from './errors.ts';
import type { CallOptions } from './options.ts';
import type { FileReader } from './read/file-reader.ts';
import { LocatedFile } from './read/located-file.ts';
import { Stats } from './stats.ts';
import { ChangeOrder, type Span } from './write/change-order.ts';
import { type Mutations, type WriteTarget, writeTarget } from './write/mutations.ts';

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

/** The inode stays the same when the path is renamed or replaced. Everything written is durable when it resolves. */
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
   * @param position in the file; null or absent reads on from where the last such read ended.
   * @returns fewer bytes than asked only at the end of the file, 0 behind it.
   */
  async read<T extends Uint8Array>(
    buffer: T,
    offset = 0,
    length = buffer.length - offset,
    position: number | null = null,
    options: CallOptions = {},
  ): Promise<{ bytesRead: number; buffer: T }> {
    return naming('read', this.path, async () => {
      this.#check(this.#rights.read, 'reading');
      const at = position ?? this.#position;
      const target = buffer.subarray(offset, offset + length);
      const bytesRead = await this.#parts.reader.read(this.#located, at, target, this.#parts.calls.deadline(options));
      if (position === null) this.#position = at + bytesRead;
      return { bytesRead, buffer };
    });
  }

  async readFile(options: CallOptions = {}): Promise<Uint8Array> {
    const { size } = await this.stat(options);
    const buffer = new Uint8Array(size);
    const { bytesRead } = await this.read(buffer, 0, size, 0, options);
    return buffer.subarray(0, bytesRead);
  }

  /** With the flag `a`, `position` is ignored and the bytes go to the end, in records of at most 1 MiB or a chunk. */
  async write<T extends Uint8Array>(
    buffer: T,
    offset = 0,
    length = buffer.length - offset,
    position: number | null = null,
    options: CallOptions = {},
  ): Promise<{ bytesWritten: number; buffer: T }> {
    const bytes = buffer.subarray(offset, offset + length);
    if (this.#rights.append) await this.appendFile(bytes, options);
    else {
      // Taken at once, so that writes that are not awaited go one behind the other.
      const at = position ?? this.#position;
      if (position === null) this.#position = at + bytes.length;
      await this.#change('write', { kind: 'write', start: at, end: at + bytes.length }, options, () =>
        this.#parts.mutations.write(this.#target, at, bytes, () => this.#parts.calls.deadline(options)),
      );
    }
    return { bytesWritten: bytes.length, buffer };
  }

  async appendFile(data: Uint8Array | string, options: CallOptions = {}): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const { calls, mutations } = this.#parts;
    await this.#change('append', { kind: 'append' }, options, () =>
      mutations.appendAll(this.#target, bytes, () => calls.deadline(options)),
    );
  }

  /** Appends one record of 1 byte to 1 MiB, whole and exactly once; answers where it is. */
  appendRecord(bytes: Uint8Array, options: CallOptions = {}): Promise<{ offset: number }> {
    return this.#change('append', { kind: 'append' }, options, async () => {
      return { offset: await this.#parts.mutations.append(this.#target, bytes, this.#parts.calls.deadline(options)) };
    });
  }

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

  stat(options: CallOptions = {}): Promise<Stats> {
    return naming('fstat', this.path, async () => {
      const { calls } = this.#parts;
      const request = { file: { path: '', inode: this.#inode } };
      const reply = await ofOpened(() => calls.call(MasterMethods.stat, request, calls.deadline(options)));
      return new Stats(reply.attributes!);
    });
  }

  /** Waits for every write under way; each was durable when its own promise resolved. */
  async sync(): Promise<void> {
    await this.#order.idle();
  }

  datasync(): Promise<void> {
    return this.sync();
  }

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

  #check(right: boolean, what: string): void {
    if (this.#isClosed) throw new FsError('INVALID_ARGUMENT', 'the file handle is closed');
    if (!right) throw new FsError('INVALID_ARGUMENT', `the file was not opened for ${what}`);
  }
}
