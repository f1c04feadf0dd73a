/**
 * The state store over LMDB, a copy-on-write B+ tree in a memory-mapped file.
 *
 * Durability: `write` is one synchronous transaction. LMDB commits it by fdatasync of the pages, then writing the root
 * through a descriptor opened with O_DSYNC, and returns after both; so what was written is on stable storage when
 * `write` returns, and a crash at any point leaves the state before or after a batch. The price is an fdatasync on the
 * event loop for each call: fold many records into one batch. (The binding's flags for a later flush still sync inside
 * a synchronous commit, and `noSync` lets a power failure tear the tree: neither helps. Checked with strace.)
 */
import { mkdir } from 'node:fs/promises';
import {
  assert,
  bytesToKey,
  DiskError,
  type Key,
  STATE_KEY_BYTES_MAX,
  type StateChange,
  type StateStore,
} from '@cairnfs/base';
import { open, type RootDatabase } from 'lmdb';

export async function openLmdbStateStore(directory: string): Promise<StateStore> {
  await mkdir(directory, { recursive: true });
  try {
    const database = open<Uint8Array, Buffer>({
      path: directory,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      overlappingSync: false,
    });
    return new LmdbStateStore(directory, database);
  } catch (error) {
    throw storeError(directory, 'open', error);
  }
}

class LmdbStateStore implements StateStore {
  readonly #directory: string;
  readonly #database: RootDatabase<Uint8Array, Buffer>;
  #isOpen = true;

  constructor(directory: string, database: RootDatabase<Uint8Array, Buffer>) {
    this.#directory = directory;
    this.#database = database;
  }

  /**
   * A copy, though the contract would allow a loan: sparing it gains 1 of 4 µs, and a loan kept too long would go
   * unnoticed.
   */
  get(key: Key): Uint8Array | undefined {
    this.#checkOpen();
    return this.#database.get(keyBuffer(key));
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    this.#checkOpen();
    // With its bounds crossed, LMDB's cursor would run to the end of the database.
    if (start >= end || limit <= 0) return [];
    const entries: { key: Key; value: Uint8Array }[] = [];
    const options = { start: Buffer.from(start, 'latin1'), end: Buffer.from(end, 'latin1'), limit };
    for (const { key, value } of this.#database.getRange(options)) entries.push({ key: bytesToKey(key), value });
    return entries;
  }

  write(changes: Iterable<StateChange>): void {
    this.#checkOpen();
    try {
      this.#database.transactionSync(() => {
        for (const { key, value } of changes) {
          if (value === undefined) this.#database.removeSync(keyBuffer(key));
          else this.#database.putSync(keyBuffer(key), value);
        }
      });
    } catch (error) {
      throw storeError(this.#directory, 'write', error);
    }
  }

  /** Nothing is left to flush after a synchronous commit. */
  async flushed(): Promise<void> {
    this.#checkOpen();
  }

  sizeBytes(): number {
    this.#checkOpen();
    const { pageSize, lastPageNumber } = this.#database.getStats() as { pageSize: number; lastPageNumber: number };
    return pageSize * (lastPageNumber + 1);
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isOpen = false;
    await this.#database.close();
  }

  #checkOpen(): void {
    assert(this.#isOpen, () => `the state store ${this.#directory} was used after its close`);
  }
}

function keyBuffer(key: Key): Buffer {
  assert(key.length > 0 && key.length <= STATE_KEY_BYTES_MAX, () => `a key of ${key.length} bytes`);
  return Buffer.from(key, 'latin1');
}

/** LMDB reports the system's errors by number or text; all that is not a full disk is treated as a failed one. */
function storeError(directory: string, operation: string, error: unknown): Error {
  if (!(error instanceof Error) || error.name === 'AssertionError') return error as Error;
  const code = /no space left|ENOSPC|MDB_MAP_FULL/i.test(error.message) ? 'ENOSPC' : 'EIO';
  return new DiskError(code, directory, `${operation} of the state store ${directory}: ${error.message}`, error);
}
