/** Locate: which chunks hold a range of a file, and where their replicas are. */
import { FsError } from '@cairnfs/base';
import {
  CHUNK_BYTES_MAX,
  type ChunkLocation,
  type Extent,
  type LocateReply,
  type LocateRequest,
  ReplicaState,
} from '@cairnfs/protocol';
import type { Cluster, Decisions, ReplicaCondition, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { LOCATE_EXTENTS_DEFAULT, LOCATE_EXTENTS_MAX } from '../limits.ts';
import type { FileExtent, Transaction } from '../state/transaction.ts';
import { openExtentOf } from './read-calls.ts';
import { resolveRef } from './resolve.ts';

const STATES: Readonly<Record<ReplicaCondition, ReplicaState>> = {
  live: ReplicaState.REPLICA_STATE_LIVE,
  unreachable: ReplicaState.REPLICA_STATE_UNREACHABLE,
  missing: ReplicaState.REPLICA_STATE_MISSING,
  stale: ReplicaState.REPLICA_STATE_MISSING,
  corrupt: ReplicaState.REPLICA_STATE_CORRUPT,
};

export class LocateCall {
  readonly #decisions: Decisions;
  readonly #views: Views;
  readonly #cluster: Cluster;

  constructor(decisions: Decisions, views: Views, cluster: Cluster) {
    this.#decisions = decisions;
    this.#views = views;
    this.#cluster = cluster;
  }

  async locate(request: LocateRequest): Promise<{ message: LocateReply }> {
    const transaction = this.#decisions.read();
    const found = resolveRef(transaction, request.file);
    if (found.inode.isDirectory)
      throw new FsError('IS_A_DIRECTORY', `'${request.file?.path}' is a directory: it has no chunks`);
    const limit = Math.min(request.limit || LOCATE_EXTENTS_DEFAULT, LOCATE_EXTENTS_MAX);
    const end = request.length === 0 ? Number.MAX_SAFE_INTEGER : request.offset + request.length;
    const from = Math.max(0, request.offset - CHUNK_BYTES_MAX + 1);
    // Of the extents that begin before the range, those that end in it count: at most one chunk's worth of looking back.
    const candidates = transaction.extents(found.id, from, end, limit + 1 + EXTENTS_BEFORE);
    const overlapping = candidates.filter((extent) => extent.limit > request.offset);
    const isMore = overlapping.length > limit || candidates.length > limit + EXTENTS_BEFORE;
    if (overlapping.length > limit) overlapping.length = limit;
    const extents = overlapping.map((extent) => toExtent(transaction, this.#cluster, extent));
    const open = openExtentOf(transaction, found);
    await this.#decisions.settled(transaction);
    const size = open === undefined ? found.inode.size : await this.#fillTail(found.inode.size, open, extents);
    return { message: { inode: found.id, generation: found.inode.generation, size, extents, more: isMore } };
  }

  /** The master does not know how far an open chunk reaches: its primary does. Answers the size of the file. */
  async #fillTail(known: number, open: FileExtent, extents: readonly Extent[]): Promise<number> {
    const length = await this.#views.length(open.handle);
    const tail = extents.find(({ offset }) => offset === open.offset);
    if (tail?.chunk !== undefined) {
      tail.length = length;
      tail.chunk.length = length;
    }
    return Math.max(known, open.offset + length);
  }
}

const EXTENTS_BEFORE = 64;

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
  };
}
