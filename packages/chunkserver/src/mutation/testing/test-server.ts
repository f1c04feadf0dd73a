/** One chunkserver of a `MutationCluster`: its journal lives on, the rest is made anew by every start. */
import { type Address, FsError, type Log } from '@cairnfs/base';
import { type CallContext, CHUNK_BYTES_MAX, ChunkserverPeerMethods as Peer } from '@cairnfs/protocol';
import { Absences } from '../../view/absences.ts';
import type { MutationContext } from '../mutation-context.ts';
import { Mutations } from '../mutations.ts';
import { MemoryJournal, type MemoryReplica, MemoryReplicas } from './memory-replicas.ts';
import type { MutationCluster } from './mutation-cluster.ts';
import { CHUNK_LEASE_MS, HANDLE, SERVER_LEASE_MS } from './scripted-master.ts';

const HEARTBEAT_MS = 1_000;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

type Handler = (request: unknown, context: CallContext) => Promise<{ message: unknown }>;

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
      serverLeaseLeftMs: () => this.leaseUntilMs - time.nowMs,
      mayHide: () => false,
      isWhole: () => true,
      absences: new Absences(time.clock(isAlive)),
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
