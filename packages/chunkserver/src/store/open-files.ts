/** Open chunk files of one disk: shared while used, a bounded number kept open, closed by least recent use. */
import type { Disk, DiskFile, OpenMode } from '@cairnfs/base';
import { OPEN_FILES_MAX } from '../limits.ts';

interface Entry {
  readonly opening: Promise<DiskFile>;
  users: number;
  /** No longer in the table: closed by its last user. */
  isDropped: boolean;
}

export class OpenFiles {
  readonly #disk: Disk;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Runs `work` with the file open for reading and writing. */
  async use<T>(path: string, mode: OpenMode, work: (file: DiskFile) => Promise<T>): Promise<T> {
    const entry = this.#take(path, mode);
    entry.users += 1;
    try {
      return await work(await entry.opening);
    } finally {
      entry.users -= 1;
      if (entry.isDropped && entry.users === 0) await close(entry);
      else await this.#trim();
    }
  }

  /** Before a rename or removal: a later use opens what is there then. */
  async drop(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#entries.delete(path);
    entry.isDropped = true;
    if (entry.users === 0) await close(entry);
  }

  async closeAll(): Promise<void> {
    for (const path of [...this.#entries.keys()]) await this.drop(path);
  }

  #take(path: string, mode: OpenMode): Entry {
    const known = this.#entries.get(path);
    if (known !== undefined) {
      this.#entries.delete(path);
      this.#entries.set(path, known);
      return known;
    }
    const entry: Entry = { opening: this.#disk.open(path, mode), users: 0, isDropped: false };
    this.#entries.set(path, entry);
    entry.opening.catch(() => {
      entry.isDropped = true;
      if (this.#entries.get(path) === entry) this.#entries.delete(path);
    });
    return entry;
  }

  async #trim(): Promise<void> {
    if (this.#entries.size <= OPEN_FILES_MAX) return;
    for (const [path, { users }] of this.#entries) {
      if (users === 0) return this.drop(path);
    }
  }
}

async function close({ opening }: Entry): Promise<void> {
  let file: DiskFile;
  try {
    file = await opening;
  } catch {
    return; // it never opened: whoever asked for it was told
  }
  await file.close();
}
