/**
 * Opens the folders of a server's disks side by side, so that those that do not answer keep the start waiting once and
 * not one after another. One that cannot be used is left out alone and reported; a server without any disk does not
 * start. When this is done, every disk's identity lists all of them durably, so that the next start knows an empty mount
 * point from a new disk.
 */
import { DiskError, FsError, isFsError, randomUuid, toError } from '@cairnfs/base';
import { DISK_TIMEOUT_MS, DiskWatch, type JournalSizing, onDevice } from '@cairnfs/storage';
import type { DiskIdentity, KnownDisk } from '../gen/cairn/chunkserver/v1/store.ts';
import { DiskStore, type StoreSeams, type WatchedDevice } from './disk-store.ts';
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

export interface OpeningOptions {
  readonly journal?: JournalSizing | undefined;
  /** How long an operation may take; then its disk is left out, or taken out of service. */
  readonly diskTimeoutMs?: number;
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
 * @throws FsError DAMAGED, DISK_FAILED  no disk is left: the code is that of the one told of first. @throws DiskError EBUSY
 */
export async function openDisks(
  seams: StoreSeams,
  directories: readonly string[],
  { journal, diskTimeoutMs: timeoutMs = DISK_TIMEOUT_MS }: OpeningOptions = {},
): Promise<OpenedDisks> {
  if (directories.length === 0 || new Set(directories).size < directories.length) {
    throw new FsError('INVALID_ARGUMENT', 'a chunkserver needs at least one folder for a disk, each named once');
  }
  const devices = new Map<string, WatchedDevice>();
  for (const directory of directories) {
    const reached = onDevice(seams);
    const watch = new DiskWatch({ clock: seams.clock, device: reached.disk, directory, timeoutMs });
    devices.set(directory, { seams: reached, watch });
  }
  const stores: DiskStore[] = [];
  const lost: LostDisk[] = [];
  const lose = (disk: LostDisk): void => {
    seams.log.error('disk not in service', { directory: disk.directory, error: disk.failure.message });
    lost.push(disk);
  };
  try {
    const folders = await Promise.all(directories.map((directory) => lookAt(devices.get(directory)!, directory)));
    const judgement = judgeFolders(folders);
    await openAll(seams, { devices, folders, judgement, stores, lose, journal });
    const isNew = (store: DiskStore) => judgement.disks.get(store.directory) !== store.identity.diskId;
    const disks = new Map(judgement.disks);
    for (const store of stores.filter(isNew)) disks.set(store.directory, store.identity.diskId);
    const { hasKeptAll } = judgement;
    const full = await tellAll(seams.log, stores, { disks: listDisks(disks), hasKeptAll });
    const left: DiskStore[] = [];
    for (const store of [...stores]) {
      const failure =
        store.failure ?? full.map((refusal) => unknownTo(refusal, store)).find((error) => error !== undefined);
      if (failure === undefined) continue;
      lose({ directory: store.directory, diskId: store.identity.diskId, failure });
      stores.splice(stores.indexOf(store), 1);
      left.push(store);
    }
    await closeDisks(left, seams.log);
    if (stores.length === 0) throw noneLeft(lost);
    for (const { directory } of lost) devices.get(directory)!.watch.end();
    const served = new Set(stores.map(({ identity }) => identity.diskId));
    const isWhole = hasKeptAll && lost.length === 0 && [...disks.values()].every((diskId) => served.has(diskId));
    return { stores, lost, isWhole };
  } catch (error) {
    await closeDisks(stores, seams.log);
    for (const { watch } of devices.values()) watch.end();
    throw error;
  }
}

/**
 * Closes all of them, whatever becomes of one.
 *
 * @returns the first error; each of them is logged.
 */
export async function closeDisks(stores: readonly DiskStore[], log: StoreSeams['log']): Promise<Error | undefined> {
  let first: Error | undefined;
  for (const store of stores) {
    try {
      await store.close();
    } catch (error) {
      log.error('disk not closed', { directory: store.directory, error: toError(error).message });
      first ??= toError(error);
    }
  }
  return first;
}

async function lookAt({ seams: { disk, log } }: WatchedDevice, directory: string): Promise<FoundFolder> {
  const has = async (name: string) => (await disk.stat(`${directory}/${name}`)) !== undefined;
  try {
    const identity = await readIdentity(disk, directory);
    const hasLedger = (await has('journal')) || (await has('state'));
    return { directory, identity, hasLedger, hasMarker: await has(NEW_DISK_MARKER), failure: undefined };
  } catch (error) {
    const failure = faultOf(log, directory, error);
    return { directory, identity: undefined, hasLedger: false, hasMarker: false, failure };
  }
}

interface Opening {
  readonly devices: ReadonlyMap<string, WatchedDevice>;
  readonly folders: readonly FoundFolder[];
  readonly judgement: Judgement;
  readonly stores: DiskStore[];
  readonly lose: (disk: LostDisk) => void;
  readonly journal: JournalSizing | undefined;
}

async function openAll(
  seams: StoreSeams,
  { devices, folders, judgement, stores, lose, journal }: Opening,
): Promise<void> {
  const serverUuid = judgement.serverUuid ?? randomUuid(seams.random);
  // Told at once: another disk may take as long again to answer.
  const accepted: FoundFolder[] = [];
  for (const [index, folder] of folders.entries()) {
    const verdict = judgement.verdicts[index]!;
    if (verdict.kind !== 'refused') accepted.push(folder);
    else lose({ directory: folder.directory, diskId: verdict.diskId, failure: verdict.failure });
  }
  const open = ({ directory }: FoundFolder): Promise<DiskStore> => {
    const options = { serverUuid, hasKeptAll: judgement.beginsWithAll, journal };
    return DiskStore.open(devices.get(directory)!, directory, options);
  };
  const opened = await Promise.allSettled(accepted.map(open));
  // All of them first: the caller closes those in `stores` when another error is thrown.
  for (const outcome of opened) if (outcome.status === 'fulfilled') stores.push(outcome.value);
  for (const [index, outcome] of opened.entries()) {
    if (outcome.status === 'fulfilled') continue;
    const { directory, identity } = accepted[index]!;
    const error: unknown = outcome.reason;
    // Two processes on one folder are no fault of the disk.
    if (error instanceof DiskError && error.code === 'EBUSY') throw error;
    lose({ directory, diskId: identity?.diskId ?? '', failure: faultOf(seams.log, directory, error) });
  }
}

/** A disk that goes on with the list it has, for it has no room for another. */
interface Refusal {
  readonly store: DiskStore;
  readonly fault: FsError;
}

/**
 * The markers go when all others know of the new disks. A disk on which this cannot be written fails, but for one that is
 * full: the lists stay as they are then, on all disks.
 *
 * @returns those that are full. What their lists do not name must not be served.
 */
async function tellAll(
  log: StoreSeams['log'],
  stores: readonly DiskStore[],
  { disks, hasKeptAll }: { disks: KnownDisk[]; hasKeptAll: boolean },
): Promise<readonly Refusal[]> {
  const revision = Math.max(0, ...stores.map(({ identity }) => identity.disksRevision));
  const isTold = ({ identity }: DiskStore) =>
    identity.disksRevision === revision && isSameList(identity.disks, disks) && identity.hasKeptAll === hasKeptAll;
  if (!stores.every(isTold)) {
    const change = { disks, disksRevision: revision + 1, hasKeptAll };
    const drafts = new Map<DiskStore, () => Promise<void>>();
    const draft = async (store: DiskStore) => void drafts.set(store, await store.draftIdentity(change));
    const refused = await onEach(stores, draft);
    // One that is new itself, or was away when the others were told, may not know of disks that were served since.
    const isBehind = ({ identity }: DiskStore) =>
      identity.disksRevision < revision || !names(identity, identity.diskId);
    for (const { store, fault } of refused) if (isBehind(store)) store.fail(fault);
    const full = refused.filter(({ store }) => store.failure === undefined);
    for (const { store, fault } of full) {
      log.warn('the list of disks stays as it was', { directory: store.directory, error: fault.message });
    }
    if (full.length > 0) return full;
    const late = await onEach(stores, async (store) => drafts.get(store)?.());
    for (const { store, fault } of late) store.fail(fault); // the others may be told already
  }
  await onEach(stores, (store) => store.removeFile(NEW_DISK_MARKER)); // what stays goes at a later start
  return [];
}

/** @returns why the disk cannot be served beside one that has no room to note it. */
function unknownTo({ store: full, fault }: Refusal, { directory, identity }: DiskStore): FsError | undefined {
  if (names(full.identity, identity.diskId)) return undefined;
  const message = `disk ${directory} is not taken into service, for ${full.directory} has no room to note it (${toError(fault.cause).message}): free some there, and start the server again`;
  return new FsError(fault.kind, message, { cause: fault, details: { path: directory } });
}

function names({ disks }: DiskIdentity, disk: string): boolean {
  return disks.some(({ diskId }) => diskId === disk);
}

/** A disk on which the work cannot be done fails. @returns those that are only full, or not asked for want of open files. */
async function onEach(
  stores: readonly DiskStore[],
  work: (store: DiskStore) => Promise<void>,
): Promise<readonly Refusal[]> {
  const refused: Refusal[] = [];
  const attempt = async (store: DiskStore): Promise<void> => {
    try {
      if (store.failure === undefined) await work(store);
    } catch (error) {
      if (error instanceof DiskError && (error.isFull || error.isShortage)) {
        refused.push({ store, fault: store.fault(error) });
      } else {
        store.fail(error);
      }
    }
  };
  await Promise.all(stores.map(attempt));
  return refused;
}

/** Whatever it is: what one disk holds must not keep the others from being served. */
function faultOf(log: StoreSeams['log'], directory: string, error: unknown): FsError {
  if (isFsError(error)) return error;
  if (!(error instanceof DiskError)) log.error('disk not opened', { directory, error }); // a mistake of ours, with its stack
  const message = `disk ${directory} cannot be opened (${toError(error).message}): repair or replace it; its copies are made again elsewhere`;
  return new FsError('DISK_FAILED', message, { cause: error, details: { path: directory } });
}

function noneLeft(lost: readonly LostDisk[]): FsError {
  const [first] = lost;
  if (lost.length === 1) return first!.failure;
  const all = lost.map(({ failure }) => failure.message).join('; ');
  return new FsError(first!.failure.kind, `no disk of this server can be used: ${all}`);
}
