/** The file that an upload becomes. It is named when the upload begins; of a spare one, when it is confirmed. */
import { FsError } from '@cairnfs/base';
import { CreateMode, type UploadTarget } from '@cairnfs/protocol';
import type { Upload } from '../gen/cairn/master/v1/state.ts';
import { alreadyExists, isADirectory } from '../namespace/change-calls.ts';
import { checkNotInTrash, type Place, resolvePlace } from '../namespace/resolve.ts';
import type { Transaction } from '../state/transaction.ts';

export interface FoundTarget {
  readonly place: Place;
  /** The inode that the file will replace. */
  readonly replaced: number | undefined;
}

type Wanted = Pick<Upload, 'path' | 'create' | 'makeParents'>;

/** What a spare upload has in the place of a target. */
export const NO_TARGET = {
  path: '',
  create: CreateMode.CREATE_MODE_OPEN,
  mode: 0,
  owner: '',
  group: '',
  makeParents: false,
};

/** @throws FsError INVALID_ARGUMENT  the upload has a target already, or has none and is not given one. */
export function withTarget(upload: Readonly<Upload>, target: UploadTarget | undefined): Readonly<Upload> {
  const isSpare = upload.path === NO_TARGET.path;
  if (isSpare && target === undefined) {
    throw new FsError('INVALID_ARGUMENT', 'this upload is a spare one: name the target that its file is to have');
  }
  if (!isSpare && target !== undefined) {
    throw new FsError(
      'INVALID_ARGUMENT',
      `this upload became '${upload.path}' when it began: it takes no other target`,
    );
  }
  if (target === undefined) return upload;
  const { path, create, mode, owner, group, makeParents } = target;
  const { replication, startedMs, handles } = upload;
  return { path, create, mode, owner, group, makeParents, replication, startedMs, handles };
}

/** Refuses at the beginning what would be refused at the end. */
export function checkTarget(transaction: Transaction, wanted: Wanted): void {
  try {
    findTarget(transaction, wanted);
  } catch (error) {
    const isMade = wanted.makeParents && error instanceof FsError && error.kind === 'NOT_FOUND';
    if (!isMade) throw error;
  }
}

/** @throws FsError ALREADY_EXISTS, IS_A_DIRECTORY, INVALID_ARGUMENT, and as `resolvePlace` */
export function findTarget(transaction: Transaction, { path, create }: Wanted): FoundTarget {
  if (create === CreateMode.CREATE_MODE_OPEN) {
    const message = 'an upload makes a new file or replaces one: CREATE_MODE_OPEN has no meaning';
    throw new FsError('INVALID_ARGUMENT', message);
  }
  checkNotInTrash(path);
  const place = resolvePlace(transaction, path);
  const existing = transaction.dirent(place.parent.id, place.name);
  if (existing === undefined) return { place, replaced: undefined };
  if (create === CreateMode.CREATE_MODE_EXCLUSIVE) throw alreadyExists(path);
  if (existing.isDirectory) throw isADirectory(path);
  return { place, replaced: existing.inode };
}
