/**
 * Copies of whole replicas between chunkservers (docs/protocol.md, "Repair and garbage"): the target pulls, checks every
 * block, and has the copy on stable storage before it says so. The operation table comes along, so that a retry that
 * reaches the copy is still recognised.
 */
import { crc32c, FsError } from '@cairnfs/base';
import {
  BLOCK_BYTES,
  type BufferPool,
  type CallContext,
  ChunkserverPeerMethods,
  type CloneReplicaReply,
  type CloneReplicaRequest,
  type FetchReplicaItem,
  type FetchReplicaRequest,
  FRAME_DATA_BYTES_MAX,
  type Payload,
  type PooledBytes,
  type ReplicaDescription,
  type ReplicaReport,
  type RpcPool,
} from '@cairnfs/protocol';
import { gone, type Quarantine } from '../control/quarantine.ts';
import { CLONE_ITEM_TIMEOUT_MS, COPIES_SENT_MAX, COPY_READS_AHEAD } from '../limits.ts';
import { notFound } from '../mutation/secondary.ts';
import { checkAddressee } from '../serve/addressee.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import type { DiskStore } from '../store/disk-store.ts';
import type { Replica } from '../store/replica.ts';
import { blockChecksumsOf, CorruptBlockError, readBlocks } from '../store/replica-bytes.ts';
import type { Replicas } from '../store/replicas.ts';
import type { Uploads } from '../upload/uploads.ts';
import { installByProof } from '../view/view-control.ts';
import { IncomingCopy } from './incoming-copy.ts';

export interface ClonesOptions {
  readonly lease: ServerLease;
  readonly peers: RpcPool;
  readonly pool: BufferPool;
  readonly quarantine: Quarantine;
  readonly replicas: Replicas;
  readonly uploads: Uploads;
  readonly report: (report: ReplicaReport) => void;
  readonly serverId: () => number;
  /** Received at a time. */
  readonly clonesMax: number;
}

/** A copy on its way in. */
interface Reception {
  readonly version: number;
  /** A later version was asked to be promised meanwhile: to the master there is no replica here that could serve. */
  isOutdated: boolean;
}

/** Bytes of a replica on their way out. */
interface Piece {
  readonly offset: number;
  readonly end: number;
  readonly memory: PooledBytes;
}

export class Clones {
  readonly #options: ClonesOptions;
  readonly #receiving = new Map<string, Reception>();
  /** Copies that are whole and take their place. */
  readonly #arriving = new Map<string, Promise<void>>();
  #sendingCount = 0;

  constructor(options: ClonesOptions) {
    this.#options = options;
  }

  /** A copy of the chunk is on its way in: the one that is here stays until then. */
  isReceiving(handle: string): boolean {
    return this.#receiving.has(handle);
  }

  /** Whether a copy of the chunk is just taking its place: whoever would make a replica waits for it. */
  arriving(handle: string): Promise<void> | undefined {
    return this.#arriving.get(handle);
  }

  /**
   * `newVersion` was asked to be promised here. A copy of an older version that is on its way in must not arrive: whoever
   * asked was told that there is no such replica, and counts on it.
   */
  promised(handle: string, newVersion: number): void {
    const reception = this.#receiving.get(handle);
    if (reception !== undefined && reception.version < newVersion) reception.isOutdated = true;
  }

  /**
   * The committed replica: first its description, then its bytes. It must be closed and stay so.
   *
   * @throws FsError OVERLOADED  too many are sent at a time.
   */
  async *send(request: FetchReplicaRequest): AsyncIterable<Payload<FetchReplicaItem>> {
    const { lease, replicas } = this.#options;
    const { handle, version } = request;
    lease.check();
    const replica = replicas.find(handle);
    if (replica === undefined) throw notFound(handle);
    // Refused before it begins, and not at one of its reads: beside many reads of clients none would come to its end.
    if (this.#sendingCount >= COPIES_SENT_MAX) {
      throw new FsError(
        'OVERLOADED',
        `${COPIES_SENT_MAX} chunks are being copied from here, the most at a time: try again`,
      );
    }
    this.#sendingCount += 1;
    replica.uses += 1;
    try {
      const description = await this.#describe(replica, request);
      yield { message: { replica: description, offset: 0 } };
      const { length, sequence } = description;
      for await (const { offset, end, memory } of this.#pieces(replica, length)) {
        const bytes = memory.bytes.subarray(0, end - offset);
        const data = { buffers: [bytes], checksum: crc32c(bytes), sent: () => memory.release() };
        try {
          this.#checkClosed(replica, version, sequence);
        } catch (error) {
          memory.release();
          throw error;
        }
        yield { message: { replica: undefined, offset }, data };
      }
    } finally {
      this.#sendingCount -= 1;
      replica.uses -= 1;
    }
  }

  /**
   * Pulls a copy from another server; the same copy twice is answered at once.
   *
   * @throws FsError INVALID_ARGUMENT  it was meant for a server that had this address before: this one may hold the sound
   * replica that was to be copied.
   */
  async receive(request: CloneReplicaRequest, { signal }: CallContext): Promise<Payload<CloneReplicaReply>> {
    const { quarantine, replicas, serverId, clonesMax } = this.#options;
    const { handle, version, length } = request;
    checkAddressee('CloneReplica', request.serverId, serverId());
    if (this.#receiving.has(handle) || this.#receiving.size >= clonesMax) {
      throw new FsError('OVERLOADED', `chunk ${handle}: it, or ${clonesMax} others, are being copied here; try again`);
    }
    const reception: Reception = { version, isOutdated: false };
    this.#receiving.set(handle, reception);
    try {
      await quarantine.leaving(handle);
      const known = replicas.find(handle);
      if (known !== undefined && isCopy(known, request)) {
        return { message: { length, sequence: known.log.committedSequence } };
      }
      const isKept = known !== undefined && known.log.promisedVersion > version;
      if (isKept || replicas.isInUse(handle) || this.#options.uploads.isActive(handle)) {
        throw new FsError(
          'STALE_VERSION',
          `chunk ${handle}: a replica at version ${known?.log.version ?? 0} is here already; it is not overwritten`,
        );
      }
      // An old copy is replaced where it is, so that a chunk is never on two disks.
      const store = replicas.holderOf(handle) ?? replicas.placeFor(Math.max(length, 1));
      const sequence = await this.#pull(store, request, { reception, signal });
      return { message: { length, sequence } };
    } finally {
      this.#receiving.delete(handle);
    }
  }

  async #describe(
    replica: Replica,
    { version, length: wanted, sequence: base }: FetchReplicaRequest,
  ): Promise<ReplicaDescription> {
    const { log } = replica;
    // Of a closed chunk nobody else may ever tell the members that their promised version was confirmed.
    if (!installByProof(replica, { version, sequence: base })) log.checkVersion(version);
    this.#checkClosed(replica, version, log.committedSequence);
    const { committedLength, committedSequence: sequence } = log;
    const length = sequence === 0 && wanted > 0 ? Math.min(wanted, committedLength) : committedLength;
    const blockChecksums = await this.#checksums(replica, length);
    const { entries, windows } = replica.operationsThrough(sequence);
    const onWire = <T extends { readonly client: string }>(item: T) => {
      return { ...item, client: Buffer.from(item.client, 'latin1') };
    };
    const table = { operations: entries.map(onWire), clients: windows.map(onWire) };
    return { version, length, sequence, blockChecksums, ...table };
  }

  /**
   * Of each block up to `length`. Those that are kept say it where they speak of all there is: the bytes are checked against
   * them when they are read to be sent.
   */
  async #checksums(replica: Replica, length: number): Promise<number[]> {
    const isSummed = replica.unsettled.length === 0 && replica.summedLength === length;
    if (isSummed && replica.corruptBlocks.size === 0) return blockChecksumsOf(replica, length);
    const blockChecksums: number[] = [];
    for await (const { offset, end, memory } of this.#pieces(replica, length)) {
      for (let at = 0; at < end - offset; at += BLOCK_BYTES) {
        blockChecksums.push(crc32c(memory.bytes.subarray(at, Math.min(at + BLOCK_BYTES, end - offset))));
      }
      memory.release();
    }
    return blockChecksums;
  }

  #checkClosed({ log, handle }: Replica, version: number, sequence: number): void {
    this.#options.lease.check();
    log.checkVersion(version);
    if (log.staged.length === 0 && log.committedSequence === sequence) return;
    throw new FsError('UNAVAILABLE', `chunk ${handle} is being changed and cannot be copied now; close it first`);
  }

  /**
   * The bytes up to `length` in order, in memory that the caller releases; some are read ahead: behind the reads of many clients
   * each waits for seconds, and one after the other they would take longer than a copy may.
   */
  async *#pieces(replica: Replica, length: number): AsyncIterable<Piece> {
    const ahead: Promise<Piece>[] = [];
    const read = async (offset: number): Promise<Piece> => {
      const end = Math.min(offset + FRAME_DATA_BYTES_MAX, length);
      const { memory } = await this.#blocks(replica, offset, end);
      return { offset, end, memory };
    };
    try {
      for (let next = 0; next < length || ahead.length > 0; ) {
        for (; next < length && ahead.length < COPY_READS_AHEAD; next += FRAME_DATA_BYTES_MAX) {
          const piece = read(next);
          piece.catch(() => {}); // told at its turn, unless an earlier one failed
          ahead.push(piece);
        }
        yield await ahead.shift()!;
      }
    } finally {
      for (const piece of await Promise.allSettled(ahead))
        if (piece.status === 'fulfilled') piece.value.memory.release();
    }
  }

  async #blocks(replica: Replica, offset: number, end: number) {
    const { pool, replicas } = this.#options;
    try {
      return await readBlocks(replica, { offset, end }, pool);
    } catch (error) {
      if (error instanceof CorruptBlockError) replicas.corrupt(replica, error.block);
      throw error;
    }
  }

  async #pull(
    store: DiskStore,
    request: CloneReplicaRequest,
    { reception, signal }: { reception: Reception; signal: AbortSignal },
  ): Promise<number> {
    const { peers, lease } = this.#options;
    const { handle, version, length, sequence, sourceAddress } = request;
    const options = { timeoutMs: CLONE_ITEM_TIMEOUT_MS, signal };
    const items = peers
      .channel(sourceAddress)
      .stream(ChunkserverPeerMethods.fetchReplica, { handle, version, length, sequence }, options);
    let incoming: IncomingCopy | undefined;
    try {
      for await (const { message, data } of items) {
        try {
          if (incoming === undefined) incoming = await IncomingCopy.begin(store, request, message.replica);
          if (data !== undefined) await incoming.take(message.offset, data);
        } finally {
          data?.memory.release();
        }
      }
      if (incoming === undefined) throw new FsError('BAD_FRAME', `${sourceAddress} sent nothing of chunk ${handle}`);
      lease.check();
      await incoming.sync();
      const placed = this.#keep(store, incoming, { handle, reception }).finally(() => this.#arriving.delete(handle));
      this.#arriving.set(
        handle,
        placed.then(
          () => {},
          () => {}, // told below
        ),
      );
      return await placed;
    } catch (error) {
      await incoming?.discard();
      throw error;
    }
  }

  async #keep(
    store: DiskStore,
    incoming: IncomingCopy,
    { handle, reception }: { handle: string; reception: Reception },
  ): Promise<number> {
    const { quarantine, replicas, report, uploads } = this.#options;
    const record = incoming.finish(replicas.calendar.nowMs());
    checkNotOutdated(handle, reception);
    if (replicas.isInUse(handle) || uploads.isActive(handle))
      throw new FsError('OVERLOADED', `chunk ${handle} is in use here; try again`);
    const reason = `a copy at version ${record.version} takes its place`;
    try {
      // The old copy, if any, goes first: a crash in between leaves none, and the master orders another. Nobody may settle
      // mutations of the old one into the file of the new one.
      await quarantine.makeRoom(handle, reason);
      return await this.#place(store, incoming, { handle, record, reception });
    } catch (error) {
      await incoming.discard(); // while nobody else puts a file there
      if (replicas.holderOf(handle) === undefined) report(gone(handle, reason));
      throw error;
    }
  }

  async #place(
    store: DiskStore,
    incoming: IncomingCopy,
    { handle, record, reception }: { handle: string; record: ReturnType<IncomingCopy['finish']>; reception: Reception },
  ): Promise<number> {
    const { replicas, report, uploads } = this.#options;
    uploads.forget(handle);
    if (record.isInFile) await incoming.moveInto(store);
    checkNotOutdated(handle, reception);
    if (replicas.holderOf(handle) !== undefined) {
      throw new FsError('OVERLOADED', `chunk ${handle} was made here meanwhile; try again`);
    }
    const sequence = store.append(handle, { $case: 'cloned', value: record }, incoming.smallBytes);
    incoming.isKept = true;
    const replica = replicas.added(store, handle);
    await store.durable(sequence);
    report(replicas.describe(replica));
    return record.sequence;
  }
}

function checkNotOutdated(handle: string, { version, isOutdated }: Reception): void {
  if (!isOutdated) return;
  throw new FsError(
    'STALE_VERSION',
    `chunk ${handle}: its view changed while version ${version} was being copied here`,
  );
}

function isCopy({ log, corruptBlocks }: Replica, { version, length, sequence }: CloneReplicaRequest): boolean {
  const isCurrent = log.version === version && log.promisedVersion === version && corruptBlocks.size === 0;
  // What was written since by an overwrite leaves no trace in the length.
  return isCurrent && log.committedLength === length && log.committedSequence === sequence && log.staged.length === 0;
}
