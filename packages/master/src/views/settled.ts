/** What a primary's word about the end of a chunk means. */
import { FsError } from '@cairnfs/base';
import type { Chunk } from '../gen/cairn/master/v1/state.ts';

/** As a primary says it. */
export interface ChunkEnd {
  readonly committedLength: number;
  readonly sequence: number;
  readonly changedMs?: number | undefined;
}

/**
 * Where a chunk ends by what its primary says. At a sequence number the log knows, the log's length counts: a replica of an
 * upload may hold bytes behind the confirmed end that no mutation has cut off yet.
 *
 * @throws FsError DAMAGED  the primary is behind what the log knows to be committed.
 */
export function settledBy(
  handle: string,
  chunk: Pick<Chunk, 'sequence' | 'baseSequence' | 'length'>,
  said: ChunkEnd,
): { length: number; sequence: number; changedMs: number | undefined } {
  const known = Math.max(chunk.sequence, chunk.baseSequence);
  if (said.sequence < known) {
    throw new FsError(
      'DAMAGED',
      `chunk ${handle}: its primary ends at sequence ${said.sequence}, committed is ${known}: it has lost acknowledged data`,
      { details: { sequence: said.sequence, known } },
    );
  }
  const { sequence, changedMs } = said;
  return { length: sequence === known ? chunk.length : said.committedLength, sequence, changedMs };
}
