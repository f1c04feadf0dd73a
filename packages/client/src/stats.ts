/** What is known of a file or directory, in the manner of `fs.Stats`. */
import { type Attributes, type DirectoryEntry as EntryMessage, FileType } from '@cairnfs/protocol';

export class Stats {
  readonly ino: number;
  readonly size: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  readonly replication: number;
  /** Raised by every change of content or attributes. */
  readonly generation: number;
  /** Of a directory. */
  readonly entryCount: number;
  /** Where something in /.trash came from; empty elsewhere. */
  readonly deletedFrom: string;
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
  readonly #isDirectory: boolean;

  constructor(attributes: Attributes) {
    this.ino = attributes.inode;
    this.size = attributes.size;
    this.mode = attributes.mode;
    this.owner = attributes.owner;
    this.group = attributes.group;
    this.atimeMs = attributes.accessedMs;
    this.mtimeMs = attributes.modifiedMs;
    this.ctimeMs = attributes.changedMs;
    this.birthtimeMs = attributes.createdMs;
    this.replication = attributes.replication;
    this.generation = attributes.generation;
    this.entryCount = attributes.entryCount;
    this.deletedFrom = attributes.deletedFrom;
    this.xattrs = attributes.xattrs;
    this.#isDirectory = attributes.type === FileType.FILE_TYPE_DIRECTORY;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }

  isDirectory(): boolean {
    return this.#isDirectory;
  }

  isFile(): boolean {
    return !this.#isDirectory;
  }
}

/** One name in a directory, in the manner of `fs.Dirent`. */
export class DirectoryEntry {
  readonly name: string;
  readonly parentPath: string;
  /** Only when the listing was asked for attributes; `stat` tells, or says why not, when nobody could in time how long a file is. */
  readonly stats: Stats | undefined;
  readonly #isDirectory: boolean;

  constructor(entry: EntryMessage, parentPath: string) {
    this.name = entry.name;
    this.parentPath = parentPath;
    this.stats = entry.attributes === undefined ? undefined : new Stats(entry.attributes);
    this.#isDirectory = entry.type === FileType.FILE_TYPE_DIRECTORY;
  }

  isDirectory(): boolean {
    return this.#isDirectory;
  }

  isFile(): boolean {
    return !this.#isDirectory;
  }
}
