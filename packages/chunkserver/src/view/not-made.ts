/**
 * Why a member makes no replica of an empty chunk, and who is told (docs/spec/mutations.md, "Taking a lease again"). The chunk
 * ends before its first byte then, and gives way to another one.
 */
import { FsError } from '@cairnfs/base';
import type { MutationContext } from '../mutation/mutation-context.ts';

interface ChunkVersion {
  readonly handle: string;
  readonly version: number;
}

/**
 * A disk out of service may hold a replica that is in sync at this very version: were another made now, that one would pass
 * for it when its disk returns, and what was acknowledged in between would be cut off everywhere. Where this version was asked
 * to be promised and no replica was to be seen, there is none that has.
 */
export function mayHideOf({ absences, mayHide }: MutationContext, { handle, version }: ChunkVersion): boolean {
  return mayHide(handle) && !absences.wasAsked(handle, version);
}

/** Nothing is made beside a replica that may be there. */
export function hidden(context: MutationContext, handle: string): FsError {
  return notMade(context, new FsError('DISK_FAILED', `chunk ${handle}: a disk out of service may hold its replica`));
}

/** The error of a member that was to make its replica, with what the server has left for others. */
export function notMade({ replicas }: MutationContext, error: FsError): FsError {
  if (error.kind !== 'DISK_FAILED' || !replicas.hasDisk()) return error;
  const { message, details } = error;
  return new FsError('DISK_FAILED', message, { details: { ...details, [OTHER_DISKS]: 1 }, cause: error });
}

/** The member makes no replica of this chunk; of another one it does, on another disk. */
export function isNotMade(error: FsError): boolean {
  return error.kind === 'DISK_FAILED' && Number(error.details[OTHER_DISKS] ?? 0) > 0;
}

/**
 * Of an empty chunk a server without any disk is as good as a full one; where the others are too few without it, no view of
 * this chunk would ever hold. One that is sealed has no other to give way to.
 */
export function withoutRoom(
  { handle, sealed }: { handle: string; sealed: boolean },
  failed: ReadonlyMap<number, FsError>,
): ReadonlyMap<number, FsError> {
  const asFull = (error: FsError): FsError => {
    if (sealed || error.kind !== 'DISK_FAILED' || isNotMade(error)) return error;
    return new FsError('NO_SPACE', `chunk ${handle}: its replica cannot be made (${error.message})`, { cause: error });
  };
  return new Map([...failed].map(([id, error]) => [id, asFull(error)]));
}

const OTHER_DISKS = 'otherDisks';
