/** The master of one chunk: views and leases as docs/protocol.md has them, without a disk to lose. */
import { FsError, toFsError } from '@cairnfs/base';
import type { ChunkView, PrepareViewReply, PrepareViewRequest, ReportFailedMembersRequest } from '@cairnfs/protocol';
import type { HeldLease } from '../primaries.ts';
import type { MutationCluster } from './mutation-cluster.ts';

export const HANDLE = '00000000-0000-4000-8000-000000000001';
export const CHUNK_LEASE_MS = 60_000;
export const SERVER_LEASE_MS = 10_000;

export class ScriptedMaster {
  readonly #cluster: MutationCluster;
  view: ChunkView;
  #triedVersion = 1;
  #holder: { server: number; untilMs: number; lease: number } | undefined;
  #grantCount = 0;
  /** The grants given back, in order. */
  readonly released: number[] = [];
  /** Members that were reported to have no room, in order. */
  readonly reportedFull: number[] = [];
  /** The answer to such a report; otherwise they are left out as any that failed. */
  ofFull: FsError | undefined;
  #changing: Promise<void> | undefined;
  readonly #heardMs = new Map<number, number>();
  /** Ends a view at what its primary committed, where that tells; otherwise at the least that a member has staged. */
  endsWhereLed = false;
  /** Views that ended so with more staged everywhere. */
  cutCount = 0;
  /** Every confirmed view. */
  readonly history: ChunkView[] = [];

  constructor(cluster: MutationCluster, members: number[]) {
    this.#cluster = cluster;
    const addresses = members.map((id) => `server-${id}:1`);
    this.view = {
      handle: HANDLE,
      version: 1,
      members,
      addresses,
      baseSequence: 0,
      minimum: 2,
      sealed: false,
      baseLength: 0,
      lease: 0,
      disks: [],
    };
  }

  heard(id: number): void {
    this.#heardMs.set(id, this.#cluster.time.nowMs);
  }

  renew(id: number, held: readonly HeldLease[]): string[] {
    if (this.#changing !== undefined || this.#holder?.server !== id) return [];
    if (this.view.members[0] !== id || this.#holder.untilMs < this.#cluster.time.nowMs) return [];
    const current = held.filter(({ lease }) => lease === this.#holder?.lease);
    if (current.length > 0) this.#holder.untilMs = this.#cluster.time.nowMs + CHUNK_LEASE_MS;
    return current.map(({ handle }) => handle);
  }

  async acquire(serverId: number, wanted: { version: number }[]): Promise<{ granted: ChunkView[] }> {
    const fits = wanted.some(({ version }) => version === this.view.version);
    if (this.#changing !== undefined || !fits || this.view.members[0] !== serverId) return { granted: [] };
    return { granted: [this.#grant(serverId)] };
  }

  async report(serverId: number, request: ReportFailedMembersRequest): Promise<{ view: ChunkView }> {
    const { version, failedMembers, fullMembers } = request;
    this.reportedFull.push(...fullMembers);
    if (fullMembers.length > 0 && this.ofFull !== undefined) throw this.ofFull;
    if (version !== this.view.version) throw new FsError('STALE_VERSION', 'an old view');
    if (this.#changing !== undefined) throw new FsError('UNAVAILABLE', 'the view is changing');
    await this.change(failedMembers);
    return { view: this.view.members[0] === serverId ? this.#grant(serverId) : this.view };
  }

  #grant(server: number): ChunkView {
    this.#grantCount += 1;
    const lease = this.#grantCount;
    this.#holder = { server, untilMs: this.#cluster.time.nowMs + CHUNK_LEASE_MS, lease };
    return { ...this.view, lease };
  }

  /** A view change that leaves out `failed` and whoever does not answer. */
  change(failed: number[]): Promise<void> {
    this.#changing ??= this.#change(new Set(failed)).finally(() => {
      this.#changing = undefined;
    });
    return this.#changing;
  }

  async #change(out: Set<number>): Promise<void> {
    for (;;) {
      const members = this.view.members.filter((id) => !out.has(id));
      if (members.length < this.view.minimum) throw new FsError('VIEW_TOO_SMALL', `${members.length} members left`);
      this.#triedVersion += 1;
      const newVersion = this.#triedVersion;
      const oldVersion = this.view.version;
      const prepare = (id: number, removed: boolean) =>
        this.#cluster
          .callServer(id, 'prepareView', {
            handle: HANDLE,
            oldVersion,
            newVersion,
            removed,
            masterSession: 1,
            serverId: id,
            committedSequence: 0,
          })
          .then((reply) => reply as PrepareViewReply);
      const replies = await Promise.all(
        members.map((id) =>
          prepare(id, false).catch(() => {
            out.add(id);
            return undefined;
          }),
        ),
      );
      if (replies.includes(undefined)) continue;
      const counted = (replies as PrepareViewReply[]).map((reply) => countedOf(this.view, reply));
      const said = [...counted];
      for (const id of out) {
        if (!this.view.members.includes(id)) continue;
        await prepare(id, true).then(
          (reply) => said.push(reply),
          (error) => {
            const { ledSequence, ledLength } = toFsError(error).details;
            if (ledSequence === undefined) return this.#waitOut(id);
            said.push(ledReply(Number(ledSequence), Number(ledLength)));
          },
        );
      }
      const lowest = counted.reduce((a, b) => (b.stagedSequence < a.stagedSequence ? b : a));
      const base = this.endsWhereLed && said.some(({ hasLed }) => hasLed) ? mostCommitted(this.view, said) : lowest;
      if (base.stagedSequence < lowest.stagedSequence) this.cutCount += 1;
      this.view = {
        ...this.view,
        version: newVersion,
        members,
        addresses: members.map((id) => `server-${id}:1`),
        baseSequence: base.stagedSequence,
        baseLength: base.stagedLength,
      };
      this.#holder = undefined;
      this.history.push(this.view);
      return;
    }
  }

  async #waitOut(id: number): Promise<void> {
    const { time } = this.#cluster;
    while (time.nowMs < (this.#heardMs.get(id) ?? 0) + SERVER_LEASE_MS + 1_000) {
      if (this.#cluster.server(id).isUp && !this.#cluster.server(id).isCut) {
        // Back in touch: it must promise to leave.
        const request: PrepareViewRequest = {
          ...{ handle: HANDLE, oldVersion: this.view.version, newVersion: this.#triedVersion },
          ...{ removed: true, masterSession: 1, serverId: id, committedSequence: 0, disk: '' },
        };
        const isGone = await this.#cluster.callServer(id, 'prepareView', request).then(
          () => true,
          (error) => toFsError(error).kind === 'CHUNK_NOT_FOUND',
        );
        if (isGone) return;
      }
      await time.sleep(500);
    }
  }
}

/** What was staged before the view that ends, in which it was not in the base, does not count. */
function countedOf({ version, baseSequence, baseLength }: ChunkView, reply: PrepareViewReply): PrepareViewReply {
  if (reply.installedVersion >= version || reply.stagedSequence <= baseSequence) return reply;
  return { ...reply, stagedSequence: baseSequence, stagedLength: baseLength ?? 0 };
}

type StagedEnd = Pick<PrepareViewReply, 'stagedSequence' | 'stagedLength'>;

/** Where the replica ends that has committed most, or the old view began. */
function mostCommitted({ baseSequence, baseLength }: ChunkView, said: readonly PrepareViewReply[]): StagedEnd {
  let most = { stagedSequence: baseSequence, stagedLength: baseLength ?? 0 };
  for (const { committedSequence, committedLength } of said) {
    if (committedSequence <= most.stagedSequence) continue;
    most = { stagedSequence: committedSequence, stagedLength: committedLength };
  }
  return most;
}

/** What a primary without its replica says, as a reply. */
function ledReply(sequence: number, length: number): PrepareViewReply {
  return {
    ...{ stagedSequence: sequence, stagedLength: length, lengthsAfter: [], hasLed: true },
    ...{ committedSequence: sequence, committedLength: length, installedVersion: 0 },
  };
}
