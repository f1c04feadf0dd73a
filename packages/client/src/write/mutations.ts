/**
 * Writes and appends to existing files: through the primary of an open chunk, each applied exactly once. An operation whose
 * outcome is open is settled on the chunk it was sent to before it may go to another (docs/protocol.md, "Exactly once").
 */
import { FsError, isFsError } from '@cairnfs/base';
import {
  ChunkserverDataMethods,
  dataPart,
  type Extent,
  MasterMethods,
  type OpenExtentRequest,
  RECORD_BYTES_MAX,
} from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import type { MasterCalls } from '../call/master-calls.ts';
import { MUTATION_ATTEMPT_MS } from '../limits.ts';

/** A file being written, with the extents that were opened for it. */
export interface WriteTarget {
  readonly inode: number;
  /** Where appends go, as far as known. */
  tail: Extent | undefined;
  /** Where the last write at an offset went. */
  recent: Extent | undefined;
}

export function writeTarget(inode: number): WriteTarget {
  return { inode, tail: undefined, recent: undefined };
}

type At = NonNullable<OpenExtentRequest['at']>;

export class Mutations {
  readonly #calls: MasterCalls;

  constructor(calls: MasterCalls) {
    this.#calls = calls;
  }

  /** Writes at `offset`; durable when it resolves. Not atomic beyond 1 MiB or across chunks. */
  async write(target: WriteTarget, offset: number, bytes: Uint8Array, deadline: () => Deadline): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const isCovered = target.recent !== undefined && target.recent.offset <= at && at < target.recent.limit;
      const extent = isCovered ? target.recent! : await this.#open(target, { $case: 'offset', value: at }, deadline());
      target.recent = extent;
      const piece = bytes.subarray(done, done + Math.min(RECORD_BYTES_MAX, extent.limit - at));
      target.recent = (await this.#settle(target, { offset: at, bytes: piece, extent }, deadline())).extent;
      done += piece.length;
    }
  }

  /**
   * Appends one record, whole, at an offset the primary chooses.
   *
   * @param bytes 1 to RECORD_BYTES_MAX; unchanged until the promise settles.
   * @returns its offset in the file
   */
  async append(target: WriteTarget, bytes: Uint8Array, deadline: Deadline): Promise<number> {
    if (bytes.length === 0 || bytes.length > RECORD_BYTES_MAX) {
      throw new FsError('INVALID_ARGUMENT', `a record of ${bytes.length} bytes: 1 to ${RECORD_BYTES_MAX} are possible`);
    }
    const extent = target.tail ?? (await this.#open(target, { $case: 'append', value: true }, deadline));
    target.tail ??= extent;
    const settled = await this.#settle(target, { offset: undefined, bytes, extent }, deadline);
    target.tail = settled.extent;
    return settled.offset;
  }

  #settle(
    target: WriteTarget,
    mutation: { offset: number | undefined; bytes: Uint8Array; extent: Extent },
    deadline: Deadline,
  ): Promise<{ offset: number; extent: Extent }> {
    const { offset, bytes } = mutation;
    return this.#calls.operations.use(async (operation) => {
      let { extent } = mutation;
      // Sent at least once without a definite answer: this chunk alone can tell what became of it.
      let isOpen = false;
      for (let attempt = 1; ; attempt += 1) {
        const { handle, version, replicas } = extent.chunk!;
        const primary = replicas[0];
        try {
          if (primary === undefined) throw new FsError('UNAVAILABLE', `chunk ${handle} has no primary`);
          const { message } = await this.#calls.pool.channel(primary.address).call(
            ChunkserverDataMethods.mutateChunk,
            {
              handle,
              version,
              kind:
                offset === undefined
                  ? { $case: 'append', value: true }
                  : { $case: 'writeAt', value: offset - extent.offset },
              operation,
              data: NOTHING,
              checksum: undefined,
              capacity: extent.limit - extent.offset,
            },
            { timeoutMs: deadline.attemptMs(MUTATION_ATTEMPT_MS), signal: deadline.signal, data: dataPart(bytes) },
          );
          return { offset: extent.offset + message.offset, extent };
        } catch (error) {
          deadline.signal?.throwIfAborted();
          if (!isFsError(error)) throw error;
          if (error.kind === 'CHUNK_FULL' || error.kind === 'CHUNK_SEALED') {
            isOpen = false;
            extent = await this.#next(target, offset, handle, error, { deadline, attempt });
            continue;
          }
          if (error.reaction === 'never') throw error;
          isOpen ||= error.reaction === 'unknown';
          await deadline.pause(attempt, error);
          const isUnreachable = isFsError(error, 'CONNECTION_REFUSED', 'CONNECTION_LOST', 'DEADLINE_EXCEEDED');
          const suspected = isUnreachable && primary !== undefined ? [primary.serverId] : [];
          extent = await this.#again(target, { offset, handle, isOpen, suspected }, deadline);
        }
      }
    });
  }

  /** The chunk will never take it: where does it go instead? */
  async #next(
    target: WriteTarget,
    offset: number | undefined,
    handle: string,
    refusal: FsError,
    { deadline, attempt }: { deadline: Deadline; attempt: number },
  ): Promise<Extent> {
    if (offset === undefined)
      return this.#open(target, { $case: 'append', value: true }, deadline, { fullHandle: handle });
    // The end of the chunk's room was drawn nearer meanwhile; the master knows where.
    await deadline.pause(attempt, refusal);
    return this.#open(target, { $case: 'offset', value: offset }, deadline);
  }

  /** The same chunk with its present view, or, when nothing was ever sent to it for certain, whatever the master names. */
  async #again(
    target: WriteTarget,
    {
      offset,
      handle,
      isOpen,
      suspected,
    }: { offset: number | undefined; handle: string; isOpen: boolean; suspected: number[] },
    deadline: Deadline,
  ): Promise<Extent> {
    try {
      return await this.#open(target, { $case: 'handle', value: handle }, deadline, { suspected });
    } catch (error) {
      if (!isFsError(error, 'CHUNK_NOT_FOUND')) throw error;
      if (isOpen) {
        const message = `the chunk it was sent to is gone (the file was cut or replaced), so whether it was applied cannot be told`;
        throw new FsError('OUTCOME_EXPIRED', message, { cause: error });
      }
      const at: At = offset === undefined ? { $case: 'append', value: true } : { $case: 'offset', value: offset };
      return this.#open(target, at, deadline);
    }
  }

  async #open(
    target: WriteTarget,
    at: At,
    deadline: Deadline,
    { fullHandle = '', suspected = [] }: { fullHandle?: string; suspected?: number[] } = {},
  ): Promise<Extent> {
    const request = { inode: target.inode, at, fullHandle, suspectedServers: suspected, operation: undefined };
    const { extent } = await this.#calls.call(MasterMethods.openExtent, request, deadline);
    if (extent?.chunk === undefined) throw new FsError('BAD_FRAME', 'the master opened an extent without a chunk');
    return extent;
  }
}

const NOTHING = new Uint8Array(0);
