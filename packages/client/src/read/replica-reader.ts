/** Reads a piece of a chunk from whichever replica answers; every byte is checked against its checksum. */
import { FsError, isFsError, UNREACHABLE } from '@cairnfs/base';
import {
  ChunkserverDataMethods,
  type Extent,
  type ReplicaLocation,
  ReplicaState,
  type RpcPool,
  verifyData,
} from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import { DATA_ATTEMPT_MS, REPLICA_SHUNNED_MS } from '../limits.ts';
import type { ClientSeams } from '../options.ts';
import { noCopyInReach } from './no-copy-in-reach.ts';

export class ReplicaReader {
  readonly #seams: ClientSeams;
  readonly #pool: RpcPool;
  /** Address → until when it is asked last. */
  readonly #shunnedUntilMs = new Map<string, number>();

  constructor(seams: ClientSeams, pool: RpcPool) {
    this.#seams = seams;
    this.#pool = pool;
  }

  /**
   * Fills `target` from `offset` of the chunk; answers the bytes there were: fewer only at the committed end.
   *
   * @param location `isFresh`: the master told it for this read. A replica that refuses its version has then promised one that
   *   may be long in coming, and until it is confirmed the others serve this one. Of a location that is old all say the same.
   * @throws FsError  UNAVAILABLE: no replica is in reach; otherwise as the last one said, and a reaction of `afterLookup`
   *   means that the location is old.
   */
  async read(
    { extent, isFresh }: { extent: Extent; isFresh: boolean },
    offset: number,
    target: Uint8Array,
    deadline: Deadline,
  ): Promise<number> {
    const { chunk } = extent;
    if (chunk === undefined) throw new FsError('BAD_FRAME', 'the master located an extent without a chunk');
    let failure: FsError | undefined;
    let isRefused = false;
    for (const replica of this.#inOrder(chunk.replicas)) {
      // The version may have ended after all: nobody is waited for who is hardly there.
      if (isRefused && this.#rank(replica) > 0) break;
      const { address } = replica;
      const options = { timeoutMs: deadline.attemptMs(DATA_ATTEMPT_MS), signal: deadline.signal };
      try {
        return await this.#readFrom(address, extent, offset, target, options);
      } catch (error) {
        deadline.signal?.throwIfAborted();
        if (!isFsError(error)) throw error;
        failure = preferred(failure, error);
        if (error.reaction === 'afterLookup' && !isFsError(error, 'LEASE_EXPIRED', 'CHUNK_NOT_FOUND')) {
          if (!isFresh) break;
          isRefused = true;
        } else this.#shunnedUntilMs.set(address, this.#seams.clock.nowMs() + REPLICA_SHUNNED_MS);
      }
    }
    throw failure === undefined || isUnreached(failure) ? noCopyInReach(chunk, failure) : failure;
  }

  async #readFrom(
    address: string,
    extent: Extent,
    offset: number,
    target: Uint8Array,
    options: { timeoutMs: number; signal: AbortSignal | undefined },
  ): Promise<number> {
    const { handle, version, length: knownLength, sequence: knownSequence } = extent.chunk!;
    const request = { handle, version, offset, length: target.length, knownLength, knownSequence };
    const { message, data } = await this.#pool
      .channel(address)
      .call(ChunkserverDataMethods.readChunk, request, options);
    try {
      const length = data?.bytes.length ?? 0;
      // Also an open chunk has all that it was known to have.
      const isShort = length < target.length && offset + length < knownLength;
      if (length !== message.length || length > target.length || isShort) {
        const wanted = `${target.length} bytes at ${offset}`;
        throw new FsError('CHECKSUM_MISMATCH', `${address} answered ${length} bytes of chunk ${handle} for ${wanted}`);
      }
      if (data !== undefined) {
        verifyData(data);
        target.set(data.bytes);
      }
      return length;
    } finally {
      data?.memory.release();
    }
  }

  /** Live ones first, at random, so that readers spread; those that failed lately last. */
  #inOrder(replicas: readonly ReplicaLocation[]): ReplicaLocation[] {
    const start = this.#seams.random.uint32() % Math.max(1, replicas.length);
    const turned = [...replicas.slice(start), ...replicas.slice(0, start)];
    return turned.filter(({ address }) => address !== '').sort((a, b) => this.#rank(a) - this.#rank(b));
  }

  #rank({ address, state }: ReplicaLocation): number {
    const isShunned = (this.#shunnedUntilMs.get(address) ?? 0) > this.#seams.clock.nowMs();
    return (state === ReplicaState.REPLICA_STATE_LIVE ? 0 : 2) + (isShunned ? 1 : 0);
  }
}

/** An answer about the chunk says more than a connection that failed. */
function preferred(before: FsError | undefined, error: FsError): FsError {
  if (before === undefined || isUnreached(before)) return error;
  return before.reaction === 'afterLookup' || isUnreached(error) ? before : error;
}

function isUnreached(failure: FsError): boolean {
  return isFsError(failure, ...UNREACHABLE);
}
