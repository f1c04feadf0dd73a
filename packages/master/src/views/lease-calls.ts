/** AcquireLeases, ReleaseLeases, ReportFailedMembers and the renewals in heartbeats: what primaries ask of the master. */
import { FsError, isFsError, RepeatedWarnings } from '@cairnfs/base';
import type {
  AcquireLeasesReply,
  AcquireLeasesRequest,
  ChunkView,
  ReleaseLeasesReply,
  ReleaseLeasesRequest,
  ReportFailedMembersReply,
  ReportFailedMembersRequest,
} from '@cairnfs/protocol';
import { checkSession, type LeaseRenewals } from '../cluster/heartbeat.ts';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import { hasLostDisk, type ServerEntry, type ServerTable } from '../cluster/server-table.ts';
import { minimumOf } from '../config.ts';
import type { MasterContext } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { CHUNK_WARNING_INTERVAL_MS, LEASES_PER_CALL_MAX } from '../limits.ts';
import { closeChunk } from '../state/close-chunk.ts';
import { diskOf } from './first-disks.ts';
import type { LeaseTable } from './lease-table.ts';
import { type ChunkEnd, settledBy } from './settled.ts';
import type { ViewChanges } from './view-change.ts';

export class LeaseCalls implements LeaseRenewals {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #conditions: Pick<ReplicaConditions, 'isUnshown'>;
  readonly #leases: LeaseTable;
  readonly #changes: ViewChanges;
  readonly #warnings: RepeatedWarnings;

  constructor(
    context: MasterContext,
    parts: {
      servers: ServerTable;
      conditions: Pick<ReplicaConditions, 'isUnshown'>;
      leases: LeaseTable;
      changes: ViewChanges;
    },
  ) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#conditions = parts.conditions;
    this.#leases = parts.leases;
    this.#changes = parts.changes;
    this.#warnings = new RepeatedWarnings(context.seams, CHUNK_WARNING_INTERVAL_MS);
  }

  async acquire(request: AcquireLeasesRequest): Promise<{ message: AcquireLeasesReply }> {
    const server = checkSession(this.#servers, request);
    checkCount(request.wanted.length);
    if (!server.mayServe) return { message: { granted: [] } };
    const transaction = this.#context.decisions.read();
    const granted: ChunkView[] = [];
    for (const { handle, version } of request.wanted) {
      const chunk = transaction.chunk(handle);
      if (chunk === undefined || !isLedBy(chunk, server.id, version) || this.#mayHaveLost(server, handle)) continue;
      const grant = this.#leases.grant(handle, server.id, version);
      if (grant !== undefined) granted.push(this.#view(handle, chunk, grant));
    }
    // A view is told only when it is durable.
    await this.#context.decisions.settled(transaction);
    return { message: { granted } };
  }

  renew(server: number, handles: readonly string[], grants: readonly number[]): string[] {
    if (handles.length === 0) return [];
    const transaction = this.#context.decisions.read();
    return handles.filter((handle, index) => {
      const chunk = transaction.chunk(handle);
      // After a restart of the master this adopts a lease that its predecessor granted.
      return (
        chunk !== undefined &&
        isLedBy(chunk, server, chunk.version) &&
        this.#leases.renew(handle, server, chunk.version, grants[index] ?? 0)
      );
    });
  }

  async release(request: ReleaseLeasesRequest): Promise<{ message: ReleaseLeasesReply }> {
    const server = checkSession(this.#servers, request);
    checkCount(request.released.length);
    const { decisions, seams } = this.#context;
    await decisions.perform('releaseLeases', (transaction) => {
      for (const { handle, version, lease, ...end } of request.released) {
        const chunk = transaction.chunk(handle);
        if (chunk === undefined || !isLedBy(chunk, server.id, version)) continue;
        // One that is being revoked is settled by the revocation; of an earlier grant the message was late: the chunk may
        // have been written to since.
        if (!this.#leases.isCurrent(handle, server.id, lease)) continue;
        const settled = this.#settled(handle, chunk, end);
        if (settled === undefined) continue;
        closeChunk(transaction, handle, chunk, { ...settled, sealed: chunk.sealed }, seams.clock.wallMs());
        this.#leases.free(handle);
      }
    });
    return { message: {} };
  }

  async reportFailed(request: ReportFailedMembersRequest): Promise<{ message: ReportFailedMembersReply }> {
    const server = checkSession(this.#servers, request);
    const { handle, version, failedMembers, reason } = request;
    await this.#changes.whenIdle(handle);
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined || !isLedBy(chunk, server.id, version)) {
      throw new FsError(
        'NOT_PRIMARY',
        `server ${server.id} does not lead chunk ${handle} at version ${version} any more`,
      );
    }
    const facts = { handle, primary: server.id, failedMembers, reason };
    this.#warnings.warn(`${handle} ${failedMembers}`, 'a primary reports failed members', facts);
    const changed = await this.#changeView(handle, chunk, request);
    // Another change may have begun since.
    const current = this.#context.decisions.read().chunk(handle);
    const isLed = current !== undefined && isLedBy(current, server.id, changed.version);
    const grant = isLed ? this.#leases.grant(handle, server.id, changed.version) : undefined;
    if (grant === undefined) {
      const since = changed.state === ChunkState.CHUNK_STATE_OPEN ? 'has another primary' : 'is closed';
      throw new FsError('NOT_PRIMARY', `chunk ${handle} ${since} since version ${changed.version}`);
    }
    return { message: { view: this.#view(handle, changed, grant) } };
  }

  /**
   * Members that have no room are sound, and promise a view like any other. So the chunk ends where all of them end, and the
   * file goes on in another one, placed where there is room. Once it has ended, what overwrites it has no other place to go:
   * then they are left out.
   *
   * @throws FsError NO_SPACE  without them too few are left. @throws FsError as `ViewChanges.change`
   */
  async #changeView(
    handle: string,
    chunk: Chunk,
    { failedMembers, fullMembers, unmadeMembers }: ReportFailedMembersRequest,
  ): Promise<Chunk> {
    for (const member of fullMembers) this.#servers.noteFull(member);
    const ending = [...fullMembers, ...unmadeMembers];
    for (const member of unmadeMembers) this.#servers.pauseDisk(member, diskOf(chunk, member));
    const silent = failedMembers.filter((member) => !ending.includes(member));
    if (ending.length > 0 && !chunk.sealed) return this.#changes.change(handle, { without: silent, ends: true });
    const left = chunk.members.filter((member) => !failedMembers.includes(member) && this.#servers.isLive(member));
    const minimum = minimumOf(this.#context.config, chunk.goal);
    if (left.length < minimum && left.length + fullMembers.length >= minimum) {
      const message = `chunk ${handle}: only ${left.length} of the servers that hold it have room to change it, ${minimum} are needed`;
      throw new FsError('NO_SPACE', message, { details: { handle, withRoom: left.length, minimum } });
    }
    return this.#changes.change(handle, { without: failedMembers });
  }

  /**
   * A disk that holds its replica may be out of service, and all others' as well: then nobody could tell the primary that the
   * chunk is not empty. What it did not show is settled by a change of the view first (views/recovery.ts).
   */
  #mayHaveLost({ id, disks }: ServerEntry, handle: string): boolean {
    return !this.#servers.isShown(id, handle) || (hasLostDisk(disks) && this.#conditions.isUnshown(id, handle));
  }

  /** Undefined when the primary has lost what the log knows: the chunk stays open, and a view change settles it. */
  #settled(handle: string, chunk: Chunk, said: ChunkEnd) {
    try {
      return settledBy(handle, chunk, said);
    } catch (error) {
      if (!isFsError(error, 'DAMAGED')) throw error;
      this.#context.seams.log.error('a primary gave back a lease with less than was committed', { handle, error });
      return undefined;
    }
  }

  #view(handle: string, chunk: Chunk, lease: number): ChunkView {
    return {
      handle,
      version: chunk.version,
      members: chunk.members,
      addresses: chunk.members.map((member) => this.#servers.get(member)?.address ?? ''),
      baseSequence: chunk.baseSequence,
      minimum: minimumOf(this.#context.config, chunk.goal),
      sealed: chunk.sealed,
      // Length and sequence stay where the chunk was opened, or its view confirmed, until it closes.
      baseLength: chunk.length,
      lease,
      disks: chunk.disks,
    };
  }
}

function isLedBy(chunk: Chunk, server: number, version: number): boolean {
  const isOpen = chunk.state === ChunkState.CHUNK_STATE_OPEN && chunk.pendingVersion === 0;
  return isOpen && chunk.version === version && chunk.members[0] === server;
}

function checkCount(count: number): void {
  if (count > LEASES_PER_CALL_MAX) {
    throw new FsError('INVALID_ARGUMENT', `${count} leases in one call: at most ${LEASES_PER_CALL_MAX}`);
  }
}
