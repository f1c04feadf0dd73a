/**
 * A chunkserver reduced to what the master sees of it: registration, heartbeats, an inventory, and answers to the calls
 * about views that a replica's promise and its staged mutations determine. Tests change its replicas and answers at will.
 */
import { type Address, FsError, isFsError, type Seams } from '@cairnfs/base';
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  createRpcPool,
  createRpcServer,
  type HeartbeatReply,
  type HeartbeatRequest,
  MasterControlMethods,
  type PrepareViewRequest,
  packReplicas,
  ReplicaCondition,
  type ReplicaReport,
  type RpcPool,
} from '@cairnfs/protocol';

export interface ScriptedReplica {
  version: number;
  promisedVersion: number;
  isRemoved: boolean;
  /** In sync at this version before it promised to leave. */
  keptVersion: number;
  /** A copy that has not joined. */
  isLearner: boolean;
  isCorrupt: boolean;
  /** Committed length and sequence. */
  length: number;
  sequence: number;
  /** Lengths after each mutation that is staged and not committed. */
  lengthsAfter: number[];
  /** It leads the chunk, and has not been started anew since. */
  hasLed: boolean;
}

export const CHUNKSERVER_PORT = 9100;
const CALL_TIMEOUT_MS = 30_000;

export class ScriptedChunkserver {
  readonly address: Address;
  readonly replicas = new Map<string, ScriptedReplica>();
  readonly prepared: PrepareViewRequest[] = [];
  /** Thrown by every call of the master while set. */
  failure: FsError | undefined;
  /** Thrown by PrepareView alone while set. */
  promiseFailure: FsError | undefined;
  /** Thrown by PrepareView of these chunks, and when it is to tell or end what it leads of them. */
  readonly failureOf = new Map<string, FsError>();
  /** What it says beside it when it has no replica to promise with. */
  absence: Record<string, number> = {};
  /** How long a promise takes to become durable, whoever waits for it. */
  promiseMs = 0;
  /** Servers from which it can copy nothing. */
  readonly unreachable = new Set<Address>();
  /** How long it takes to give a lease back. */
  revokeMs = 0;
  /** How long it takes to tell how long a chunk is. */
  measureMs = 0;
  /** How long what it says of its replicas is on its way. */
  describeMs = 0;
  /** How long a clone to it takes. */
  cloneMs = 0;
  /** It beats by itself; otherwise only when a test says so. */
  isBeating = true;
  /** Its inventories are packed; otherwise as software of before sent them. */
  isPacking = true;
  /** It says which version a replica has installed; software of before did not. */
  tellsInstalled = true;
  /** Why its disk is out of service; empty when it is not. */
  diskFailure = '';
  /** What its disks are called; all are as the first. */
  diskIds = ['disk'];
  freeBytes = 100 * 2 ** 30;
  id = 0;
  session = 0;
  registeredCount = 0;
  revokedCount = 0;
  /** Chunks whose length it was asked for. */
  readonly measured: string[] = [];
  readonly #name: string;
  readonly #seams: Seams;
  readonly #pool: RpcPool;
  readonly #master: Address;
  readonly #peer: (address: Address) => ScriptedChunkserver;
  #clusterId = '';

  constructor(name: string, seams: Seams, master: Address, peer: (address: Address) => ScriptedChunkserver) {
    this.#peer = peer;
    this.#name = name;
    this.#seams = seams;
    this.#master = master;
    this.address = `${name}:${CHUNKSERVER_PORT}`;
    this.#pool = createRpcPool(seams);
  }

  async listen(): Promise<void> {
    const { clock, log, network } = this.#seams;
    const rpc = createRpcServer({ clock, log });
    const durableAtMs = new Map<string, number>();
    rpc.handle(ChunkserverControlMethods.prepareView, async (request) => {
      this.prepared.push(request);
      this.#checkAddressee(request.serverId);
      const failure = this.failureOf.get(request.handle) ?? this.promiseFailure;
      if (failure !== undefined) throw failure;
      const message = this.#promise(request);
      const promise = `${request.handle} ${request.newVersion} ${request.removed}`;
      const atMs = durableAtMs.get(promise) ?? clock.nowMs() + this.promiseMs;
      durableAtMs.set(promise, atMs);
      if (atMs > clock.nowMs()) await clock.sleep(atMs - clock.nowMs());
      return { message };
    });
    rpc.handle(ChunkserverControlMethods.revokeLease, async ({ handle, version }) => {
      this.revokedCount += 1;
      if (this.revokeMs > 0) await clock.sleep(this.revokeMs);
      const { length, sequence } = this.#replicaAt(handle, version);
      return { message: { committedLength: length, sequence } };
    });
    rpc.handle(ChunkserverControlMethods.describeReplicas, async ({ handles, serverId }) => {
      if (this.failure !== undefined) throw this.failure;
      this.#checkAddressee(serverId);
      const replicas = handles.filter((handle) => this.replicas.has(handle)).map((handle) => this.report(handle));
      if (this.describeMs > 0) await clock.sleep(this.describeMs);
      return { message: { replicas } };
    });
    rpc.handle(ChunkserverControlMethods.cloneReplica, async ({ handle, version, length, sourceAddress }) => {
      if (this.cloneMs > 0) await clock.sleep(this.cloneMs);
      if (this.failure !== undefined) throw this.failure;
      if (this.unreachable.has(sourceAddress)) {
        throw new FsError('CONNECTION_REFUSED', `cannot connect to ${sourceAddress}`);
      }
      const source = this.#peer(sourceAddress).replicas.get(handle);
      if (source === undefined) throw new FsError('CHUNK_NOT_FOUND', `${sourceAddress} has no chunk ${handle}`);
      const sequence = source.sequence + source.lengthsAfter.length;
      this.replicas.set(handle, newReplica({ version, length, sequence }));
      return { message: { length, sequence } };
    });
    rpc.handle(ChunkserverDataMethods.getChunkLength, async ({ handle, version }) => {
      this.measured.push(handle);
      if (this.measureMs > 0) await clock.sleep(this.measureMs);
      const { length, sequence } = this.#replicaAt(handle, version);
      return { message: { committedLength: length, sequence } };
    });
    await network.listen(`0.0.0.0:${CHUNKSERVER_PORT}`, (connection) => rpc.accept(connection));
  }

  #checkAddressee(serverId: number): void {
    if (serverId !== 0 && serverId !== this.id) throw new FsError('INVALID_ARGUMENT', `this is server ${this.id}`);
  }

  async register(clusterId = this.#clusterId): Promise<void> {
    const reply = await this.#pool.channel(this.#master).call(
      MasterControlMethods.register,
      {
        ...{ serverUuid: `uuid of ${this.#name}`, clusterId, serverId: this.id },
        ...{ address: this.address, host: this.#name, rack: `rack of ${this.#name}`, softwareVersion: 'test' },
        disks: this.#disks(),
      },
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    this.#clusterId = reply.message.clusterId;
    this.id = reply.message.serverId;
    this.session = reply.message.session;
    this.registeredCount += 1;
  }

  /** @param last false: the inventory is broken off behind what is held here. */
  async sendInventory({ last = true }: { last?: boolean } = {}): Promise<void> {
    const replicas = [...this.replicas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([handle]) => this.report(handle));
    const packed = this.isPacking
      ? packReplicas(replicas)
      : { replicas, plainHandles: new Uint8Array(0), plainVersions: [] };
    const request = { serverId: this.id, session: this.session, after: '', last, ...packed };
    await this.#pool
      .channel(this.#master)
      .call(MasterControlMethods.reportInventory, request, { timeoutMs: CALL_TIMEOUT_MS });
  }

  async heartbeat(more: Partial<HeartbeatRequest> = {}): Promise<HeartbeatReply> {
    const request = {
      ...{ serverId: this.id, session: this.session, usage: undefined, disks: [...this.#disks()] },
      ...{ changes: [], renewLeases: [], renewGrants: [], commits: [], ...more },
    };
    const reply = await this.#pool
      .channel(this.#master)
      .call(MasterControlMethods.heartbeat, request, { timeoutMs: CALL_TIMEOUT_MS });
    return reply.message;
  }

  /** Beats every second for as long as its process lives; registers again when told to, for as often as it takes. */
  beat(): void {
    this.#seams.clock.after(1000, () => {
      this.#beatOnce()
        .catch((error: unknown) => this.#seams.log.info('a heartbeat failed', { error }))
        .finally(() => this.beat());
    });
  }

  async #beatOnce(): Promise<void> {
    if (!this.isBeating) return;
    try {
      await this.heartbeat();
    } catch (error) {
      if (!isFsError(error, 'STALE_SESSION')) throw error;
      await this.register();
      await this.sendInventory();
    }
  }

  report(handle: string, condition = this.#condition(handle)): ReplicaReport {
    const replica = this.replicas.get(handle);
    const { version, length, promisedVersion, isRemoved, keptVersion, sequence, isLearner } =
      replica ?? newReplica({ version: 0, length: 0 });
    const pendingVersion = promisedVersion > version ? promisedVersion : 0;
    return {
      handle,
      version,
      length,
      condition,
      message: '',
      pendingVersion,
      removed: isRemoved,
      keptVersion,
      sequence,
      isLearner,
    };
  }

  #condition(handle: string): ReplicaCondition {
    const { REPLICA_CONDITION_CORRUPT: corrupt, REPLICA_CONDITION_PRESENT: present } = ReplicaCondition;
    return this.replicas.get(handle)?.isCorrupt ? corrupt : present;
  }

  #promise({ handle, oldVersion, newVersion, removed, committedSequence }: PrepareViewRequest) {
    if (this.failure !== undefined) throw this.failure;
    const replica = this.replicas.get(handle);
    if (replica === undefined)
      throw new FsError('CHUNK_NOT_FOUND', `${this.#name} has no chunk ${handle}`, { details: this.absence });
    const { version, promisedVersion, isRemoved, sequence: committed } = replica;
    const inSyncAt = isRemoved ? replica.keptVersion : promisedVersion;
    const refuse = () => {
      const details = { version, promisedVersion: replica.promisedVersion, keptVersion: inSyncAt };
      throw new FsError('STALE_VERSION', `${this.#name}: chunk ${handle} is at ${version}`, { details });
    };
    if (newVersion < promisedVersion || newVersion <= version || committed < committedSequence) refuse();
    const isBehind = oldVersion > inSyncAt;
    if (oldVersion < version || (isRemoved && oldVersion === promisedVersion) || (isBehind && !removed)) refuse();
    replica.promisedVersion = newVersion;
    replica.isLearner = false;
    replica.isRemoved = removed;
    replica.keptVersion = removed ? inSyncAt : 0;
    if (isBehind) refuse(); // it has promised to leave all the same
    const { length, sequence, lengthsAfter, hasLed } = replica;
    return {
      ...{ stagedSequence: sequence + lengthsAfter.length, committedSequence: sequence, committedLength: length },
      ...{ stagedLength: lengthsAfter.at(-1) ?? length, lengthsAfter, hasLed },
      installedVersion: this.tellsInstalled ? version : 0,
    };
  }

  #replicaAt(handle: string, version: number): ScriptedReplica {
    const failure = this.failureOf.get(handle) ?? this.failure;
    if (failure !== undefined) throw failure;
    const replica = this.replicas.get(handle);
    if (replica === undefined) throw new FsError('CHUNK_NOT_FOUND', `${this.#name} has no chunk ${handle}`);
    if (replica.promisedVersion !== version) throw new FsError('STALE_VERSION', `${this.#name}: not at ${version}`);
    return replica;
  }

  #disks() {
    const totalBytes = 200 * 2 ** 30;
    return this.diskIds.map((diskId) => ({
      ...{
        diskId,
        path: `/${diskId}`,
        totalBytes,
        freeBytes: this.freeBytes,
        failure: this.diskFailure,
        replicaCount: this.replicas.size,
        fileSystem: '',
        fileSystemFreeBytes: 0,
      },
      ...{ readErrorCount: 0, writeErrorCount: 0, checksumErrorCount: 0 },
    }));
  }
}

export function newReplica(replica: Partial<ScriptedReplica> & { version: number; length: number }): ScriptedReplica {
  return {
    promisedVersion: replica.version,
    isRemoved: false,
    keptVersion: 0,
    isLearner: false,
    isCorrupt: false,
    sequence: 0,
    lengthsAfter: [],
    hasLed: false,
    ...replica,
  };
}
