/**
 * A chunkserver without data: it speaks the real protocol with the master, remembers which chunks it holds at which
 * version, and takes for a copy the time that the bytes take at its bandwidth, one after another.
 */
import { type Address, FsError, isFsError, type Seams } from '@cairnfs/base';
import {
  ChunkserverControlMethods,
  type CloneReplicaRequest,
  createRpcPool,
  createRpcServer,
  type HeartbeatReply,
  MasterControlMethods,
  type Method,
  type PrepareViewRequest,
  packReplicas,
  ReplicaCondition,
  ReplicaReport,
  type RpcPool,
} from '@cairnfs/protocol';

const PORT = 9100;
const CALL_TIMEOUT_MS = 4000;
/** Pause after a failed call, as a chunkserver makes it. */
const PAUSE_MS = 500;
const DISK_BYTES = 4 * 2 ** 40;

export interface ScaleServerOptions {
  readonly name: string;
  readonly rack: string;
  readonly seams: Seams;
  readonly master: Address;
  /** Bytes of a full chunk. */
  readonly chunkBytes: number;
  /** Bytes a second that copies to this server take together. */
  readonly copyBytesPerSecond: number;
  /** Replicas in one part of an inventory. */
  readonly inventoryPartMax: number;
  /** The first heartbeat comes after so long; the others in their interval. */
  readonly phaseMs: number;
}

interface Held {
  version: number;
  promisedVersion: number;
  isRemoved: boolean;
}

export class ScaleChunkserver {
  readonly name: string;
  readonly address: Address;
  id = 0;
  /** The version of each chunk as it was stored; promises made since are in `#promised`. */
  readonly #versions = new Map<string, number>();
  readonly #promised = new Map<string, Held>();
  /** To be told with the next heartbeat, as they are then. */
  readonly #changed = new Set<string>();
  readonly #options: ScaleServerOptions;
  readonly #pool: RpcPool;
  #clusterId = '';
  #session: number | undefined;
  #heartbeatIntervalMs = 0;
  #isInventoryWanted = true;
  #copiesEndMs = 0;
  inventoryCount = 0;

  constructor(options: ScaleServerOptions) {
    this.#options = options;
    this.name = options.name;
    this.address = `${options.name}:${PORT}`;
    this.#pool = createRpcPool({ ...options.seams, isServer: true });
  }

  get replicaCount(): number {
    return this.#versions.size;
  }

  /** @returns the version at which it holds the chunk and may serve it; undefined when it does not. */
  versionOf(handle: string): number | undefined {
    return this.#promised.get(handle)?.isRemoved ? undefined : this.#versions.get(handle);
  }

  /** An upload stored the chunk here. */
  store(handle: string, version: number): void {
    this.#versions.set(handle, version);
  }

  wantInventory(): void {
    this.#isInventoryWanted = true;
  }

  async start(): Promise<void> {
    const { clock, log, network, fatal } = this.#options.seams;
    const rpc = createRpcServer({ clock, log, fatal });
    rpc.handle(ChunkserverControlMethods.prepareView, (request) => ({ message: this.#promise(request) }));
    rpc.handle(ChunkserverControlMethods.cloneReplica, (request) => this.#clone(request));
    rpc.handle(ChunkserverControlMethods.describeReplicas, ({ handles }) => {
      const here = handles.filter((handle) => this.#versions.has(handle));
      return { message: { replicas: here.map((handle) => this.#report(handle)) } };
    });
    await network.listen(`0.0.0.0:${PORT}`, (connection) => rpc.accept(connection));
    void this.#run();
  }

  /** As a chunkserver does it (its control/heartbeat.ts): one loop, a pause after a failure. */
  async #run(): Promise<void> {
    const { clock } = this.#options.seams;
    await clock.sleep(this.#options.phaseMs);
    for (;;) {
      let waitMs: number;
      try {
        await this.#step();
        waitMs = this.#heartbeatIntervalMs;
      } catch (error) {
        if (isFsError(error, 'STALE_SESSION')) this.#session = undefined;
        waitMs = isFsError(error, 'STALE_SESSION') ? 0 : PAUSE_MS;
      }
      await clock.sleep(waitMs);
    }
  }

  async #step(): Promise<void> {
    if (this.#session === undefined) await this.#register();
    await this.#beat();
    if (this.#isInventoryWanted) await this.#sendInventory();
  }

  async #register(): Promise<void> {
    const { name: host, rack } = this.#options;
    const identity = { serverUuid: `uuid of ${host}`, clusterId: this.#clusterId, serverId: this.id };
    const place = { address: this.address, host, rack, disks: [this.#disk()], softwareVersion: 'scale' };
    const { message } = await this.#call(MasterControlMethods.register, { ...identity, ...place });
    this.#clusterId = message.clusterId;
    this.id = message.serverId;
    this.#session = message.session;
    this.#heartbeatIntervalMs = message.heartbeatIntervalMs;
    this.#isInventoryWanted = true;
  }

  async #beat(): Promise<void> {
    const { machine } = this.#options.seams;
    const { totalBytes, usedBytes } = machine.memory();
    const told = [...this.#changed];
    this.#changed.clear();
    const request = {
      serverId: this.id,
      session: this.#session!,
      usage: {
        cpuUsedRatio: machine.cpuUsedRatio(),
        memoryUsedBytes: usedBytes,
        memoryTotalBytes: totalBytes,
        processMemoryBytes: machine.processMemoryBytes(),
      },
      disks: [this.#disk()],
      changes: told.map((handle) => this.#report(handle)),
      renewLeases: [],
      renewGrants: [],
      commits: [],
    };
    let message: HeartbeatReply;
    try {
      ({ message } = await this.#call(MasterControlMethods.heartbeat, request));
    } catch (error) {
      for (const handle of told) this.#changed.add(handle);
      throw error;
    }
    if (message.inventoryWanted) this.#isInventoryWanted = true;
    this.#order(message);
  }

  /** What is ordered into quarantine is gone from then on. */
  #order({ quarantine }: HeartbeatReply): void {
    for (const { handle, versionAtMost } of quarantine) {
      const held = this.#held(handle);
      if (held !== undefined && Math.max(held.version, held.isRemoved ? 0 : held.promisedVersion) > versionAtMost) {
        this.#changed.add(handle);
        continue;
      }
      this.#versions.delete(handle);
      this.#promised.delete(handle);
      this.#changed.add(handle);
    }
  }

  async #sendInventory(): Promise<void> {
    this.#isInventoryWanted = false;
    try {
      const handles = [...this.#versions.keys()].sort();
      const { inventoryPartMax } = this.#options;
      for (let from = 0, after = ''; ; ) {
        const part = handles.slice(from, from + inventoryPartMax);
        from += part.length;
        const last = from === handles.length;
        const packed = packReplicas(part.map((handle) => this.#report(handle)));
        const head = { serverId: this.id, session: this.#session! };
        await this.#call(MasterControlMethods.reportInventory, { ...head, ...packed, after, last });
        if (last) break;
        after = part.at(-1)!;
        await this.#beat();
      }
      this.inventoryCount += 1;
    } catch (error) {
      this.#isInventoryWanted = true;
      throw error;
    }
  }

  #promise({ handle, oldVersion, newVersion, removed }: PrepareViewRequest) {
    const held = this.#held(handle);
    if (held === undefined) throw new FsError('CHUNK_NOT_FOUND', `${this.name} has no chunk ${handle}`);
    const isOld = newVersion < held.promisedVersion || newVersion <= held.version;
    if (isOld || oldVersion > held.promisedVersion || (held.isRemoved && oldVersion === held.promisedVersion)) {
      throw new FsError('STALE_VERSION', `${this.name}: chunk ${handle} is at ${held.version}`);
    }
    // No mutation comes in between: one that stays serves the version as soon as it has promised it.
    this.#promised.set(handle, { version: held.version, promisedVersion: newVersion, isRemoved: removed });
    const committedLength = this.#options.chunkBytes;
    return {
      stagedSequence: 0,
      committedSequence: 0,
      committedLength,
      stagedLength: committedLength,
      lengthsAfter: [],
      hasLed: false,
      installedVersion: held.version,
    };
  }

  async #clone({ handle, version, length }: CloneReplicaRequest) {
    const { clock } = this.#options.seams;
    const tookMs = (length / this.#options.copyBytesPerSecond) * 1000;
    this.#copiesEndMs = Math.max(this.#copiesEndMs, clock.nowMs()) + tookMs;
    await clock.sleep(this.#copiesEndMs - clock.nowMs());
    this.#versions.set(handle, version);
    this.#promised.delete(handle);
    this.#changed.add(handle);
    return { message: { length, sequence: 0 } };
  }

  #held(handle: string): Held | undefined {
    const promised = this.#promised.get(handle);
    if (promised !== undefined) return promised;
    const version = this.#versions.get(handle);
    return version === undefined ? undefined : { version, promisedVersion: version, isRemoved: false };
  }

  #report(handle: string): ReplicaReport {
    return reportOf(handle, this.#held(handle), this.#options.chunkBytes);
  }

  #disk() {
    const replicaCount = this.#versions.size;
    const freeBytes = Math.max(0, DISK_BYTES - replicaCount * this.#options.chunkBytes);
    return {
      diskId: 'disk',
      path: '/data',
      totalBytes: DISK_BYTES,
      freeBytes,
      replicaCount,
      failure: '',
      fileSystem: '',
      fileSystemFreeBytes: 0,
    };
  }

  #call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q): Promise<{ message: S }> {
    return this.#pool.channel(this.#options.master).call(method, request, { timeoutMs: CALL_TIMEOUT_MS });
  }
}

function reportOf(handle: string, held: Held | undefined, length = 0): ReplicaReport {
  if (held === undefined) {
    const condition = ReplicaCondition.REPLICA_CONDITION_GONE;
    return ReplicaReport.fromPartial({ handle, condition });
  }
  const { version, promisedVersion, isRemoved: removed } = held;
  const pendingVersion = promisedVersion > version ? promisedVersion : 0;
  const condition = ReplicaCondition.REPLICA_CONDITION_PRESENT;
  return ReplicaReport.fromPartial({ handle, version, length, condition, pendingVersion, removed });
}
