/** Whole chunkservers on a simulated network, with a master that only grants leases and listens. */
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  ChunkView,
  MasterControlMethods as Control,
  createRpcPool,
  createRpcServer,
  type DiskStatus,
  dataPart,
  PlainReplicas,
  type QuarantineOrder,
  type ReplicaReport,
  type RpcPool,
  type UploadFrameReply,
} from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { type Chunkserver, startChunkserver } from '../chunkserver.ts';
import { CHUNKSERVER_DEFAULTS } from '../config.ts';

const MASTER = 'master:9000';
const TIMEOUT_MS = 20_000;
export const GRACE_MS = 10 * 60 * 1000;

export class TestServers {
  readonly simulation: Simulation;
  readonly servers = new Map<string, Chunkserver>();
  /** The newest report of each chunk, by server id. */
  readonly reports = new Map<number, Map<string, ReplicaReport>>();
  readonly inventories = new Map<number, ReplicaReport[]>();
  /** As last reported, by server id. */
  readonly disks = new Map<number, DiskStatus[]>();
  quarantine: QuarantineOrder[] = [];
  leaseWithheld = false;
  peers: RpcPool | undefined;
  /** Of servers launched from now on. */
  diskTimeoutMs: number = CHUNKSERVER_DEFAULTS.diskTimeoutMs;

  readonly #disks = new Map<string, readonly string[]>();

  private constructor(seed: number) {
    this.simulation = new Simulation({ seed });
  }

  static async start(seed: number, names: readonly string[]): Promise<TestServers> {
    const servers = new TestServers(seed);
    await servers.#startMaster();
    for (const name of names) await servers.launch(name);
    const { clock, random, network, log } = servers.simulation.host('client').start();
    servers.peers = createRpcPool({ clock, random, network, log });
    await servers.sleep(500);
    return servers;
  }

  async launch(name: string): Promise<void> {
    const seams = this.simulation.host(name).start();
    const place = { listen: `${name}:8080`, masters: [MASTER], disks: this.#disks.get(name) ?? ['disk'], host: name };
    const { diskTimeoutMs } = this;
    const config = { ...CHUNKSERVER_DEFAULTS, ...place, quarantineGraceMs: GRACE_MS, diskTimeoutMs };
    this.peers?.channel(`${name}:8080`).close(); // a connection to its earlier life
    this.servers.set(name, await this.run(() => startChunkserver(seams, config)));
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.simulation.run(work);
  }

  sleep(durationMs: number): Promise<void> {
    return this.run(() => this.simulation.clock.sleep(durationMs));
  }

  upload(name: string, frame: TestFrame): Promise<UploadFrameReply> {
    const { handle, offset, bytes, sync, route = [], fanOut = false } = frame;
    const request = { handle, version: 1, offset, route, fanOut, sync, members: [1, 2, 3], uploadId: 'u' };
    return this.run(async () => {
      const options = { timeoutMs: TIMEOUT_MS, data: dataPart(bytes) };
      const channel = this.peers!.channel(`${name}:8080`);
      return (await channel.call(ChunkserverDataMethods.uploadFrame, request, options)).message;
    });
  }

  read(
    name: string,
    request: { handle: string; offset: number; length: number; knownLength: number; version?: number },
  ): Promise<Buffer> {
    return this.run(async () => {
      const channel = this.peers!.channel(`${name}:8080`);
      const options = { timeoutMs: TIMEOUT_MS };
      const { data } = await channel.call(ChunkserverDataMethods.readChunk, { version: 1, ...request }, options);
      const bytes = Buffer.from(data?.bytes ?? []);
      data?.memory.release();
      return bytes;
    });
  }

  /** One disk more, on a file system of its own. */
  async launchWith(name: string, disks: readonly string[]): Promise<void> {
    this.#disks.set(name, disks);
    await this.launch(name);
    await this.sleep(500);
  }

  clone(name: string, request: { handle: string; version: number; length: number; from: string }): Promise<number> {
    const { from, ...rest } = request;
    return this.run(async () => {
      const channel = this.peers!.channel(`${name}:8080`);
      const { serverId } = this.servers.get(name)!.health();
      const order = { ...rest, sourceAddress: `${from}:8080`, serverId, sequence: 0 };
      const options = { timeoutMs: TIMEOUT_MS };
      return (await channel.call(ChunkserverControlMethods.cloneReplica, order, options)).message.length;
    });
  }

  /** The replica is to stay in the next view. */
  promise(name: string, { handle, oldVersion }: { handle: string; oldVersion: number }): Promise<unknown> {
    return this.run(() => {
      const channel = this.peers!.channel(`${name}:8080`);
      const { serverId } = this.servers.get(name)!.health();
      const versions = { oldVersion, newVersion: oldVersion + 1, removed: false, committedSequence: 0 };
      const request = { handle, ...versions, masterSession: 1, serverId };
      return channel.call(ChunkserverControlMethods.prepareView, request, { timeoutMs: TIMEOUT_MS });
    });
  }

  /** An empty view of one member, whose replica is to be made where there is none. */
  installFirst(name: string, { handle, version }: { handle: string; version: number }): Promise<unknown> {
    return this.run(() => {
      const address = `${name}:8080`;
      const { serverId } = this.servers.get(name)!.health();
      const view = ChunkView.fromPartial({ handle, version, members: [serverId], addresses: [address], minimum: 1 });
      const request = { view, term: 1, fence: false, create: true };
      return this.peers!.channel(address).call(ChunkserverPeerMethods.installView, request, { timeoutMs: TIMEOUT_MS });
    });
  }

  async #startMaster(): Promise<void> {
    const { clock, log, network } = this.simulation.host('master').start();
    const rpc = createRpcServer({ clock, log });
    const ids = new Map<string, number>();
    rpc.handle(Control.register, ({ serverUuid }) => {
      const serverId = ids.get(serverUuid) ?? ids.size + 1;
      ids.set(serverUuid, serverId);
      const times = {
        heartbeatIntervalMs: 1_000,
        serverLeaseMs: 10_000,
        chunkLeaseMs: 60_000,
        chunkBytes: 0,
        takesPlainReplicas: true,
      };
      return { message: { clusterId: 'cluster', serverId, session: 1, ...times } };
    });
    rpc.handle(Control.heartbeat, ({ serverId, changes, disks }) => {
      this.disks.set(serverId, disks);
      const known = this.reports.get(serverId) ?? new Map<string, ReplicaReport>();
      this.reports.set(serverId, known);
      for (const report of changes) known.set(report.handle, report);
      return {
        message: {
          renewedLeases: [],
          quarantine: this.quarantine,
          inventoryWanted: false,
          leaseWithheld: this.leaseWithheld,
        },
      };
    });
    rpc.handle(Control.reportInventory, (request) => {
      const { serverId, replicas, after } = request;
      const before = after === '' ? [] : (this.inventories.get(serverId) ?? []);
      const plain = new PlainReplicas(request);
      const all = [...replicas, ...Array.from({ length: plain.count }, (_, index) => plain.report(index))];
      this.inventories.set(serverId, [...before, ...all.sort((a, b) => (a.handle < b.handle ? -1 : 1))]);
      return { message: {} };
    });
    await this.run(() => network.listen(MASTER, (connection) => rpc.accept(connection)));
  }
}

export interface TestFrame {
  readonly handle: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly sync: boolean;
  readonly route?: string[];
  readonly fanOut?: boolean;
}
