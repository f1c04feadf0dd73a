/** Locate: which chunks hold a range of a file, and where their replicas are. */
import { FsError, isFsError, type Seams } from '@cairnfs/base';
import { type ChunkLocation, type Extent, type LocateReply, type LocateRequest, ReplicaState } from '@cairnfs/protocol';
import type { Cluster, Decisions, MasterContext, MasterParts, ReplicaCondition, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import {
  FILE_BYTES_MAX,
  LOCATE_EXTENTS_DEFAULT,
  LOCATE_EXTENTS_MAX,
  PRIMARIES_WAIT_MS,
  PRIMARIES_WANTED_MAX,
  SIZE_ROUNDS_MAX,
} from '../limits.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { within } from '../within.ts';
import type { FileLayout } from './file-layout.ts';
import type { Gate } from './gate.ts';
import { keptOf, openExtentOf, sizeWith } from './read-calls.ts';
import { type Found, resolveFile } from './resolve.ts';

const STATES: Readonly<Record<ReplicaCondition, ReplicaState>> = {
  live: ReplicaState.REPLICA_STATE_LIVE,
  unreachable: ReplicaState.REPLICA_STATE_UNREACHABLE,
  missing: ReplicaState.REPLICA_STATE_MISSING,
  stale: ReplicaState.REPLICA_STATE_MISSING,
  corrupt: ReplicaState.REPLICA_STATE_CORRUPT,
};

export class LocateCall {
  readonly #seams: Seams;
  readonly #decisions: Decisions;
  readonly #views: Views;
  readonly #cluster: Cluster;
  readonly #gate: Gate<number>;
  readonly #layout: FileLayout;

  constructor({ seams, decisions, layout }: MasterContext, { views, cluster }: MasterParts, gate: Gate<number>) {
    this.#seams = seams;
    this.#decisions = decisions;
    this.#layout = layout;
    this.#views = views;
    this.#cluster = cluster;
    this.#gate = gate;
  }

  async locate(request: LocateRequest): Promise<{ message: LocateReply }> {
    for (let round = 0; round < SIZE_ROUNDS_MAX; round += 1) {
      const message = await this.#locate(request);
      if (message !== undefined) return { message };
    }
    throw new FsError('UNAVAILABLE', 'the file is being replaced all the time: try again');
  }

  /** @returns undefined when the file was replaced while its length was asked. */
  async #locate(request: LocateRequest): Promise<LocateReply | undefined> {
    let transaction = this.#decisions.read();
    let looked = this.#find(transaction, request);
    let found = looked instanceof Promise ? await looked : looked;
    while (this.#gate.isHeld(found.id)) {
      // The file is being cut: what is where is told when that is done.
      await this.#gate.whenFree(found.id);
      transaction = this.#decisions.read();
      looked = this.#find(transaction, request);
      found = looked instanceof Promise ? await looked : looked;
    }
    const limit = Math.min(request.limit || LOCATE_EXTENTS_DEFAULT, LOCATE_EXTENTS_MAX);
    const offset = Math.min(request.offset, FILE_BYTES_MAX);
    const end = request.length === 0 ? Number.MAX_SAFE_INTEGER : offset + request.length;
    const open = openExtentOf(transaction, found);
    // Behind the end of a file are no bytes, but where it ends is known here only when its last chunk is closed.
    const known = open === undefined ? Math.min(end, found.inode.size) : end;
    const overlapping = this.#layout.overlapping(transaction, found.id, { offset, end: known }, limit + 1);
    const isMore = overlapping.length > limit;
    const extents = overlapping.slice(0, limit).map((extent) => toExtent(transaction, this.#cluster, extent));
    await this.#decisions.settled(transaction);
    // Of a range below the last chunk it does not matter where that ends: the file is at least as long as the log says.
    const tail = open === undefined || end <= Math.min(found.inode.size, open.offset) ? undefined : open;
    const led = this.#untilLed(extents, tail);
    const filled = tail === undefined ? found.inode.size : this.#fillTail(found.inode.size, tail, extents);
    // Both at once: one that fails while the other is awaited is not left to nobody.
    const size = led === undefined ? await filled : (await Promise.all([filled, led]))[0];
    if (size === undefined) return undefined;
    return { inode: found.id, generation: found.inode.generation, size, extents, more: isMore };
  }

  #find(transaction: Transaction, { file }: LocateRequest): Found | Promise<never> {
    return this.#decisions.find(transaction, () => resolveFile(transaction, file));
  }

  /**
   * Members that have only promised the view of an open chunk cannot read what was overwritten before it: its primary brings it
   * to them when it leads. Where the writer that wanted it is gone, nobody else would have it do so for a chunk lease. When
   * that fails the location is as good as it can be. Undefined when all are led; of the last chunk the length is asked anyway.
   */
  #untilLed(extents: readonly Extent[], tail: FileExtent | undefined): Promise<unknown> | undefined {
    const unled = extents.filter(({ offset, chunk }) => {
      return chunk!.open && offset !== tail?.offset && this.#views.waitsForPrimary(chunk!.handle);
    });
    if (unled.length === 0) return undefined;
    const { clock, log } = this.#seams;
    const led = unled.slice(0, PRIMARIES_WANTED_MAX).map(async ({ chunk }) => {
      const { handle } = chunk!;
      try {
        await this.#views.end(handle);
      } catch (error) {
        if (!isFsError(error)) {
          log.error('leading a chunk to read went wrong', { handle, error }); // its call may have ended already
          throw error;
        }
        log.info('a chunk to read is led by nobody', { handle, error });
      }
    });
    return within(clock, PRIMARIES_WAIT_MS, Promise.all(led));
  }

  /** The master does not know how far an open chunk reaches: its primary does. Answers the size of the file. */
  async #fillTail(known: number, open: FileExtent, extents: readonly Extent[]): Promise<number | undefined> {
    const end = await this.#views.end(open.handle);
    if (end === undefined) return undefined;
    const { length } = end;
    const tail = extents.find(({ offset }) => offset === open.offset);
    if (tail?.chunk !== undefined) {
      tail.length = keptOf(open, length);
      tail.chunk.length = length;
    }
    return sizeWith(known, open, length);
  }
}

export function toExtent(transaction: Transaction, cluster: Cluster, extent: FileExtent): Extent {
  const chunk = transaction.chunk(extent.handle);
  if (chunk === undefined) throw new FsError('DAMAGED', `an extent names chunk ${extent.handle}, which does not exist`);
  const { offset, length, limit, handle } = extent;
  return { offset, length, limit, chunk: toLocation(cluster, handle, chunk) };
}

export function toLocation(cluster: Cluster, handle: string, chunk: Chunk): ChunkLocation {
  return {
    handle,
    version: chunk.version,
    replicas: chunk.members.map((serverId) => ({
      serverId,
      address: cluster.address(serverId),
      state: STATES[cluster.replica(serverId, handle)],
    })),
    length: chunk.length,
    open: chunk.state === ChunkState.CHUNK_STATE_OPEN,
    sequence: chunk.state === ChunkState.CHUNK_STATE_OPEN ? undefined : chunk.sequence,
  };
}
