/**
 * One disk of a chunkserver: its folder with lock, identity, journal, index and chunk files. It fails alone: what is on
 * it is gone then, and the other disks go on.
 */

import {
  type Disk,
  type DiskDevice,
  DiskError,
  FsError,
  isFsError,
  randomUuid,
  type Seams,
  toError,
} from '@cairnfs/base';
import { encodeMessage } from '@cairnfs/protocol';
import { type DiskWatch, type JournalSizing, type Ledger, type OnDevice, openLedger } from '@cairnfs/storage';
import { type DiskIdentity, Record } from '../gen/cairn/chunkserver/v1/store.ts';
import { DISK_FRAMES_MAX, DISK_READ_BYTES_MAX, DISK_READS_MAX } from '../limits.ts';
import { transitions } from './apply.ts';
import { DiskRoom } from './disk-room.ts';
import { draftIdentity, type NewIdentity, readIdentity, writeIdentity } from './identity.ts';
import { BULKY_PREFIXES, replicaKey } from './keys.ts';
import { OpenFiles } from './open-files.ts';
import { ReadHistory } from './read-history.ts';
import { readCommitPoint, readReplica } from './stored-replica.ts';

export type StoreSeams = Pick<Seams, 'clock' | 'disk' | 'log' | 'openStateStore' | 'random'>;
export type RecordKind = NonNullable<Record['kind']>;

/** How a folder's disk is reached, and given up when it does not answer. */
export interface WatchedDevice {
  readonly seams: OnDevice<StoreSeams>;
  readonly watch: DiskWatch;
}

/**
 * Records that give a chunk bytes or a place: on a full disk they are refused while there is still room in the journal for the
 * others, which move replicas aside, end views and put in place what was taken before.
 */
const GROWING: ReadonlySet<RecordKind['$case']> = new Set([
  'created',
  'uploadStored',
  'staged',
  'movedToFile',
  'cloned',
]);

const FORMAT = { name: 'chunkserver', version: 3 } as const;
const FAN_OUT = 256;
const UUID_LENGTH = 36;

export class DiskStore {
  readonly directory: string;
  readonly ledger: Ledger;
  readonly files: OpenFiles;
  readonly readHistory = new ReadHistory();
  readonly readRoom: DiskRoom;
  readonly frameRoom: DiskRoom;
  identity: DiskIdentity;
  /** Space of its file system, as last asked. */
  space: Awaited<ReturnType<Disk['space']>> = { totalBytes: 0, freeBytes: 0 };
  #refreshing: Promise<void> | undefined;
  #failure: FsError | undefined;
  #failed: (store: DiskStore) => void = () => {};
  #damaged: (handle: string, error: FsError) => void = () => {};
  #appending: Record | undefined;
  /** By the record being appended. */
  #damage: FsError | undefined;
  readonly #seams: OnDevice<StoreSeams>;
  readonly #watch: DiskWatch;
  readonly #lock: { release(): Promise<void> };

  private constructor(
    { seams, watch }: WatchedDevice,
    parts: { directory: string; ledger: Ledger; identity: DiskIdentity; lock: { release(): Promise<void> } },
  ) {
    this.#seams = seams;
    this.#watch = watch;
    this.directory = parts.directory;
    this.ledger = parts.ledger;
    this.identity = parts.identity;
    this.#lock = parts.lock;
    this.files = new OpenFiles(seams.disk);
    const { directory } = parts;
    const [callsMax, bytesMax] = [DISK_READS_MAX, DISK_READ_BYTES_MAX];
    this.readRoom = new DiskRoom({ directory, work: 'reads', callsMax, bytesMax });
    this.frameRoom = new DiskRoom({
      ...{ directory, work: 'frames of uploads' },
      ...{ callsMax: DISK_FRAMES_MAX, bytesMax: Number.POSITIVE_INFINITY },
    });
    void parts.ledger.failed.then((error) => this.fail(error));
    watch.onFailure((error) => this.fail(error));
  }

  /**
   * @param serverUuid and `hasKeptAll` for a folder that has no identity yet.
   * @throws DiskError EBUSY  another process uses the folder. @throws FsError DAMAGED
   */
  static async open(
    device: WatchedDevice,
    directory: string,
    {
      serverUuid,
      hasKeptAll,
      journal,
    }: { serverUuid: string; hasKeptAll: boolean; journal?: JournalSizing | undefined },
  ): Promise<DiskStore> {
    const { seams } = device;
    const { disk, random } = seams;
    await disk.makeDirectory(directory);
    const lock = await disk.lock(`${directory}/lock`);
    try {
      let identity = await readIdentity(disk, directory);
      if (identity === undefined) {
        for (let prefix = 0; prefix < FAN_OUT; prefix += 1)
          await disk.makeDirectory(`${directory}/chunks/${hex(prefix)}`);
        await disk.makeDirectory(`${directory}/quarantine`);
        await disk.syncDirectory(`${directory}/chunks`);
        const fresh = { diskId: randomUuid(random), serverUuid, serverId: 0, clusterId: '' };
        identity = await writeIdentity(disk, directory, { ...fresh, disks: [], disksRevision: 0, hasKeptAll });
      }
      const space = await disk.space(directory);
      // Damage met in the replay is found again when the replica is loaded.
      let store: DiskStore | undefined;
      const apply = transitions({
        damaged: (handle, error) => store?.foundDamaged(handle, error),
        appending: () => store?.appending,
      });
      const ledger = await openLedger(
        seams,
        { directory, apply, format: FORMAT, bulkyPrefixes: BULKY_PREFIXES },
        journal,
      );
      store = new DiskStore(device, { directory, ledger, identity, lock });
      store.space = space;
      return store;
    } catch (error) {
      await lock.release().catch((fault: unknown) => {
        seams.log.warn('disk not unlocked', { directory, error: toError(fault).message });
      });
      throw error;
    }
  }

  /** The record being applied, when it is not one of a replay. */
  get appending(): Record | undefined {
    return this.#appending;
  }

  /** All files of the folder are reached through it. */
  get disk(): DiskDevice {
    return this.#seams.disk;
  }

  get failure(): FsError | undefined {
    return this.#failure;
  }

  onFailure(callback: (store: DiskStore) => void): void {
    this.#failed = callback;
  }

  /** Takes the disk out of service: an I/O error leaves unknown what it holds. */
  fail(cause: unknown): FsError {
    if (this.#failure !== undefined) return this.#failure;
    const reason = toError(cause).message;
    this.#failure = new FsError(
      'DISK_FAILED',
      `disk ${this.directory} failed and is out of service (${reason}); its copies are made again elsewhere`,
      { cause, details: { path: this.directory } },
    );
    this.#seams.log.error('disk failed', { directory: this.directory, error: reason });
    this.#failed(this);
    this.ledger.fail(cause);
    return this.#failure;
  }

  /** The `FsError` for a failed file call; anything but a full disk, or a shortage that is not its own, takes it out of service. */
  fault(error: unknown): FsError {
    if (error instanceof FsError) return error;
    if (!(error instanceof DiskError)) throw error;
    const { directory } = this;
    if (error.isFull) {
      return new FsError('NO_SPACE', `disk ${directory} is full: free some space, or add a disk`, { cause: error });
    }
    if (!error.isShortage) return this.fail(error);
    const message = `disk ${directory} is not asked now, for this server is short of open files or memory (${error.message}): try again`;
    return new FsError('OVERLOADED', message, { cause: error });
  }

  checkHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * @returns its sequence number; applied at once.
   * @throws FsError as `Ledger.append`. @throws FsError DAMAGED  the replica's entries are; the record has no effect.
   */
  append(handle: string, kind: RecordKind, data?: Uint8Array): number {
    this.checkHealthy();
    this.#damage = undefined;
    const record = { handle, kind };
    const encoded = encodeMessage(Record, record);
    this.#appending = record;
    let sequence: number;
    try {
      sequence = this.ledger.append(encoded, data, GROWING.has(kind.$case) ? 'common' : 'reserve');
    } finally {
      this.#appending = undefined;
    }
    if (this.#damage !== undefined) throw this.#damage;
    return sequence;
  }

  /** A record met entries of a replica that are not what was put there. */
  foundDamaged(handle: string, error: FsError): void {
    this.#damage = error;
    this.#damaged(handle, error);
  }

  onDamage(callback: (handle: string, error: FsError) => void): void {
    this.#damaged = callback;
  }

  /** Appends and waits until it is on stable storage. */
  async journal(handle: string, kind: RecordKind, data?: Uint8Array): Promise<void> {
    await this.durable(this.append(handle, kind, data));
  }

  /** @throws FsError DISK_FAILED  it will never be on stable storage. */
  durable(sequence: number): Promise<void> {
    return new Promise((durable, failed) => this.onDurable(sequence, durable, failed));
  }

  /** Runs one of both: `failed` with DISK_FAILED, when the disk is out of service already and its replicas are gone. */
  onDurable(sequence: number, durable: () => void, failed: (failure: FsError) => void): void {
    if (this.#failure !== undefined) failed(this.#failure);
    else this.ledger.onDurable(sequence, durable, (failure) => failed(this.fail(failure)));
  }

  /** Whether the index names the chunk. */
  names(handle: string): boolean {
    return this.ledger.view().get(replicaKey(handle)) !== undefined;
  }

  /** A record speaks of the chunk file, or may: an entry that cannot be read leaves the file where it is. */
  mayUseFile(handle: string): boolean {
    const view = this.ledger.view();
    try {
      const replica = readReplica(view, handle);
      if (replica === undefined) return false;
      readCommitPoint(view, handle); // without it, a record that would have said so may have had no effect
      return replica.isInFile;
    } catch (error) {
      if (isFsError(error, 'DAMAGED')) return true;
      throw error;
    }
  }

  chunkPath(handle: string): string {
    return `${this.directory}/chunks/${folderOf(handle)}/${handle}`;
  }

  /** Makes the chunk file's name durable. */
  syncName(handle: string): Promise<void> {
    return this.#seams.disk.syncDirectory(`${this.directory}/chunks/${folderOf(handle)}`);
  }

  quarantinePath(atMs: number, handle: string): string {
    return `${this.directory}/quarantine/${atMs}-${handle}`;
  }

  /** Moves the chunk file aside. @returns whether there was one. */
  async setAside(handle: string, atMs: number): Promise<boolean> {
    const { disk } = this.#seams;
    const path = this.chunkPath(handle);
    await this.files.drop(path);
    if ((await disk.stat(path)) === undefined) return false;
    await disk.rename(path, this.quarantinePath(atMs, handle));
    await disk.syncDirectory(`${this.directory}/quarantine`);
    await this.syncName(handle);
    return true;
  }

  /** Names of all files below `chunks/`, folder by folder. */
  async *chunkFiles(): AsyncGenerator<string[]> {
    for (let prefix = 0; prefix < FAN_OUT; prefix += 1) {
      yield await this.#seams.disk.list(`${this.directory}/chunks/${hex(prefix)}`);
    }
  }

  /** Asks how much is free; once at a time, or those that a disk keeps waiting would pile up. */
  refreshSpace(): Promise<void> {
    this.#refreshing ??= this.#readSpace().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #readSpace(): Promise<void> {
    try {
      this.space = await this.#seams.disk.space(this.directory);
    } catch (error) {
      this.fault(error);
    }
  }

  async writeIdentity(changes: Partial<NewIdentity>): Promise<void> {
    const replace = await this.draftIdentity(changes);
    await replace();
  }

  /** @returns what puts it in place. */
  async draftIdentity(changes: Partial<NewIdentity>): Promise<() => Promise<void>> {
    const replace = await draftIdentity(this.#seams.disk, this.directory, { ...this.identity, ...changes });
    return async () => {
      this.identity = await replace();
    };
  }

  /** Removes a file of its folder, where there is one. */
  async removeFile(name: string): Promise<void> {
    const { disk } = this.#seams;
    const path = `${this.directory}/${name}`;
    if ((await disk.stat(path)) === undefined) return;
    await disk.remove(path);
    await disk.syncDirectory(this.directory);
  }

  /**
   * Of a disk that has failed all is closed that can be, and told of what cannot: a lock file that stays on it is that of a
   * process that has ended, and the next one takes it over.
   *
   * @throws DiskError  a disk in service could not be left in order.
   */
  async close(): Promise<void> {
    try {
      await this.#refreshing;
      await this.#closing('its chunk files', this.files.closeAll());
      await this.ledger.close();
      await this.#closing('its lock', this.#lock.release());
    } finally {
      this.#watch.end();
    }
  }

  async #closing(part: string, closing: Promise<void>): Promise<void> {
    try {
      await closing;
    } catch (error) {
      if (this.#failure === undefined) throw error;
      this.#seams.log.warn('failed disk not closed', {
        directory: this.directory,
        part,
        error: toError(error).message,
      });
    }
  }
}

/** The chunk that a file below `chunks/` belongs to. */
export function handleOfFile(name: string): string {
  return name.slice(0, UUID_LENGTH); // `.copy` may follow
}

/** The folder of a chunk file: by the end of its handle, which is random, for the beginning tells the time. */
function folderOf(name: string): string {
  return handleOfFile(name).slice(-2);
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
