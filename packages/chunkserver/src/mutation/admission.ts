/**
 * Whether the primary takes a mutation, and where its bytes go (docs/spec/mutations.md, "The primary", steps 1 and 2).
 * Nothing here changes the replica.
 */
import { assert, FsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import type { InFlight } from './in-flight.ts';
import type { MutationCall, MutationRequest } from './mutation-call.ts';
import type { MutableReplica } from './replica-port.ts';

/**
 * Answers a retry of what was applied already, or lets it join the first try that is still under way.
 *
 * @returns whether it was one.
 */
export function isRepeated(
  call: MutationCall,
  { handle, log, operations }: MutableReplica,
  inFlight: InFlight,
): boolean {
  const { operation } = call.request;
  if (operation === undefined) return false;
  const earlier = operations.lookup(operation);
  if (earlier === undefined) return false;
  const { sequence, offset } = earlier;
  if (sequence <= log.committedSequence) {
    call.repeat({ offset, sequence, committedLength: log.committedLength });
    return true;
  }
  const first = inFlight.at(sequence - log.committedSequence - 1);
  assert(first !== undefined, () => `${handle}: mutation ${sequence} is staged and not in flight`);
  first.join(call);
  return true;
}

/**
 * Where the bytes go: an append behind everything staged.
 *
 * @throws FsError CHUNK_SEALED, CHUNK_FULL
 */
export function placeOf(request: MutationRequest, { handle, log }: MutableReplica, view: ChunkView): number {
  const isAppend = request.writeAt === undefined;
  const offset = request.writeAt ?? log.stagedLength;
  const end = offset + request.bytes.length;
  if ((view.sealed || log.isSealed) && (isAppend || end > log.stagedLength)) throw sealed(handle);
  if (end > request.capacity) {
    throw new FsError(
      'CHUNK_FULL',
      `chunk ${handle} has no room for ${request.bytes.length} bytes at ${offset}: its extent ends at ` +
        `${request.capacity}; use the next chunk`,
      { details: { offset, capacity: request.capacity } },
    );
  }
  return offset;
}

/** @throws FsError CHUNK_FULL, OVERLOADED  the operation table takes no more. */
export function checkOperationRoom(
  { operation, writeAt }: MutationRequest,
  { handle, operations }: MutableReplica,
  nowMs: number,
): void {
  if (operation === undefined || operations.hasRoom(operation.client, nowMs)) return;
  const kind = writeAt === undefined ? 'CHUNK_FULL' : 'OVERLOADED';
  throw new FsError(
    kind,
    `chunk ${handle} remembers ${operations.resultCount} operations of ${operations.clientCount} clients and takes ` +
      'no more for now',
  );
}

export function sealed(handle: string): FsError {
  return new FsError('CHUNK_SEALED', `chunk ${handle} may not grow any more; use the next chunk`);
}
