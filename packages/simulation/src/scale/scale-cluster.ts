/** The real master on simulated seams, with chunkservers without data (scale-chunkserver.ts) and the chunks they hold. */
import { isFsError, type OpenStateStore } from '@cairnfs/base';
import { MASTER_DEFAULTS, type Master, type MasterConfig, startMaster } from '@cairnfs/master';
import { CreateMode, createRpcPool, MasterMethods, type Method, type RpcChannel } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { ScaleChunkserver } from './scale-chunkserver.ts';
import { openStanding, type StandingStore } from './standing-store.ts';

export const MASTER_HOST = 'master';
const MASTER_ADDRESS = `${MASTER_HOST}:9000`;
const SERVERS_PER_RACK = 25;
/** Files are of so many chunks, 4 GiB. */
const CHUNKS_PER_FILE = 64;
const FILES_PER_DIRECTORY = 1000;
const CLIENTS = 8;
const OVERLOAD_PAUSE_MS = 100;
const CALL_TIMEOUT_MS = 60_000;
/** Nobody reads the trace of so many servers. */
const TRACE_ENTRIES_MAX = 100;

export interface ScaleOptions {
  readonly seed: number;
  readonly servers: number;
  readonly chunks: number;
  /** Of each server, for copies to it. */
  readonly copyBytesPerSecond: number;
  readonly inventoryPartMax: number;
  /** The master's state store; by default the simulator's own. */
  readonly openStateStore?: OpenStateStore | undefined;
}

export class ScaleCluster {
  readonly simulation: Simulation;
  readonly servers: ScaleChunkserver[] = [];
  /** Every chunk, in the order in which they were made. */
  readonly handles: string[] = [];
  readonly #options: ScaleOptions;
  readonly #config: MasterConfig;
  /** Of as many clients, each with a connection of its own. */
  readonly #channels: RpcChannel[] = [];
  readonly #byId = new Map<number, ScaleChunkserver>();
  #master: Master | undefined;
  #store: StandingStore | undefined;

  constructor(options: ScaleOptions) {
    this.#options = options;
    this.simulation = new Simulation({ seed: options.seed, traceEntriesMax: TRACE_ENTRIES_MAX });
    this.#config = { ...MASTER_DEFAULTS, listen: MASTER_ADDRESS, directory: 'data' };
    for (let index = 1; index <= CLIENTS; index += 1) {
      const pool = createRpcPool(this.simulation.host(`client${index}`).start());
      this.#channels.push(pool.channel(MASTER_ADDRESS));
    }
  }

  /** Resolves when the master's port is open; what it waits for then is for `isReady`. */
  async startMaster(): Promise<void> {
    const host = this.simulation.host(MASTER_HOST);
    const seams = host.start();
    const open = this.#options.openStateStore;
    const openStateStore: OpenStateStore = async (directory) => {
      this.#store = await openStanding(this.simulation, seams.clock, open!)(directory);
      return this.#store;
    };
    const own = open === undefined ? seams : { ...seams, openStateStore };
    this.#master = await this.simulation.run(startMaster(own, this.#config));
  }

  /** As after kill -9. */
  async killMaster(): Promise<void> {
    this.simulation.host(MASTER_HOST).crash({ unsynced: 'keep' });
    this.#master = undefined;
    const store = this.#store;
    this.#store = undefined;
    // A process that ended would have closed it; a simulated one leaves it open.
    await store?.abandon();
  }

  get isReady(): boolean {
    return this.#master?.health().writable ?? false;
  }

  async startServers(): Promise<void> {
    const { servers: count, copyBytesPerSecond, inventoryPartMax } = this.#options;
    for (let index = 1; index <= count; index += 1) {
      const name = `cs${index}`;
      const server = new ScaleChunkserver({
        name,
        rack: `rack${Math.ceil(index / SERVERS_PER_RACK)}`,
        seams: this.simulation.host(name).start(),
        master: MASTER_ADDRESS,
        chunkBytes: this.#config.chunkBytes,
        copyBytesPerSecond,
        inventoryPartMax,
        phaseMs: (index / count) * this.#config.heartbeatIntervalMs,
      });
      this.servers.push(server);
      await this.simulation.run(server.start());
    }
    await this.simulation.runUntil(() => this.servers.every(({ inventoryCount }) => inventoryCount > 0));
    for (const server of this.servers) this.#byId.set(server.id, server);
  }

  /** Makes the chunks, as clients do: planned by an upload, stored, confirmed. */
  async load(progress: (chunkCount: number) => void = () => {}): Promise<void> {
    const { chunks } = this.#options;
    let begun = 0;
    let fileCount = 0;
    const worker = async (channel: RpcChannel) => {
      while (begun < chunks) {
        const count = Math.min(CHUNKS_PER_FILE, chunks - begun);
        begun += count;
        fileCount += 1;
        await this.#upload(channel, `/d${Math.floor(fileCount / FILES_PER_DIRECTORY)}/f${fileCount}`, count);
        progress(this.handles.length);
      }
    };
    await this.simulation.run(Promise.all(this.#channels.map(worker)), Number.POSITIVE_INFINITY);
  }

  status() {
    return this.simulation.run(this.#call(this.#channels[0]!, MasterMethods.getClusterStatus, {}));
  }

  /** A chunkserver is gone for good, without a word. */
  lose(server: ScaleChunkserver): void {
    this.simulation.host(server.name).crash({ unsynced: 'lose' });
    this.servers.splice(this.servers.indexOf(server), 1);
    this.#byId.delete(server.id);
  }

  async #upload(channel: RpcChannel, path: string, chunkCount: number): Promise<void> {
    const wish = { mode: 0, owner: '', group: '', replication: 0, makeParents: true, operation: undefined };
    const begin = { path, create: CreateMode.CREATE_MODE_EXCLUSIVE, ...wish, chunkCount };
    const { uploadId, chunks, chunkBytes } = await this.#call(channel, MasterMethods.beginUpload, begin);
    const length = chunkBytes || this.#config.chunkBytes;
    for (const { handle, version, replicas } of chunks) {
      for (const { serverId } of replicas) this.#byId.get(serverId)!.store(handle, version);
      this.handles.push(handle);
    }
    const placed = chunks.map(({ handle }, index) => ({ handle, length, offset: index * length }));
    const once = { operation: undefined, target: undefined, wantsSpare: false };
    const confirm = { uploadId, chunks: placed, modifiedMs: 0, xattrs: {}, size: 0, ...once };
    await this.#call(channel, MasterMethods.confirmUpload, confirm);
  }

  /** Patient with a master that has more to write than its disk takes. */
  async #call<Q, S>(channel: RpcChannel, method: Method<Q, S> & { stream: 'none' }, request: Q): Promise<S> {
    for (;;) {
      try {
        return (await channel.call(method, request, { timeoutMs: CALL_TIMEOUT_MS })).message;
      } catch (error) {
        if (!isFsError(error, 'OVERLOADED')) throw error;
        await this.simulation.clock.sleep(OVERLOAD_PAUSE_MS);
      }
    }
  }
}
