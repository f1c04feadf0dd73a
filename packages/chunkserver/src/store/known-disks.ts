/**
 * Which of a server's folders hold which of its disks, decided from what the identities say together: a folder that is
 * empty because nothing is mounted there must never be taken for a new disk, nor one that holds something else for the
 * disk it was. Pure decisions; `open-disks.ts` acts on them.
 */
import { FsError } from '@cairnfs/base';
import type { DiskIdentity, KnownDisk } from '../gen/cairn/chunkserver/v1/store.ts';

/** In an empty folder: a new disk begins here, whatever the folder held before. */
export const NEW_DISK_MARKER = 'new-disk';

/** What was found in a configured folder. */
export interface FoundFolder {
  readonly directory: string;
  readonly identity: DiskIdentity | undefined;
  /** It has a journal or an index. */
  readonly hasLedger: boolean;
  readonly hasMarker: boolean;
  /** The folder could not be read. */
  readonly failure: FsError | undefined;
}

export type Verdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'new' }
  | { readonly kind: 'refused'; readonly diskId: string; readonly failure: FsError };

export interface Judgement {
  /** Undefined: no disk says, so this is a first start. */
  readonly serverUuid: string | undefined;
  /** Disk by path, as it is now: also those that are refused or no longer configured. */
  readonly disks: ReadonlyMap<string, string>;
  /** One for each folder, in their order. */
  readonly verdicts: readonly Verdict[];
  /** No disk was ever given up for a new one, now included. */
  readonly hasKeptAll: boolean;
  /** The same of disks that begin now, before the others know of them: true only where no other can have been served. */
  readonly beginsWithAll: boolean;
}

/** @throws FsError CLUSTER_MISMATCH  the folders are of several servers, and nothing tells which one this is. */
export function judgeFolders(folders: readonly FoundFolder[]): Judgement {
  const serverUuid = decideServer(folders);
  const identities = folders.flatMap(({ identity }) => (identity === undefined ? [] : [identity]));
  const own = latestOf(identities.filter((identity) => identity.serverUuid === serverUuid));
  const disks = new Map(own.flatMap((identity) => identity.disks.map(({ path, diskId }) => [path, diskId] as const)));
  let hasKeptAll = own.every((identity) => identity.hasKeptAll);
  // Whoever is not readable might know the folders that have no identity.
  const isBlind = serverUuid === undefined && folders.some(({ failure }) => failure !== undefined);
  const taken = new Map<string, string>();
  const verdicts = folders.map((folder): Verdict => {
    const { directory, identity, failure, hasMarker } = folder;
    const expected = disks.get(directory);
    const refused = (error: FsError): Verdict => {
      return { kind: 'refused', diskId: identity?.diskId ?? expected ?? '', failure: error };
    };
    if (failure !== undefined) return refused(failure);
    if (identity === undefined) {
      const refusal = refusalOfEmpty(folder, expected, isBlind);
      if (refusal !== undefined) return refused(refusal);
      if (expected !== undefined) hasKeptAll = false;
      return { kind: 'new' };
    }
    const { diskId } = identity;
    if (identity.serverUuid !== serverUuid) return refused(strange(directory, expected, 'a disk of another server'));
    const other = taken.get(diskId);
    if (other !== undefined) return refused(strange(directory, expected, `a copy of the disk in ${other}`));
    // With the marker it is a new disk that a crash kept from the lists.
    if (expected !== undefined && expected !== diskId && !hasMarker) {
      const before = [...disks].find(([, id]) => id === diskId)?.[0];
      if (before === undefined) return refused(strange(directory, expected, `disk ${diskId}`));
      // One of this server's disks was mounted elsewhere: the other one is now missing where this one was.
      disks.set(before, expected);
    }
    if (expected !== undefined && expected !== diskId && hasMarker) hasKeptAll = false;
    disks.set(directory, diskId);
    taken.set(diskId, directory);
    return { kind: 'known' };
  });
  const beginsWithAll = hasKeptAll && own.every(({ disksRevision }) => disksRevision === 0);
  return { serverUuid, disks, verdicts, hasKeptAll, beginsWithAll };
}

export function listDisks(disks: ReadonlyMap<string, string>): KnownDisk[] {
  const listed = [...disks].map(([path, diskId]) => ({ path, diskId }));
  return listed.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function isSameList(one: readonly KnownDisk[], other: readonly KnownDisk[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ path, diskId }, index) => path === other[index]!.path && diskId === other[index]!.diskId)
  );
}

/** The server that most of the folders speak for, by being its disks or by being on their lists. */
function decideServer(folders: readonly FoundFolder[]): string | undefined {
  const votes = new Map<string, Set<string>>();
  for (const { directory, identity } of folders) {
    if (identity === undefined) continue;
    const { serverUuid } = identity;
    const cast = votes.get(serverUuid) ?? new Set<string>();
    votes.set(serverUuid, cast.add(`is ${directory}`));
    for (const { path } of identity.disks) {
      if (folders.some((folder) => folder.directory === path)) cast.add(`knows ${path}`);
    }
  }
  const ranked = [...votes].sort(([, a], [, b]) => b.size - a.size);
  if (ranked.length > 1 && ranked[0]![1].size === ranked[1]![1].size) {
    const told = folders.filter(({ identity }) => identity !== undefined);
    const first = told.find(({ identity }) => identity!.serverUuid === ranked[0]![0])!;
    const second = told.find(({ identity }) => identity!.serverUuid === ranked[1]![0])!;
    throw new FsError(
      'CLUSTER_MISMATCH',
      `the disks ${first.directory} and ${second.directory} belong to different servers: start each server with its own disks`,
    );
  }
  return ranked[0]?.[0];
}

/** Those of the highest revision; a disk that was away has an older one. */
function latestOf(identities: readonly DiskIdentity[]): DiskIdentity[] {
  const revision = Math.max(0, ...identities.map(({ disksRevision }) => disksRevision));
  return identities.filter(({ disksRevision }) => disksRevision === revision);
}

function refusalOfEmpty(
  { directory, hasLedger, hasMarker }: FoundFolder,
  expected: string | undefined,
  isBlind: boolean,
): FsError | undefined {
  const fresh = `create ${directory}/${NEW_DISK_MARKER} to begin a new disk there`;
  const details = { details: { path: directory } };
  if (hasLedger) {
    const message = `the folder ${directory} has a journal or an index but no identity file: restore it, or move what is there aside and ${fresh}`;
    return new FsError('DAMAGED', message, details);
  }
  if (hasMarker) return undefined;
  if (expected !== undefined) {
    const message = `the folder ${directory} held disk ${expected} before and is empty now: mount it again, or ${fresh}`;
    return new FsError('DISK_FAILED', message, details);
  }
  if (!isBlind) return undefined;
  const message = `the folder ${directory} is empty, and no other disk of the server can be read to tell whether it held one: repair that first, or ${fresh}`;
  return new FsError('DISK_FAILED', message, details);
}

function strange(directory: string, expected: string | undefined, found: string): FsError {
  const before = expected === undefined ? 'is new to this server' : `held disk ${expected} before`;
  const message = `the folder ${directory} ${before} and holds ${found} now: mount the right one, or an empty folder with a file ${NEW_DISK_MARKER} in it to begin a new disk there`;
  return new FsError('DISK_FAILED', message, { details: { path: directory } });
}
