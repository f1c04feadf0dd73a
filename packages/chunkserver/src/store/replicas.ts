/**
 * All replicas of a chunkserver, over its disks: found in memory or in the index of a disk, forgotten when memory is
 * short and nothing is under way. There is at most one object of a replica at a time.
 */
import { assert, type Clock, crc32c, FsError, isFsError, type Log, ProcessCalendar, toFsError } from '@cairnfs/base';
import type { BufferPool, ChunkView, ReplicaReport } from '@cairnfs/protocol';
import { UNSETTLED_BYTES_TOTAL_MAX } from '../limits.ts';
import type { MutableReplicas } from '../mutation/replica-port.ts';
import type { DiskStore } from './disk-store.ts';
import { Replica, type ReplicaShell } from './replica.ts';
import { CorruptBlockError } from './replica-bytes.ts';
import { describeReplica, describeStored, unreadable } from './replica-reports.ts';
import { Settler } from './settle.ts';
import { isUnmutated, type StoredReplica, storedPage } from './stored-pages.ts';
import { readData } from './stored-replica.ts';
import { takeStock } from './take-stock.ts';

const EVICTION_TRIES = 16;

export interface ReplicasOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: BufferPool;
  readonly stores: readonly DiskStore[];
  readonly reserveBytes: number;
  /** The cluster's chunk size. */
  readonly chunkBytes: () => number;
  readonly capacityBytes: number | undefined;
  /** Bound of the memory that committed mutations hold until they are in place, over all replicas. */
  readonly unsettledBytesMax?: number;
  /** Replicas held in memory beside those at work. */
  readonly cachedMax: number;
  /** A frame of the chunk is being written, or its file on its way out or in. */
  readonly isFileTaken?: (handle: string) => boolean;
  /** The disk holds a chunk file that no record speaks of, and was too full at the start to move it aside. */
  readonly strayed?: (store: DiskStore, name: string) => void;
  /** What a master should learn. */
  readonly report: (report: ReplicaReport) => void;
  /** It went with its disk, or its entries are damaged; those in memory are told, which are all at work lately. */
  readonly lost?: (replica: Replica) => void;
  /** A disk and all on it are gone: only an inventory tells what is left. */
  readonly diskFailed: () => void;
}

/** What the chunks of one disk take. */
export interface DiskUse {
  usedBytes: number;
  replicaCount: number;
  /** Of those, the ones in chunk files; the index holds the others. */
  inFileCount: number;
}

export class Replicas implements MutableReplicas {
  readonly #options: ReplicasOptions;
  readonly #settler: Settler;
  /** Of what is remembered for a time, across restarts. */
  readonly calendar: ProcessCalendar;
  readonly #shell: ReplicaShell;
  /** Least recently used first. */
  readonly #cache = new Map<string, Replica>();
  readonly #use = new Map<DiskStore, DiskUse>();
  /** Replicas that went by damage while something worked on them; at most one of a chunk, as `isInUse` keeps others out. */
  readonly #goneInUse = new Map<string, Replica>();
  /** Blocks that did not match their checksums, since the start. */
  corruptBlocksFound = 0;

  constructor(options: ReplicasOptions) {
    this.#options = options;
    const { clock, log, pool, unsettledBytesMax: bytesMax = UNSETTLED_BYTES_TOTAL_MAX } = options;
    const corrupt = (replica: Replica, block: number): void => this.corrupt(replica, block);
    const { isFileTaken = () => false } = options;
    this.#settler = new Settler({ clock, log, pool, corrupt, isFileTaken, bytesMax });
    this.calendar = new ProcessCalendar(clock);
    this.#shell = {
      clock,
      calendar: this.calendar,
      unsettled: (replica) => this.#settler.note(replica),
      // What is gone has been told of otherwise: its entries are damaged, or its disk failed.
      changed: (replica) => {
        if (!replica.isGone) options.report(this.describe(replica));
      },
      checkRoom: (store, bytes) => {
        this.#settler.checkRoom();
        if (bytes > 0) this.checkRoom(store, bytes);
      },
      grew: ({ store, isGone }, bytes) => {
        if (!isGone) this.useOf(store).usedBytes += bytes;
      },
      movedToFile: ({ store }) => {
        this.useOf(store).inFileCount += 1;
      },
    };
    for (const store of options.stores) {
      this.#use.set(store, { usedBytes: 0, replicaCount: 0, inFileCount: 0 });
      store.onFailure(() => this.#diskFailed(store));
      store.onDamage((handle, error) => this.#damaged(store, handle, error));
    }
  }

  get stores(): readonly DiskStore[] {
    return this.#options.stores;
  }

  useOf(store: DiskStore): DiskUse {
    return this.#use.get(store)!;
  }

  /**
   * Counts what is on the disks, and moves aside chunk files that no record speaks of: uploads that a restart cut short,
   * and what was on its way to quarantine. Before anything is served.
   */
  async takeStock(): Promise<void> {
    const { clock, log, stores, strayed: stayed = () => {} } = this.#options;
    const unsettled: Replica[] = [];
    const found = (store: DiskStore, stored: StoredReplica): void => this.#count(store, stored, unsettled);
    await takeStock({ clock, calendar: this.calendar, log, stores, found, stayed });
    // Not before: a chunk file that is just being written has no record yet, and would be moved aside.
    for (const replica of unsettled) this.#settler.note(replica);
  }

  #count(store: DiskStore, stored: StoredReplica, unsettled: Replica[]): void {
    if (stored.damage !== undefined) {
      this.#unreadable(stored.handle, stored.damage);
      return;
    }
    const { handle, state, point } = stored;
    if (!isUnmutated(state, point)) {
      const replica = this.#load(store, handle);
      if (replica === undefined) return;
      if (replica.unsettled.length > 0) {
        this.#keep(replica);
        unsettled.push(replica);
      }
    }
    const use = this.useOf(store);
    use.replicaCount += 1;
    use.usedBytes += point.length;
    if (state.isInFile) use.inFileCount += 1;
  }

  find(handle: string): Replica | undefined {
    const cached = this.#cache.get(handle);
    if (cached !== undefined) {
      this.#cache.delete(handle);
      this.#cache.set(handle, cached);
      return cached;
    }
    for (const store of this.stores) {
      const replica = store.failure === undefined ? this.#load(store, handle) : undefined;
      if (replica === undefined) continue;
      this.#keep(replica);
      if (replica.unsettled.length > 0) this.#settler.note(replica);
      return replica;
    }
    return undefined;
  }

  /** The disk whose index names the chunk, whether or not the entries can be read. */
  holderOf(handle: string): DiskStore | undefined {
    return this.stores.find((store) => store.failure === undefined && store.names(handle));
  }

  /** There may be a replica of the chunk though none is found. */
  mayHide(handle: string): boolean {
    return this.stores.some(({ failure }) => failure !== undefined) || this.isUnreadable(handle);
  }

  isUnreadable(handle: string): boolean {
    return this.find(handle) === undefined && this.holderOf(handle) !== undefined;
  }

  /** Something works on the chunk's file or entries: what is here of the chunk must not be replaced under it. */
  isInUse(handle: string): boolean {
    return [this.#cache.get(handle), this.#goneInUse.get(handle)].some(
      (replica) => replica !== undefined && replica.uses > 0,
    );
  }

  isInService(disk: string): boolean {
    return this.#inService(disk) !== undefined;
  }

  hasRoomBeside(disk: string): boolean {
    return this.stores.some((store) => {
      const isOther = store.failure === undefined && store.identity.diskId !== disk;
      return isOther && this.freeBytes(store) >= this.chunkBytes;
    });
  }

  /** The cluster's chunk size: how long a chunk may grow. */
  get chunkBytes(): number {
    return this.#options.chunkBytes();
  }

  create(view: ChunkView, disk: string): Replica {
    const { handle } = view;
    if (this.isInUse(handle)) throw new FsError('OVERLOADED', `chunk ${handle} is in use here; try again`);
    const store = disk === '' ? this.placeFor(this.chunkBytes) : this.#namedDisk(disk);
    store.append(handle, { $case: 'created', value: { members: view.members } });
    return this.added(store, handle);
  }

  /** A record made a replica: takes it in. */
  added(store: DiskStore, handle: string): Replica {
    // A read may have found the record's effect already.
    const replica = this.#cache.get(handle) ?? Replica.load(store, handle, this.#shell);
    assert(replica !== undefined, () => `chunk ${handle} is not in the index after the record that made it`);
    const use = this.useOf(store);
    use.replicaCount += 1;
    use.usedBytes += replica.log.committedLength;
    if (replica.isInFile) use.inFileCount += 1;
    this.#keep(replica);
    return replica;
  }

  /** A small upload is durable; its object is made when somebody asks for it. */
  stored(store: DiskStore, length: number): void {
    const use = this.useOf(store);
    use.replicaCount += 1;
    use.usedBytes += length;
  }

  /**
   * A record that tells of more of an upload was appended, in this tick: an object that knows less is replaced before anybody
   * decides on it.
   */
  uploadGrew(handle: string): void {
    this.#cache.delete(handle);
  }

  /** More of an upload is durable. */
  uploadStored(store: DiskStore, lengthBefore: number, length: number): void {
    const use = this.useOf(store);
    if (lengthBefore === 0) {
      use.replicaCount += 1;
      use.inFileCount += 1;
    }
    use.usedBytes += length - lengthBefore;
  }

  /** The record that moves an upload from the index to its chunk file was appended: its bytes are read there now. */
  uploadMoved(store: DiskStore, handle: string, length: number): void {
    const replica = this.#cache.get(handle);
    if (replica === undefined) {
      this.useOf(store).inFileCount += 1;
      return;
    }
    const { summedSequence, settledSequence } = replica;
    replica.refresh({ summedLength: length, summedSequence, settledSequence, isInFile: true });
  }

  /**
   * The bytes of a replica in the index, whole and checked.
   *
   * @throws CorruptBlockError
   */
  soundData(replica: Replica): Uint8Array {
    const { store, handle, checksums } = replica;
    try {
      const bytes = readData(store.ledger.view(), handle);
      if (crc32c(bytes) === checksums[0]) return bytes;
    } catch (error) {
      if (!isFsError(error, 'DAMAGED')) throw store.fault(error);
    }
    this.corrupt(replica, 0);
    throw new CorruptBlockError(handle, 0);
  }

  /** A record removed it, or is about to: nothing more is journalled for it. */
  forget(replica: Replica): void {
    replica.isGone = true;
    if (this.#cache.get(replica.handle) === replica) this.#cache.delete(replica.handle);
    const use = this.useOf(replica.store);
    use.replicaCount -= 1;
    if (replica.isInFile) use.inFileCount -= 1;
    use.usedBytes -= replica.log.committedLength;
  }

  /**
   * The disk with the most room.
   *
   * @throws FsError NO_SPACE  `bytes` more would go past what is kept free. @throws FsError DISK_FAILED
   */
  placeFor(bytes: number): DiskStore {
    const healthy = this.stores.filter(({ failure }) => failure === undefined);
    if (healthy.length === 0) throw this.stores[0]!.failure!;
    const best = healthy.reduce((a, b) => (this.freeBytes(b) > this.freeBytes(a) ? b : a));
    this.checkRoom(best, bytes);
    return best;
  }

  /** @throws FsError NO_SPACE, DISK_FAILED */
  #namedDisk(disk: string): DiskStore {
    const store = this.#inService(disk);
    if (store === undefined) throw new FsError('DISK_FAILED', `disk ${disk} is not in service on this server`);
    this.checkRoom(store, this.chunkBytes);
    return store;
  }

  #inService(disk: string): DiskStore | undefined {
    return this.stores.find(({ identity, failure }) => identity.diskId === disk && failure === undefined);
  }

  /** @throws FsError NO_SPACE */
  checkRoom(store: DiskStore, bytes: number): void {
    const freeBytes = this.freeBytes(store);
    if (freeBytes >= bytes) return;
    throw new FsError(
      'NO_SPACE',
      `disk ${store.directory} has no room for ${bytes} bytes beside what is kept free; delete something or add disks`,
      { details: { freeBytes: Math.max(0, freeBytes) } },
    );
  }

  /** What chunks may still take of the disk. */
  freeBytes(store: DiskStore): number {
    const { reserveBytes, capacityBytes } = this.#options;
    const onDisk = store.space.freeBytes - reserveBytes;
    if (capacityBytes === undefined) return onDisk;
    return Math.min(onDisk, capacityBytes - this.useOf(store).usedBytes);
  }

  /** A block does not match its checksum: kept in the journal and told to the master; the replica serves it no more. */
  corrupt(replica: Replica, block: number): void {
    const { handle, store } = replica;
    // Another object, or none, speaks for the chunk by now: what is corrupt is found again through that.
    if (replica.isGone || this.#cache.get(handle) !== replica || replica.corruptBlocks.has(block)) return;
    this.#options.log.error('corrupt block', { handle, block, directory: store.directory });
    replica.corruptBlocks.add(block);
    this.corruptBlocksFound += 1;
    this.#options.report(this.describe(replica));
    try {
      store.append(handle, { $case: 'corruptFound', value: { block } });
    } catch (error) {
      // Found again when it is next read.
      this.#options.log.warn('a corrupt block was not journalled', { handle, block, error: toFsError(error).message });
    }
  }

  describe(replica: Replica): ReplicaReport {
    return describeReplica(replica);
  }

  /** Up to `limit` reports of one disk, in order of handle, of handles above `after`. */
  page(store: DiskStore, after: string, limit: number): ReplicaReport[] {
    return storedPage(store, after, limit).map((stored) => {
      const { handle } = stored;
      const cached = this.#cache.get(handle);
      if (cached !== undefined) return this.describe(cached);
      if (stored.damage === undefined && isUnmutated(stored.state, stored.point)) return describeStored(stored);
      const replica = this.#load(store, handle);
      return replica === undefined ? unreadable(handle) : this.describe(replica);
    });
  }

  /** Before the disks are closed. */
  async close(): Promise<void> {
    await this.#settler.close();
  }

  #load(store: DiskStore, handle: string): Replica | undefined {
    try {
      return Replica.load(store, handle, this.#shell);
    } catch (error) {
      if (!isFsError(error, 'DAMAGED')) throw error;
      this.#unreadable(handle, error);
      return undefined;
    }
  }

  #unreadable(handle: string, error: FsError): void {
    this.#options.log.error('replica not served', { handle, error: error.message });
    this.#options.report(unreadable(handle));
  }

  #keep(replica: Replica): void {
    this.#cache.set(replica.handle, replica);
    const { clock, cachedMax } = this.#options;
    if (this.#cache.size <= cachedMax) return;
    const nowMs = clock.nowMs();
    let tries = 0;
    for (const [handle, candidate] of this.#cache) {
      tries += 1;
      if (tries > EVICTION_TRIES) return;
      this.#cache.delete(handle);
      if (!candidate.isPinned(nowMs) && candidate !== replica) return;
      this.#cache.set(handle, candidate); // behind the others
    }
  }

  #diskFailed(store: DiskStore): void {
    for (const [handle, replica] of this.#cache) {
      if (replica.store !== store) continue;
      replica.isGone = true;
      this.#cache.delete(handle);
      this.#options.lost?.(replica);
    }
    this.#use.set(store, { usedBytes: 0, replicaCount: 0, inFileCount: 0 });
    this.#options.diskFailed();
  }

  /** A record met damaged entries and had no effect: this object decided on what is not there. */
  #damaged(store: DiskStore, handle: string, error: FsError): void {
    this.#options.log.error('replica not served', { handle, directory: store.directory, error: error.message });
    const replica = this.#cache.get(handle);
    if (replica?.store === store) {
      this.forget(replica);
      for (const [other, { uses }] of this.#goneInUse) if (uses === 0) this.#goneInUse.delete(other);
      if (replica.uses > 0) this.#goneInUse.set(handle, replica);
      this.#options.lost?.(replica);
    }
    this.#options.report(unreadable(handle));
  }
}
