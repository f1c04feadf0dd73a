/** The state store of one process over a platter of its host's disk. */
import {
  assert,
  DiskError,
  equalBytes,
  type Key,
  STATE_KEY_BYTES_MAX,
  type StateChange,
  type StateStore,
} from '@cairnfs/base';
import type { DiskOperation, SimDisk } from '../disk/sim-disk.ts';
import type { SimProcess } from '../process.ts';
import type { StorePlatter } from './store-platter.ts';

const OF_ANOTHER_VALUE = 0xa5;

export class MemoryStateStore implements StateStore {
  readonly #directory: string;
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #platter: StorePlatter;
  #isOpen = true;
  #isWriting = false;

  private constructor(directory: string, disk: SimDisk, process: SimProcess) {
    this.#directory = directory;
    this.#disk = disk;
    this.#process = process;
    this.#platter = disk.store(directory);
  }

  static open(directory: string, disk: SimDisk, process: SimProcess): Promise<StateStore> {
    const openNow = (): StateStore => {
      disk.check('metadata', directory);
      const store = new MemoryStateStore(directory, disk, process);
      if (store.#platter.isOpen)
        throw new DiskError('EBUSY', directory, `the state store ${directory} is open already`);
      store.#platter.isOpen = true;
      return store;
    };
    return process.settleLater(disk.delayMs('read'), openNow, () => disk.isHanging(directory));
  }

  get(key: Key): Uint8Array | undefined {
    this.#checkOpen();
    checkKey(key);
    return this.#platter.get(key);
  }

  /** On a slow disk it comes later; when it was written meanwhile, its place holds something else by then. */
  load(key: Key): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const lent = this.get(key);
    if (lent === undefined || this.#disk.timing.slowness <= 1) return lent;
    const value = lent.slice();
    return this.#answer('read', () => {
      const now = this.#platter.get(key);
      return now !== undefined && equalBytes(now, value) ? value : value.fill(OF_ANOTHER_VALUE);
    });
  }

  range(start: Key, end: Key, limit: number): { key: Key; value: Uint8Array }[] {
    this.#checkOpen();
    return this.#platter.range(start, end, limit);
  }

  write(changes: Iterable<StateChange>): Promise<void> {
    this.#checkOpen();
    assert(!this.#isWriting, () => `the state store ${this.#directory} was written to before its last write was done`);
    const batch = [...changes];
    for (const { key } of batch) checkKey(key);
    this.#isWriting = true;
    return this.#answer('write', () => {
      this.#isWriting = false;
      this.#disk.check('write', this.#directory);
      this.#platter.write(batch);
    });
  }

  flushed(): Promise<void> {
    this.#checkOpen();
    const batchCount = this.#platter.batchCount;
    return this.#answer('sync', () => {
      this.#disk.check('sync', this.#directory);
      this.#platter.flushedThrough(batchCount);
    });
  }

  sizeBytes(): number {
    return this.#platter.sizeBytes;
  }

  async close(): Promise<void> {
    this.#checkOpen();
    await this.flushed();
    this.#isOpen = false;
    this.#platter.isOpen = false;
  }

  /** As long as the disk hangs there is none. */
  #answer<T>(operation: DiskOperation, effect: () => T): Promise<T> {
    const isHanging = (): boolean => this.#disk.isHanging(this.#directory);
    return this.#process.settleLater(this.#disk.delayMs(operation), effect, isHanging);
  }

  #checkOpen(): void {
    assert(this.#isOpen, () => `the state store ${this.#directory} was used after its close`);
  }
}

function checkKey(key: Key): void {
  assert(key.length > 0 && key.length <= STATE_KEY_BYTES_MAX, () => `a key of ${key.length} bytes`);
}
