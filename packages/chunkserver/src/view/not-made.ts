/**
 * Whether a member makes its replica of an empty chunk, where, and who is told when it does not (docs/spec/views.md, "No server
 * has two replicas of one version"). The chunk ends before its first byte then, and gives way to another one.
 */
import { FsError, isFsError } from '@cairnfs/base';
import type { ChunkView } from '@cairnfs/protocol';
import type { MutationContext } from '../mutation/mutation-context.ts';
import type { MutableReplica } from '../mutation/replica-port.ts';

/**
 * There may be one already that is in sync at this very version, though none is found: were another made now, that one would
 * pass for it when its disk returns, and what was acknowledged in between would be cut off everywhere. Of the first version it
 * is on the disk that the view names, or nowhere. Of another one it may be on any that is not here; where that version was asked
 * to be promised and no replica was to be seen, and none was made since, there is none that has.
 */
export function mayHideOf(context: MutationContext, view: ChunkView): boolean {
  const { handle, version } = view;
  const { replicas, absences } = context;
  const disk = diskOf(context, view);
  if (disk !== '') return !replicas.isInService(disk) || replicas.isUnreadable(handle);
  return (context.mayHide(handle) || !context.isWhole()) && !absences.wasAsked(handle, version);
}

/**
 * Makes the replica that `mayHideOf` has said is not there.
 *
 * @param unmade what an earlier attempt has left of it.
 * @throws FsError NO_SPACE, DISK_FAILED  as `notMade` has them.
 */
export function makeReplica(
  context: MutationContext,
  view: ChunkView,
  unmade: MutableReplica | undefined,
): MutableReplica {
  context.absences.made(view.handle);
  try {
    return unmade ?? context.replicas.create(view, diskOf(context, view));
  } catch (error) {
    throw isFsError(error) ? notMade(context, view, error) : error;
  }
}

/** Nothing is made beside a replica that may be there. */
export function hidden(context: MutationContext, view: ChunkView): FsError {
  const message = `chunk ${view.handle}: a disk out of service may hold its replica`;
  return notMade(context, view, new FsError('DISK_FAILED', message));
}

/** The error of a member that was to make its replica, with what the server has left for others. */
export function notMade(context: MutationContext, view: ChunkView, error: FsError): FsError {
  const disk = diskOf(context, view);
  // Where the choice was the server's, the disk with the most room had none.
  const isFull = error.kind === 'NO_SPACE' && disk === '';
  if (!isOfDisk(error) || isFull || !context.replicas.hasRoomBeside(disk)) return error;
  const { kind, message, details } = error;
  return new FsError(kind, message, { details: { ...details, [OTHER_DISKS]: 1 }, cause: error });
}

/** The member makes no replica of this chunk; of another one it does, on another disk. */
export function isNotMade(error: FsError): boolean {
  return isOfDisk(error) && Number(error.details[OTHER_DISKS] ?? 0) > 0;
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

/** Empty: the view names none. */
function diskOf({ serverId }: MutationContext, { members, disks }: ChunkView): string {
  return disks[members.indexOf(serverId())] ?? '';
}

const isOfDisk = ({ kind }: FsError): boolean => kind === 'DISK_FAILED' || kind === 'NO_SPACE';

const OTHER_DISKS = 'otherDisks';
