/**
 * A replica and the master's view changes (docs/protocol.md, "Views"): promises, lengths and the proof by which a closed
 * chunk takes a confirmed version.
 */
import { type ErrorDetails, FsError } from '@cairnfs/base';
import type { Payload, PrepareViewReply, PrepareViewRequest } from '@cairnfs/protocol';
import { commitReplica, dropMutations } from '../mutation/commit.ts';
import type { MutationContext } from '../mutation/mutation-context.ts';
import type { Primaries } from '../mutation/primaries.ts';
import type { MutableReplica } from '../mutation/replica-port.ts';
import { isUnmade, notFound, type Secondaries } from '../mutation/secondary.ts';
import { checkAddressee } from '../serve/addressee.ts';

/**
 * Promises the new version: everything of the old one is refused from now on. The answer comes when the promise, and
 * with it all staged before, is on stable storage: at once when the same was promised before and is there.
 *
 * @throws FsError STALE_VERSION  a higher version was promised, or the replica is not in sync at the old one, or knows of
 * less than the one taken back must. One that is to leave has promised the new version then as well, unless a higher one.
 * @throws FsError CHUNK_NOT_FOUND  no replica is here; with `hidden` in the details, none that can be seen; with `whole`,
 * there never was one that was not ordered away; with `ledSequence` and `ledLength`, all that this server committed as
 * primary of the old version ends there. An older view makes none here any more.
 * @throws FsError OVERLOADED  no replica is here, and that of too many chunks to remember.
 * @throws FsError DISK_FAILED  it may have become durable or not.
 */
export async function prepareView(
  { context, secondaries, primaries }: { context: MutationContext; secondaries: Secondaries; primaries: Primaries },
  request: PrepareViewRequest,
): Promise<Payload<PrepareViewReply>> {
  const { handle, oldVersion, newVersion, removed, serverId, committedSequence, disk } = request;
  checkAddressee('PrepareView', serverId, context.serverId());
  const replica = context.replicas.find(handle);
  if (replica === undefined || isUnmade(replica)) {
    // There is nothing here to promise with, and neither a primary that is about to make the replica would be stopped by it,
    // nor an older view that is on its way here and would.
    context.absences.note(handle, newVersion);
    primaries.promised(handle);
    throw notFound(handle, { ...absenceOf(context, handle, disk), ...primaries.ledTo(handle, oldVersion) });
  }
  const { log } = replica;
  if (log.committedSequence < committedSequence) {
    const message = `chunk ${handle}: mutation ${committedSequence} is not known here to be committed, only ${log.committedSequence}`;
    throw new FsError('STALE_VERSION', `${message}; the replica cannot be taken back`);
  }
  // It never had all of the view it is to leave, and says so; but what it could still serve is older yet.
  const isBehind = removed && oldVersion > log.keptVersion;
  log.promise({ oldVersion, newVersion, removed });
  secondaries.refuseWaiting(replica);
  primaries.promised(handle);
  // A master that did not wait as long as the disk took asks again: with a record for each time it would never hear the answer.
  if (!log.isPromiseDurable) {
    await new Promise<void>((durable, failed) => replica.journalPromise(durable, failed));
    log.markPromiseDurable({ newVersion, removed });
  }
  // A later promise while this one became durable: the master gave this attempt up.
  if (isBehind || log.promisedVersion !== newVersion || log.version >= newVersion) log.checkVersion(oldVersion);
  const staged = log.staged.slice(0, log.durableSequence - log.committedSequence);
  return {
    message: {
      stagedSequence: log.durableSequence,
      committedSequence: log.committedSequence,
      committedLength: log.committedLength,
      stagedLength: staged.at(-1)?.lengthAfter ?? log.committedLength,
      lengthsAfter: staged.map(({ lengthAfter }) => lengthAfter),
      // The term ended with the promise, so nothing is committed under it after this.
      hasLed: log.ledVersion === oldVersion,
      installedVersion: log.version,
    },
  };
}

/** What it proves that no replica is found. Of the first version one was made on the disk named, or never. */
function absenceOf({ replicas, mayHide, isWhole }: MutationContext, handle: string, disk: string): ErrorDetails {
  const wasNeverMade = disk !== '' && replicas.isInService(disk) && !replicas.isUnreadable(handle);
  if (wasNeverMade) return { whole: 1 };
  if (mayHide(handle)) return { hidden: 1 };
  return isWhole() ? { whole: 1 } : {};
}

type Proof = { readonly version: number } & ({ readonly knownLength: number } | { readonly sequence: number });

/**
 * Installs a promised version because a client named it, or a clone: those learn only confirmed versions. Its base is the
 * sequence number the master confirmed; where only the length there is known, that says which of the staged mutations it
 * holds when each of them made the chunk longer.
 *
 * @returns false when that cannot be told here, and only the view itself, brought by a primary, settles it; also of a learner.
 */
export function installByProof(replica: MutableReplica, proof: Proof): boolean {
  const { log, view } = replica;
  const { version } = proof;
  if (version === log.version && log.promisedVersion === version) return !log.isLearner;
  if (version !== log.promisedVersion || log.isRemoved) return false;
  const base = 'sequence' in proof ? baseOfSequence(replica, proof.sequence) : baseOfLength(replica, proof.knownLength);
  if (base === undefined) return false;
  commitReplica(replica, base);
  dropMutations(replica, log.install({ version, term: 0, base }).dropped);
  const installed = {
    members: [],
    addresses: [],
    minimum: 1,
    lease: 0,
    disks: [],
    ...view,
    handle: log.handle,
    version,
    baseSequence: base,
  };
  // Nothing depends on its durability: after a restart the promise stands, and the next proof tells the same.
  const nobody = (): void => {};
  replica.journalView({ ...installed, sealed: log.isSealed }, nobody, nobody);
  return true;
}

function baseOfSequence({ log }: MutableReplica, sequence: number): number | undefined {
  return sequence >= log.committedSequence && sequence <= log.durableSequence ? sequence : undefined;
}

function baseOfLength({ log }: MutableReplica, knownLength: number): number | undefined {
  if (log.staged.length === 0) return log.committedSequence;
  let length = log.committedLength;
  let base = length === knownLength ? log.committedSequence : undefined;
  for (const { sequence, lengthAfter } of log.staged) {
    if (lengthAfter <= length) return undefined; // an overwrite leaves no trace in the length
    length = lengthAfter;
    if (length === knownLength) base = sequence;
  }
  return base;
}
