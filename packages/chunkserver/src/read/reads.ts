/** Reads by clients (docs/protocol.md, "Reads"): what is committed, checked block by block, from any member of the view. */
import { FsError } from '@cairnfs/base';
import {
  BLOCK_BYTES,
  type BufferPool,
  type CallContext,
  type DataPart,
  FRAME_DATA_BYTES_MAX,
  type Payload,
  type ReadChunkReply,
  type ReadChunkRequest,
} from '@cairnfs/protocol';
import type { Mutations } from '../mutation/mutations.ts';
import { notFound } from '../mutation/secondary.ts';
import type { ServerLease } from '../serve/server-lease.ts';
import type { WorkDone } from '../serve/work-done.ts';
import type { Replica } from '../store/replica.ts';
import { CorruptBlockError, readBlocks, sliceChecksum } from '../store/replica-bytes.ts';
import type { Replicas } from '../store/replicas.ts';
import { installByProof } from '../view/view-control.ts';

export interface ReadsOptions {
  readonly replicas: Replicas;
  readonly mutations: Mutations;
  readonly lease: ServerLease;
  readonly pool: BufferPool;
}

export class Reads {
  /** Reads answered, and their bytes, since the start. */
  readonly answered: WorkDone = { count: 0, bytes: 0 };
  readonly #options: ReadsOptions;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  async read(request: ReadChunkRequest, context: Pick<CallContext, 'room'>): Promise<Payload<ReadChunkReply>> {
    const { lease, mutations } = this.#options;
    lease.check();
    let replica = this.#find(request);
    const { version, offset, length } = request;
    if (length > FRAME_DATA_BYTES_MAX) {
      throw new FsError('INVALID_ARGUMENT', `a read of ${length} bytes: at most ${FRAME_DATA_BYTES_MAX} at a time`);
    }
    const held = blocksHeld(offset, offset + length);
    // More than a block is read into a whole buffer.
    const room = context.room(held > BLOCK_BYTES ? Math.max(held, FRAME_DATA_BYTES_MAX) : held);
    if (room !== undefined) {
      await room;
      lease.check();
      replica = this.#find(request); // the one of before may not be held any more
    }
    const commitPoint = mutations.commitPointFor(replica, { offset, length });
    if (commitPoint !== undefined) await commitPoint;
    const committedLength = committedEnd(replica, request.knownLength);
    const end = Math.min(offset + length, committedLength);
    const data = end > offset ? await this.#bytes(replica, offset, end) : undefined;
    try {
      // The view may have changed while the disk was asked.
      replica.log.checkVersion(version);
      if (replica.isGone) throw notFound(replica.handle);
      lease.check();
    } catch (error) {
      data?.sent?.();
      throw error;
    }
    const message = { length: Math.max(0, end - offset), committedLength };
    this.answered.count += 1;
    this.answered.bytes += message.length;
    return data === undefined ? { message } : { message, data };
  }

  /** @throws FsError CHUNK_NOT_FOUND, STALE_VERSION, CHECKSUM_MISMATCH */
  #find({ handle, version, knownLength, knownSequence }: ReadChunkRequest): Replica {
    const replica = this.#options.replicas.find(handle);
    if (replica === undefined) throw notFound(handle);
    const known = knownSequence === undefined ? { knownLength } : { sequence: knownSequence };
    if (!installByProof(replica, { version, ...known })) replica.log.checkVersion(version);
    return replica;
  }

  async #bytes(replica: Replica, offset: number, end: number): Promise<DataPart> {
    const { pool, replicas } = this.#options;
    checkNotCorrupt(replica, offset, end);
    const { readRoom } = replica.store;
    const held = blocksHeld(offset, end);
    readRoom.enter(held);
    replica.uses += 1;
    try {
      const read = await readBlocks(replica, { offset, end }, pool);
      const bytes = read.memory.bytes.subarray(offset - read.start, end - read.start);
      return { buffers: [bytes], checksum: sliceChecksum(read, offset, end), sent: () => read.memory.release() };
    } catch (error) {
      if (error instanceof CorruptBlockError) replicas.corrupt(replica, error.block);
      throw error;
    } finally {
      replica.uses -= 1;
      readRoom.leave(held);
    }
  }
}

/** Whole blocks are read, and held, however little is asked for. */
function blocksHeld(offset: number, end: number): number {
  return Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES - (offset - (offset % BLOCK_BYTES));
}

/**
 * Where what is known committed ends. Of an upload that was never mutated, what is durable beyond the length that the
 * master confirmed was never acknowledged; and the length that a client learnt from the master proves itself.
 */
export function committedEnd({ log, handle }: Replica, knownLength: number): number {
  const { committedLength } = log;
  const isUpload = log.stagedSequence === 0 && knownLength > 0;
  if (!isUpload || knownLength === committedLength) return committedLength;
  if (knownLength < committedLength) return knownLength;
  throw new FsError(
    'STALE_VERSION',
    `chunk ${handle}: ${knownLength} bytes were confirmed, this copy has ${committedLength}; read another one`,
    { details: { knownLength, committedLength } },
  );
}

function checkNotCorrupt({ corruptBlocks, handle }: Replica, offset: number, end: number): void {
  for (const block of corruptBlocks) {
    if (block * BLOCK_BYTES < end && (block + 1) * BLOCK_BYTES > offset) throw new CorruptBlockError(handle, block);
  }
}
