/**
 * Opens the folders of a server's disks. One that cannot be used is left out alone and reported; a server without any
 * disk does not start. When this is done, every disk's identity lists all of them durably, so that the next start knows
 * an empty mount point from a new disk.
 */
import { DiskError, FsError, isFsError, randomUuid } from '@cairnfs/base';
import type { JournalSizing } from '@cairnfs/storage';
import type { KnownDisk } from '../gen/cairn/chunkserver/v1/store.ts';
import { DiskStore, type StoreSeams } from './disk-store.ts';
import { readIdentity } from './identity.ts';
import {
  type FoundFolder,
  isSameList,
  type Judgement,
  judgeFolders,
  listDisks,
  NEW_DISK_MARKER,
} from './known-disks.ts';

/** A configured folder whose disk is not served: damaged, not mounted, or another one. */
export interface LostDisk {
  readonly directory: string;
  /** Empty when nothing tells which disk it is. */
  readonly diskId: string;
  readonly failure: FsError;
}

export interface OpenedDisks {
  /** At least one. */
  readonly stores: DiskStore[];
  readonly lost: readonly LostDisk[];
  /** All that the server ever held is on `stores`, as long as none of them fails. */
  readonly isWhole: boolean;
}

/**
 * @throws FsError INVALID_ARGUMENT. @throws FsError CLUSTER_MISMATCH  the folders belong to different servers.
 * @throws FsError DAMAGED, DISK_FAILED  no disk is left; the error is that of the first. @throws DiskError EBUSY
 */
export async function openDisks(
  seams: StoreSeams,
  directories: readonly string[],
  journal?: JournalSizing,
): Promise<OpenedDisks> {
  if (directories.length === 0 || new Set(directories).size < directories.length) {
    throw new FsError('INVALID_ARGUMENT', 'a chunkserver needs at least one folder for a disk, each named once');
  }
  const folders: FoundFolder[] = [];
  for (const directory of directories) folders.push(await lookAt(seams, directory));
  const judgement = judgeFolders(folders);
  const stores: DiskStore[] = [];
  const lost: LostDisk[] = [];
  const lose = (disk: LostDisk): void => {
    seams.log.error('disk not in service', { directory: disk.directory, error: disk.failure.message });
    lost.push(disk);
  };
  try {
    await openAll(seams, { folders, judgement, stores, lose, journal });
    const isNew = (store: DiskStore) => judgement.disks.get(store.directory) !== store.identity.diskId;
    const disks = new Map(judgement.disks);
    for (const store of stores.filter(isNew)) disks.set(store.directory, store.identity.diskId);
    const { hasKeptAll } = judgement;
    await tellAll(stores, { disks: listDisks(disks), hasKeptAll });
    for (const store of stores.filter(({ failure }) => failure !== undefined)) {
      lose({ directory: store.directory, diskId: store.identity.diskId, failure: store.failure! });
      stores.splice(stores.indexOf(store), 1);
      await store.close();
    }
    if (stores.length === 0) throw noneLeft(lost);
    const served = new Set(stores.map(({ identity }) => identity.diskId));
    const isWhole = hasKeptAll && lost.length === 0 && [...disks.values()].every((diskId) => served.has(diskId));
    return { stores, lost, isWhole };
  } catch (error) {
    for (const store of stores) await store.close();
    throw error;
  }
}

async function lookAt({ disk }: StoreSeams, directory: string): Promise<FoundFolder> {
  const has = async (name: string) => (await disk.stat(`${directory}/${name}`)) !== undefined;
  try {
    const identity = await readIdentity(disk, directory);
    const hasLedger = (await has('journal')) || (await has('state'));
    return { directory, identity, hasLedger, hasMarker: await has(NEW_DISK_MARKER), failure: undefined };
  } catch (error) {
    return { directory, identity: undefined, hasLedger: false, hasMarker: false, failure: faultOf(directory, error) };
  }
}

interface Opening {
  readonly folders: readonly FoundFolder[];
  readonly judgement: Judgement;
  readonly stores: DiskStore[];
  readonly lose: (disk: LostDisk) => void;
  readonly journal: JournalSizing | undefined;
}

async function openAll(seams: StoreSeams, { folders, judgement, stores, lose, journal }: Opening): Promise<void> {
  const serverUuid = judgement.serverUuid ?? randomUuid(seams.random);
  for (const [index, { directory, identity }] of folders.entries()) {
    const verdict = judgement.verdicts[index]!;
    if (verdict.kind === 'refused') {
      lose({ directory, diskId: verdict.diskId, failure: verdict.failure });
      continue;
    }
    try {
      stores.push(await DiskStore.open(seams, directory, { serverUuid, hasKeptAll: judgement.beginsWithAll, journal }));
    } catch (error) {
      // Two processes on one folder are no fault of the disk.
      if (error instanceof DiskError && error.code === 'EBUSY') throw error;
      lose({ directory, diskId: identity?.diskId ?? '', failure: faultOf(directory, error) });
    }
  }
}

/** A disk on which this cannot be written fails. The markers go when all others know of the new disks. */
async function tellAll(
  stores: readonly DiskStore[],
  { disks, hasKeptAll }: { disks: KnownDisk[]; hasKeptAll: boolean },
): Promise<void> {
  const revision = Math.max(0, ...stores.map(({ identity }) => identity.disksRevision));
  const isTold = ({ identity }: DiskStore) =>
    identity.disksRevision === revision && isSameList(identity.disks, disks) && identity.hasKeptAll === hasKeptAll;
  if (!stores.every(isTold)) {
    const change = { disks, disksRevision: revision + 1, hasKeptAll };
    for (const store of stores) await orFail(store, () => store.writeIdentity(change));
  }
  for (const store of stores) await orFail(store, () => store.removeFile(NEW_DISK_MARKER));
}

async function orFail(store: DiskStore, work: () => Promise<void>): Promise<void> {
  try {
    if (store.failure === undefined) await work();
  } catch (error) {
    store.fail(error);
  }
}

function faultOf(directory: string, error: unknown): FsError {
  if (isFsError(error)) return error;
  if (!(error instanceof DiskError)) throw error;
  const message = `disk ${directory} cannot be opened (${error.message}): repair or replace it; its copies are made again elsewhere`;
  return new FsError('DISK_FAILED', message, { cause: error, details: { path: directory } });
}

function noneLeft(lost: readonly LostDisk[]): FsError {
  const [first] = lost;
  if (lost.length === 1) return first!.failure;
  const all = lost.map(({ failure }) => failure.message).join('; ');
  return new FsError(first!.failure.kind, `no disk of this server can be used: ${all}`);
}
