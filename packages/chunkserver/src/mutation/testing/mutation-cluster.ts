/**
 * Several mutation modules against each other over an in-memory transport, with a scripted master: one chunk, crashes,
 * restarts, cuts, delays and duplicates, all from one seed.
 */
import { type Address, crc32c, FsError, type Log, toFsError } from '@cairnfs/base';
import {
  type CallContext,
  type CallOptions,
  CHUNK_BYTES_MAX,
  type ChunkView,
  MasterControlMethods as Control,
  fromErrorDetail,
  type Method,
  type MutateReply,
  type MutateRequest,
  ChunkserverPeerMethods as Peer,
  PooledBytes,
  type PrepareViewReply,
  type PrepareViewRequest,
  type ReleaseLeasesRequest,
  type Reply,
  type ReportFailedMembersRequest,
  type RpcChannel,
  toErrorDetail,
} from '@cairnfs/protocol';
import type { MutationContext } from '../mutation-context.ts';
import { Mutations } from '../mutations.ts';
import type { HeldLease } from '../primaries.ts';
import { MemoryJournal, type MemoryReplica, MemoryReplicas } from './memory-replicas.ts';
import { VirtualTime } from './virtual-time.ts';

export const HANDLE = '00000000-0000-4000-8000-000000000001';
const SERVER_LEASE_MS = 10_000;
const CHUNK_LEASE_MS = 60_000;
const HEARTBEAT_MS = 1_000;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

type Handler = (request: unknown, context: CallContext) => Promise<{ message: unknown }>;

/** One chunkserver: its journal lives on, the rest is made anew by every start. */
export class TestServer {
  readonly id: number;
  readonly address: Address;
  readonly journal: MemoryJournal;
  isUp = false;
  /** Neither hears nor is heard. */
  isCut = false;
  incarnation = 0;
  leaseUntilMs = 0;
  replicas!: MemoryReplicas;
  mutations!: Mutations;
  context!: MutationContext;
  readonly #cluster: MutationCluster;

  constructor(cluster: MutationCluster, id: number) {
    this.#cluster = cluster;
    this.id = id;
    this.address = `server-${id}:1`;
    this.journal = new MemoryJournal(cluster.time);
  }

  start(): void {
    this.incarnation += 1;
    this.isUp = true;
    const { time } = this.#cluster;
    const mine = this.incarnation;
    const isAlive = () => this.isUp && this.incarnation === mine;
    this.replicas = new MemoryReplicas(this.journal, time);
    this.context = {
      clock: time.clock(isAlive),
      log: SILENT,
      replicas: this.replicas,
      peers: { channel: (address) => this.#cluster.channel(this, address), close: () => {} },
      master: this.#cluster.channel(this, 'master:1'),
      serverId: () => this.id,
      session: () => mine,
      chunkBytes: () => CHUNK_BYTES_MAX,
      chunkLeaseMs: () => CHUNK_LEASE_MS,
      mayServe: () => time.nowMs < this.leaseUntilMs,
      mayHide: () => false,
      isWhole: () => true,
      mayNotServe: () => new FsError('LEASE_EXPIRED', `server ${this.id} is out of touch`),
    };
    this.mutations = new Mutations(this.context);
    this.#heartbeat(isAlive);
  }

  crash(): void {
    this.isUp = false;
    this.journal.crash();
    this.#cluster.connectionsLost(this);
  }

  /** It serves on without any replica, until it is started anew. */
  failDisk(): void {
    this.journal.failDisk();
  }

  get replica(): MemoryReplica | undefined {
    return this.replicas.find(HANDLE);
  }

  #heartbeat(isAlive: () => boolean): void {
    if (!isAlive()) return;
    if (!this.isCut) {
      this.leaseUntilMs = this.#cluster.time.nowMs + SERVER_LEASE_MS;
      this.#cluster.master.heard(this.id);
      const held = this.mutations.held();
      this.mutations.renewed(this.#cluster.master.renew(this.id, held), this.#cluster.time.nowMs);
    }
    this.#cluster.time.after(HEARTBEAT_MS, () => this.#heartbeat(isAlive));
  }

  /** The handlers of one method, as the shell would register them. */
  handler(method: string): Handler {
    const { primaries, secondaries } = this.mutations;
    const handlers: Record<string, Handler> = {
      [Peer.stageMutation.name]: (request, context) => secondaries.stage(request as never, context),
      [Peer.commit.name]: (request) => secondaries.commit(request as never),
      [Peer.installView.name]: (request) => secondaries.installView(request as never),
      [Peer.getCommitPoint.name]: (request) => primaries.getCommitPoint(request as never),
      mutate: (request, context) => primaries.mutate(request as never, context),
      prepareView: (request) => this.mutations.prepareView(request as never),
      revokeLease: (request) => primaries.revokeLease(request as never),
    };
    return handlers[method]!;
  }
}

/** The master of one chunk: views and leases as docs/protocol.md has them, without a disk to lose. */
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
      const said = [...(replies as PrepareViewReply[])];
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
      const lowest = (replies as PrepareViewReply[]).reduce((a, b) => (b.stagedSequence < a.stagedSequence ? b : a));
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
          ...{ removed: true, masterSession: 1, serverId: id, committedSequence: 0 },
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
    ...{ committedSequence: sequence, committedLength: length },
  };
}

export class MutationCluster {
  readonly time: VirtualTime;
  readonly servers: TestServer[];
  readonly master: ScriptedMaster;
  /** Share of messages between chunkservers that arrive twice. */
  duplicateRatio = 0;
  delayMsMax = 2;
  #open = new Set<{ from: number; to: number; lose: () => void }>();

  constructor({ seed, serverCount }: { seed: number; serverCount: number }) {
    this.time = new VirtualTime(seed);
    this.servers = Array.from({ length: serverCount }, (_, index) => new TestServer(this, index + 1));
    this.master = new ScriptedMaster(
      this,
      this.servers.map(({ id }) => id),
    );
    for (const server of this.servers) server.start();
  }

  server(id: number): TestServer {
    return this.servers[id - 1]!;
  }

  connectionsLost(server: TestServer): void {
    for (const call of [...this.#open]) if (call.from === server.id || call.to === server.id) call.lose();
  }

  /** A channel of one incarnation of a server; calls to one address arrive in order unless they come twice. */
  channel(from: TestServer, address: Address): RpcChannel {
    const mine = from.incarnation;
    const isAlive = () => from.isUp && from.incarnation === mine;
    const call = async <Q, S>(method: Method<Q, S>, request: Q, options: CallOptions): Promise<Reply<S>> => {
      const encoded = method.request.decode(method.request.encode(request).finish());
      const reply = await new Promise<S>((resolve, reject) => {
        const settle = (run: () => void) => {
          if (isAlive()) run();
        };
        const target = address === 'master:1' ? undefined : this.servers.find((server) => server.address === address);
        const open = { from: from.id, to: target?.id ?? 0, lose: () => settle(() => reject(lost())) };
        this.#open.add(open);
        const done = (run: () => void) => {
          if (!this.#open.delete(open)) return;
          settle(run);
        };
        this.time.after(options.timeoutMs, () => done(() => reject(new FsError('DEADLINE_EXCEEDED', method.name))));
        const data = options.data === undefined ? undefined : Buffer.concat(options.data.buffers as Uint8Array[]);
        options.data?.sent?.();
        const deliver = () => {
          if (from.isCut || target?.isCut) return;
          this.#serve(from, target, method, encoded, data).then(
            (message) =>
              this.time.after(this.#delay(), () => !from.isCut && !target?.isCut && done(() => resolve(message as S))),
            (error) =>
              this.time.after(
                this.#delay(),
                () => !from.isCut && !target?.isCut && done(() => reject(asReceived(error))),
              ),
          );
        };
        this.time.after(this.#delayInOrder(from.id, open.to), deliver);
        if (target !== undefined && this.time.chance() < this.duplicateRatio) {
          // Also long after, also from a sender that is gone; the answer reaches nobody.
          this.time.after(this.time.chance() * 200, () => {
            if (!target.isCut) this.#serve(from, target, method, encoded, data).catch(() => {});
          });
        }
      });
      return { message: reply, data: undefined };
    };
    return {
      address,
      call: call as RpcChannel['call'],
      stream: () => {
        throw new FsError('UNKNOWN_METHOD', 'no streams here');
      },
      close: () => {},
    };
  }

  /** A call from the master or a client. */
  async callServer(id: number, method: string, message: unknown, data?: Uint8Array): Promise<unknown> {
    const server = this.server(id);
    await this.time.sleep(this.#delay());
    if (!server.isUp) throw new FsError('CONNECTION_REFUSED', 'down');
    return await new Promise((resolve, reject) => {
      const open = { from: 0, to: id, lose: () => reject(lost()) };
      this.#open.add(open);
      this.time.after(5_000, () => {
        this.#open.delete(open);
        reject(new FsError('DEADLINE_EXCEEDED', method));
      });
      if (server.isCut) return;
      server
        .handler(method)(message, callContext(this.time.nowMs + 5_000, data))
        .then(
          (reply) =>
            this.time.after(this.#delay(), () => this.#open.delete(open) && !server.isCut && resolve(reply.message)),
          (error) =>
            this.time.after(this.#delay(), () => this.#open.delete(open) && !server.isCut && reject(asReceived(error))),
        );
    });
  }

  /** Sends one mutation to the primary the master names now. */
  async mutate(request: Omit<MutateRequest, 'handle' | 'version' | 'data'>, data: Uint8Array): Promise<MutateReply> {
    const { version, members } = this.master.view;
    const message = { ...request, handle: HANDLE, version, data: new Uint8Array(0) };
    return (await this.callServer(members[0]!, 'mutate', message, data)) as MutateReply;
  }

  async #serve(
    from: TestServer,
    target: TestServer | undefined,
    method: { readonly name: string },
    request: unknown,
    data: Uint8Array | undefined,
  ): Promise<unknown> {
    if (target === undefined) {
      if (method.name === Control.acquireLeases.name) {
        return await this.master.acquire(from.id, (request as { wanted: { version: number }[] }).wanted);
      }
      if (method.name === Control.reportFailedMembers.name) {
        return await this.master.report(from.id, request as ReportFailedMembersRequest);
      }
      if (method.name === Control.releaseLeases.name) {
        this.master.released.push(...(request as ReleaseLeasesRequest).released.map(({ lease }) => lease));
      }
      return {};
    }
    if (!target.isUp) throw new FsError('CONNECTION_REFUSED', 'down');
    const context = callContext(this.time.nowMs + 3_000, data);
    try {
      return (await target.handler(method.name)(request, context)).message;
    } finally {
      context.data?.memory.release();
    }
  }

  #delay(): number {
    return 0.05 + this.time.chance() * this.delayMsMax;
  }

  readonly #arrivals = new Map<string, number>();
  #delayInOrder(from: number, to: number): number {
    const key = `${from}>${to}`;
    const atMs = Math.max(this.time.nowMs + this.#delay(), this.#arrivals.get(key) ?? 0);
    this.#arrivals.set(key, atMs);
    return atMs - this.time.nowMs;
  }
}

/** The bytes are overwritten once released, so that a use after the release shows. */
function callContext(deadlineMs: number, data: Uint8Array | undefined): CallContext {
  const { signal } = new AbortController();
  if (data === undefined) return { deadlineMs, signal, peer: 'test:1', data: undefined };
  const bytes = new Uint8Array(data); // a copy: `slice` of a Buffer is not
  const memory = new PooledBytes(bytes, () => bytes.fill(0xee));
  return { deadlineMs, signal, peer: 'test:1', data: { bytes, checksum: crc32c(data), memory } };
}

function lost(): FsError {
  return new FsError('CONNECTION_LOST', 'the peer went');
}

/** On the wire an error's details are text. */
function asReceived(error: unknown): FsError {
  return fromErrorDetail(toErrorDetail(error));
}
