/** Reads ranges of a file: several pieces in flight, holes filled with zeros, old locations looked up again. */
import { isFsError } from '@cairnfs/base';
import { FRAME_DATA_BYTES_MAX } from '@cairnfs/protocol';
import type { Deadline } from '../call/deadline.ts';
import { Flight } from '../call/flight.ts';
import { READ_FRAMES_IN_FLIGHT } from '../limits.ts';
import type { Layout, LocatedFile, Segment } from './located-file.ts';
import type { ReplicaReader } from './replica-reader.ts';

interface Piece {
  readonly segment: Segment;
  readonly offset: number;
  readonly target: Uint8Array;
}

export class FileReader {
  readonly #replicas: ReplicaReader;

  constructor(replicas: ReplicaReader) {
    this.#replicas = replicas;
  }

  /** Fills `target` from `offset` on; answers the bytes there were: fewer only at the end of the file. */
  async read(file: LocatedFile, offset: number, target: Uint8Array, deadline: Deadline): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const layout = await file.layout(offset, target.length, deadline, attempt > 1);
        return await this.#readLayout(layout, offset, target, deadline);
      } catch (error) {
        deadline.signal?.throwIfAborted();
        if (!isFsError(error) || error.reaction === 'never') throw error;
        file.forget();
        await deadline.pause(attempt, error);
      }
    }
  }

  async #readLayout(
    { segments, size }: Layout,
    offset: number,
    target: Uint8Array,
    deadline: Deadline,
  ): Promise<number> {
    const pieces = piecesOf(segments, offset, target);
    // It ends when all its pieces have: one that came late must not fall into what a later attempt, or the caller, puts there.
    const flight = new Flight(READ_FRAMES_IN_FLIGHT);
    const isFresh = size !== undefined;
    for (const piece of pieces) {
      if (flight.hasFailed) break;
      await flight.add(this.#readPiece(piece, isFresh, deadline));
    }
    await flight.end();
    return segments.reduce((sum, { length }) => sum + length, 0);
  }

  async #readPiece({ segment, offset, target }: Piece, isFresh: boolean, deadline: Deadline): Promise<void> {
    const { extent } = segment;
    if (extent === undefined) {
      target.fill(0);
      return;
    }
    const length = await this.#replicas.read({ extent, isFresh }, offset - extent.offset, target, deadline);
    // An open chunk that ends before the extent's room does: the rest is a hole below the end of the file.
    if (length < target.length) target.fill(0, length);
  }
}

/**
 * At most a frame each. What a range has of one chunk is one piece when it fits, and so of one moment; more is cut where
 * frames of a whole chunk would be, so that blocks are read once.
 */
function piecesOf(segments: readonly Segment[], offset: number, target: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (const segment of segments) {
    const segmentEnd = segment.offset + segment.length;
    const base = segment.length <= FRAME_DATA_BYTES_MAX ? segment.offset : (segment.extent?.offset ?? 0);
    for (let at = segment.offset; at < segmentEnd; ) {
      const frameEnd = base + (Math.floor((at - base) / FRAME_DATA_BYTES_MAX) + 1) * FRAME_DATA_BYTES_MAX;
      const end = Math.min(frameEnd, segmentEnd);
      pieces.push({ segment, offset: at, target: target.subarray(at - offset, end - offset) });
      at = end;
    }
  }
  return pieces;
}
