/**
 * Writes and appends to existing files: through the primary of an open chunk, each applied exactly once. An operation whose
 * outcome is open is settled on the chunk it was sent to before it may go to another (docs/protocol.md, "Exactly once").
 */
import { FsError, isFsError, momentOf, UNREACHABLE } from '@cairnfs/base';
import {
  ChunkserverDataMethods,
  dataPart,
  type Extent,
  MasterMethods,
  type OpenExtentRequest,
  RECORD_BYTES_MAX,
  readChunkBytes,
  recordBytesMax,
} from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import { Flight } from '../call/flight.ts';
import type { MasterCalls } from '../call/master-calls.ts';
import { OpenOutcome } from '../call/open-outcome.ts';
import { ofOpened } from '../errors.ts';
import { MUTATION_ATTEMPT_MS, WRITE_PIECES_IN_FLIGHT } from '../limits.ts';

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

/** Where appended bytes are in the file: farther apart than they are long where records of others lie between theirs. */
export interface Appended {
  /** Of the first. */
  readonly offset: number;
  /** Behind the last. */
  readonly end: number;
}

export class Mutations {
  readonly #calls: MasterCalls;

  constructor(calls: MasterCalls) {
    this.#calls = calls;
  }

  /**
   * Writes at `offset`; durable when it resolves. Atomic up to 1 MiB within a chunk; a longer write goes in pieces, several
   * at once, and when it fails any of them may have been written.
   *
   * @param bytes unchanged until the promise settles.
   * @throws FsError  what the first piece to fail failed with, after all others have ended.
   */
  async write(target: WriteTarget, offset: number, bytes: Uint8Array, deadline: () => Deadline): Promise<void> {
    const flight = new Flight(WRITE_PIECES_IN_FLIGHT);
    let extent: Extent | undefined;
    for (let done = 0; done < bytes.length && !flight.hasFailed; ) {
      const at = offset + done;
      // The newest that is known of it, which another write of this file may have moved on from.
      if (covers(target.recent, at)) extent = target.recent;
      if (!covers(extent, at)) {
        // Opening what lies behind the last chunk seals that one at its length: first all that it is to hold.
        await flight.end();
        extent = await this.#open(target, { $case: 'offset', value: at }, deadline());
        target.recent = extent;
      }
      const piece = bytes.subarray(done, done + Math.min(RECORD_BYTES_MAX, extent.limit - at));
      await flight.add(this.#writePiece(target, { offset: at, bytes: piece, extent }, deadline()));
      done += piece.length;
    }
    await flight.end();
  }

  /** One piece; in several when the room of its extent ends earlier by now. */
  async #writePiece(
    target: WriteTarget,
    { offset, bytes, extent: first }: { offset: number; bytes: Uint8Array; extent: Extent },
    deadline: Deadline,
  ): Promise<void> {
    let extent = first;
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      if (!covers(extent, at)) extent = await this.#open(target, { $case: 'offset', value: at }, deadline);
      const part = bytes.subarray(done, done + extent.limit - at);
      const settled = await this.#settle(target, { offset: at, bytes: part, extent }, deadline);
      extent = settled.extent;
      // Another piece may have gone on to the next chunk.
      if (target.recent === undefined || target.recent.offset === extent.offset) target.recent = extent;
      done += settled.length;
    }
  }

  /**
   * Appends one record, whole, at an offset the primary chooses.
   *
   * @param bytes 1 to RECORD_BYTES_MAX, at most a chunk; unchanged until the promise settles.
   * @returns its offset in the file
   */
  async append(target: WriteTarget, bytes: Uint8Array, deadline: Deadline): Promise<number> {
    checkRecord(bytes, RECORD_BYTES_MAX);
    const extent = await this.#tail(target, deadline);
    checkRecord(bytes, this.#recordBytesMax());
    const settled = await this.#settle(target, { offset: undefined, bytes, extent }, deadline);
    target.tail = settled.extent;
    return settled.offset;
  }

  /**
   * Appends bytes of any length, in records that are each whole. The first try to append tells how long a record of this
   * cluster may be, so an append costs no question of its own.
   *
   * @returns undefined for no bytes.
   * @throws FsError NOT_FOUND  the file is gone, and nothing was appended; STALE_HANDLE  a part was.
   */
  async appendAll(target: WriteTarget, bytes: Uint8Array, deadline: () => Deadline): Promise<Appended | undefined> {
    let appended: Appended | undefined;
    for (let at = 0; at < bytes.length; ) {
      const within = deadline();
      const appendNext = async () => {
        await this.#tail(target, within);
        const record = bytes.subarray(at, at + this.#recordBytesMax());
        const offset = await this.append(target, record, within);
        appended = { offset: appended?.offset ?? offset, end: offset + record.length };
        return record.length;
      };
      at += await (at === 0 ? appendNext() : ofOpened(appendNext));
    }
    return appended;
  }

  /** Where the file ends, as far as known: asked once. From then on the chunk size is known. */
  async #tail(target: WriteTarget, deadline: Deadline): Promise<Extent> {
    const extent = target.tail ?? (await this.#open(target, { $case: 'append', value: true }, deadline));
    target.tail ??= extent;
    return extent;
  }

  #recordBytesMax(): number {
    return recordBytesMax(this.#calls.chunkBytes ?? RECORD_BYTES_MAX);
  }

  /** @returns how many bytes were written: of a write fewer than asked where the room of its extent ended earlier. */
  #settle(
    target: WriteTarget,
    mutation: { offset: number | undefined; bytes: Uint8Array; extent: Extent },
    deadline: Deadline,
  ): Promise<{ offset: number; length: number; extent: Extent }> {
    const { offset } = mutation;
    const { clock } = this.#calls.seams;
    return this.#calls.operations.use(async (operation) => {
      let { extent, bytes } = mutation;
      // Sent at least once without a definite answer: this chunk alone can tell what became of it.
      const outcome = new OpenOutcome(clock);
      for (let attempt = 1; ; attempt += 1) {
        const { handle, version, replicas } = extent.chunk!;
        const primary = replicas[0];
        const timeoutMs = deadline.attemptMs(MUTATION_ATTEMPT_MS);
        outcome.check();
        const sent = momentOf(clock);
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
            { timeoutMs, signal: deadline.signal, data: dataPart(bytes) },
          );
          return { offset: extent.offset + message.offset, length: bytes.length, extent };
        } catch (error) {
          deadline.signal?.throwIfAborted();
          if (!isFsError(error)) throw error;
          if (error.kind === 'CHUNK_FULL' || error.kind === 'CHUNK_SEALED') {
            outcome.settled();
            extent = await this.#next(target, offset, handle, error, { deadline, attempt });
            // Nothing of it was applied. What the extent there has no room for goes into the one behind it.
            if (offset !== undefined) bytes = bytes.subarray(0, extent.limit - offset);
            continue;
          }
          // For want of room a try is refused unseen: what an earlier one has come to, it does not tell.
          if (error.reaction === 'never' && !(outcome.isOpen && error.kind === 'NO_SPACE')) throw error;
          if (error.reaction === 'unknown') outcome.opened(sent, error);
          const { isOpen } = outcome;
          if (isOpen) deadline.noteOutcomeOpen();
          await deadline.pause(attempt, error);
          const isUnreachable = isFsError(error, ...UNREACHABLE);
          const suspected = isUnreachable && primary !== undefined ? [primary.serverId] : [];
          extent = await this.#again(target, { offset, handle, isOpen, suspected }, deadline);
          if (extent.chunk!.handle !== handle) outcome.settled();
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

  /**
   * Where it goes now. One that was never sent without a definite answer goes where the master names; one whose outcome is
   * open goes to the same chunk again, with its present view.
   */
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
    const at: At = offset === undefined ? { $case: 'append', value: true } : { $case: 'offset', value: offset };
    if (!isOpen) return this.#open(target, at, deadline, { suspected });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#open(target, { $case: 'handle', value: handle }, deadline, { suspected });
      } catch (error) {
        // It is gone, and nothing was ever applied to it.
        if (isFsError(error, 'CHUNK_SEALED')) return this.#open(target, at, deadline, { suspected });
        if (isFsError(error, 'CHUNK_NOT_FOUND', 'NOT_FOUND')) {
          const message = `the chunk it was sent to is gone (the file was cut or replaced), so whether it was applied cannot be told`;
          throw new FsError('OUTCOME_EXPIRED', message, { cause: error });
        }
        // The master has no room to note that the chunk is opened: that says nothing of what was sent to it before.
        if (!isFsError(error, 'NO_SPACE')) throw error;
        await deadline.pause(attempt, error);
      }
    }
  }

  async #open(
    target: WriteTarget,
    at: At,
    deadline: Deadline,
    { fullHandle = '', suspected = [] }: { fullHandle?: string; suspected?: number[] } = {},
  ): Promise<Extent> {
    const request = { inode: target.inode, at, fullHandle, suspectedServers: suspected, operation: undefined };
    const { extent, chunkBytes } = await this.#calls.call(MasterMethods.openExtent, request, deadline);
    if (extent?.chunk === undefined) throw new FsError('BAD_FRAME', 'the master opened an extent without a chunk');
    this.#calls.chunkBytes = readChunkBytes(chunkBytes);
    const { offset, limit } = extent;
    if (at.$case === 'offset' && !covers(extent, at.value)) {
      throw new FsError('BAD_FRAME', `the master opened bytes ${offset} to ${limit} for a write at ${at.value}`);
    }
    return extent;
  }
}

function checkRecord({ length }: Uint8Array, bytesMax: number): void {
  if (length >= 1 && length <= bytesMax) return;
  throw new FsError('INVALID_ARGUMENT', `a record of ${length} bytes: 1 to ${bytesMax} are possible`);
}

const NOTHING = new Uint8Array(0);

function covers(extent: Extent | undefined, offset: number): extent is Extent {
  return extent !== undefined && extent.offset <= offset && offset < extent.limit;
}
