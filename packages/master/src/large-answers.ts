/**
 * Answers that may take much memory wait for room before they are made: a peer that asks for many of them and takes none
 * would have all of them gathered (docs/protocol.md, "Frames"). How much is told from the request, at most.
 */
import type { CallContext, CheckRequest, ListRequest, LocateRequest, Payload } from '@cairnfs/protocol';
import {
  ANSWER_BYTES_SMALL,
  CHECK_FILES_DEFAULT,
  CHECK_FILES_MAX,
  LIST_BYTES_MAX,
  LIST_ENTRIES_DEFAULT,
  LIST_ENTRIES_MAX,
  LISTED_BYTES,
  LOCATE_EXTENTS_DEFAULT,
  LOCATE_EXTENTS_MAX,
  LOCATED_BYTES,
  PLAN_CHUNKS_MAX,
  PROBLEM_BYTES,
} from './limits.ts';

/** The handler, run when there is room for as much as `bytesOf` says; small answers need none. */
export function withRoom<Q, S>(
  bytesOf: (request: NoInfer<Q>) => number,
  handler: (request: Q, context: CallContext) => Payload<S> | Promise<Payload<S>>,
): (request: Q, context: CallContext) => Payload<S> | Promise<Payload<S>> {
  return (request, context) => {
    const bytes = bytesOf(request);
    const room = bytes > ANSWER_BYTES_SMALL ? context.room(bytes) : undefined;
    return room === undefined ? handler(request, context) : room.then(() => handler(request, context));
  };
}

export function bytesOfList({ limit }: ListRequest): number {
  const entries = Math.min(limit || LIST_ENTRIES_DEFAULT, LIST_ENTRIES_MAX);
  return Math.min(entries * LISTED_BYTES, LIST_BYTES_MAX);
}

export function bytesOfLocate({ limit }: LocateRequest): number {
  return Math.min(limit || LOCATE_EXTENTS_DEFAULT, LOCATE_EXTENTS_MAX) * LOCATED_BYTES;
}

export function bytesOfCheck({ limit }: CheckRequest): number {
  return Math.min(limit || CHECK_FILES_DEFAULT, CHECK_FILES_MAX) * PROBLEM_BYTES;
}

export function bytesOfPlan({ chunkCount }: { readonly chunkCount: number }): number {
  return Math.min(chunkCount, PLAN_CHUNKS_MAX) * LOCATED_BYTES;
}
