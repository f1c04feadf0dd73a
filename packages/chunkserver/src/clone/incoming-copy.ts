/**
 * A copy on its way in: every block is checked as it comes, and the bytes are in a file of a name of its own until they are
 * whole, or in memory when they will live in the index.
 */
import { type DiskFile, FsError } from '@cairnfs/base';
import {
  BLOCK_BYTES,
  CHUNK_BYTES_MAX,
  type CloneReplicaRequest,
  type ReceivedData,
  type ReplicaDescription,
} from '@cairnfs/protocol';
import type { DiskStore } from '../store/disk-store.ts';
import { CorruptBlockError } from '../store/replica-bytes.ts';
import { sumBlocks } from '../upload/block-sums.ts';

export class IncomingCopy {
  readonly #store: DiskStore;
  readonly #handle: string;
  readonly #description: ReplicaDescription;
  /** Where its bytes are. */
  #path: string;
  #received = 0;
  /** A record speaks of it. */
  isKept = false;
  #isDiscarded = false;
  /** The bytes of a chunk that will live in the index. */
  smallBytes: Uint8Array | undefined;

  private constructor(store: DiskStore, handle: string, description: ReplicaDescription) {
    this.#store = store;
    this.#handle = handle;
    this.#description = description;
    this.#path = `${store.chunkPath(handle)}.copy`;
    if (description.length <= BLOCK_BYTES) this.smallBytes = new Uint8Array(description.length);
  }

  static async begin(
    store: DiskStore,
    { handle, version, length }: CloneReplicaRequest,
    description: ReplicaDescription | undefined,
  ): Promise<IncomingCopy> {
    const isExpected = description?.version === version && description.length === length && length <= CHUNK_BYTES_MAX;
    if (description === undefined || !isExpected) {
      throw new FsError(
        'STALE_VERSION',
        `chunk ${handle}: the source has version ${description?.version}, length ${description?.length}; asked for were ` +
          `version ${version}, length ${length}`,
      );
    }
    const incoming = new IncomingCopy(store, handle, description);
    if (incoming.smallBytes === undefined) await incoming.#use((file) => file.truncate(0));
    return incoming;
  }

  async take(offset: number, { bytes, checksum }: ReceivedData): Promise<void> {
    const { blockChecksums, length } = this.#description;
    if (offset !== this.#received || offset + bytes.length > length || offset % BLOCK_BYTES !== 0) {
      throw new FsError(
        'BAD_FRAME',
        `a piece of chunk ${this.#handle} came at ${offset}, expected was ${this.#received}`,
      );
    }
    for (const [index, sum] of sumBlocks(bytes, checksum).entries()) {
      const block = offset / BLOCK_BYTES + index;
      if (sum !== blockChecksums[block]) throw new CorruptBlockError(this.#handle, block);
    }
    if (this.smallBytes === undefined) await this.#use((file) => file.writeBulk(offset, bytes));
    else this.smallBytes.set(bytes, offset);
    this.#received += bytes.length;
  }

  /**
   * @param atMs since when operations are remembered here: when they were applied elsewhere says nothing on this calendar.
   * @throws FsError CONNECTION_LOST  the stream ended early.
   */
  finish(atMs: number) {
    const { version, length, sequence, blockChecksums, operations, clients } = this.#description;
    if (this.#received !== length) {
      throw new FsError(
        'CONNECTION_LOST',
        `chunk ${this.#handle}: ${this.#received} of ${length} bytes came; copy it again`,
      );
    }
    const records = operations.map(({ client, number, ...result }) => ({
      client,
      number,
      result: { ...result, atMs },
    }));
    const windows = clients.map((window) => ({ ...window, atMs }));
    const isInFile = this.smallBytes === undefined;
    return { version, length, sequence, blockChecksums, isInFile, operations: records, clients: windows };
  }

  /** Puts what has arrived on stable storage. */
  async sync(): Promise<void> {
    if (this.smallBytes === undefined) await this.#use((file) => file.sync());
  }

  /** To its place, where nothing is. */
  async moveInto(store: DiskStore): Promise<void> {
    const place = store.chunkPath(this.#handle);
    try {
      await store.files.drop(this.#path);
      await store.files.drop(place);
      await store.disk.rename(this.#path, place);
      this.#path = place;
      await store.syncName(this.#handle);
    } catch (error) {
      throw store.fault(error);
    }
  }

  /** Once: what lies at its place later is not of this copy. */
  async discard(): Promise<void> {
    if (this.smallBytes !== undefined || this.isKept || this.#isDiscarded) return;
    this.#isDiscarded = true;
    const { disk } = this.#store;
    try {
      await this.#store.files.drop(this.#path);
      if ((await disk.stat(this.#path)) !== undefined) await disk.remove(this.#path);
    } catch (error) {
      this.#store.fault(error); // a restart moves it aside
    }
  }

  async #use<T>(work: (file: DiskFile) => Promise<T>): Promise<T> {
    try {
      return await this.#store.files.use(this.#path, 'openOrCreate', work);
    } catch (error) {
      throw this.#store.fault(error);
    }
  }
}
