/** A whole master as it is started in production, with scripted chunkservers, and a client that calls it. */
import {
  type ConfirmUploadRequest,
  CreateMode,
  createRpcPool,
  type Extent,
  MasterMethods,
  type Method,
  type OpenExtentRequest,
  type OperationId,
  type RpcPool,
  type UploadedChunk,
} from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import type { MasterStatistics } from '../cluster/statistics.ts';
import { MASTER_DEFAULTS, type MasterConfig } from '../config.ts';
import { type Master, startMaster } from '../master.ts';
import { newReplica, ScriptedChunkserver } from './scripted-chunkserver.ts';

const MASTER_ADDRESS = 'master:9000';
const CALL_TIMEOUT_MS = 120_000;
const UNTIL_WRITABLE_MS = 30_000;

export class TestMaster {
  readonly simulation = new Simulation({ seed: 1 });
  readonly servers: ScriptedChunkserver[] = [];
  readonly #config: MasterConfig;
  readonly #pool: RpcPool;
  #master: Master | undefined;
  #operationNumber = 0;

  private constructor(config: Partial<MasterConfig>) {
    this.#config = { ...MASTER_DEFAULTS, listen: MASTER_ADDRESS, directory: 'data', ...config };
    this.#pool = createRpcPool(this.simulation.host('client').start());
  }

  static async start(serverCount: number, config: Partial<MasterConfig> = {}): Promise<TestMaster> {
    const test = new TestMaster(config);
    await test.#startMaster();
    for (let index = 1; index <= serverCount; index += 1) await test.#addServer();
    return test;
  }

  statistics(): MasterStatistics {
    return this.#master!.statistics();
  }

  async #startMaster(): Promise<void> {
    const seams = this.simulation.host('master').start();
    this.#master = await this.simulation.run(startMaster(seams, this.#config));
  }

  async #addServer(): Promise<void> {
    const name = `server${this.servers.length + 1}`;
    const peer = (address: string) => this.servers.find((other) => other.address === address)!;
    const server = new ScriptedChunkserver(name, this.simulation.host(name).start(), MASTER_ADDRESS, peer);
    this.servers.push(server);
    await this.simulation.run(async () => {
      await server.listen();
      await server.register();
      await server.sendInventory();
    });
    server.beat();
  }

  /** As after a power failure of the master; resolves when the chunkservers are back in touch with the new one. */
  async crash(): Promise<void> {
    this.simulation.host('master').crash({ unsynced: 'lose', isSilent: false });
    await this.#startMaster();
    await this.#untilWritable();
  }

  /** Stops the master in order and starts it again. */
  async restart(): Promise<void> {
    await this.simulation.run(this.#master!.close());
    this.simulation.host('master').crash({ unsynced: 'lose', isSilent: false });
    await this.#startMaster();
    await this.#untilWritable();
  }

  async #untilWritable(): Promise<void> {
    if (this.servers.length === 0) return;
    const end = this.simulation.nowMs + UNTIL_WRITABLE_MS;
    for (;;) {
      const { writable, safeMode } = await this.call(MasterMethods.getClusterStatus, {});
      if (writable && !safeMode) return;
      if (this.simulation.nowMs > end) throw new Error('the chunkservers did not come back');
      await this.simulation.runFor(100);
    }
  }

  operation(number = this.#operationNumber + 1): OperationId {
    this.#operationNumber = Math.max(this.#operationNumber, number);
    return { client: new Uint8Array(16).fill(1), number, settledBelow: 0 };
  }

  /** Calls the master; does not let time pass by itself. */
  send<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q, timeoutMs = CALL_TIMEOUT_MS): Promise<S> {
    const channel = this.#pool.channel(MASTER_ADDRESS);
    return channel.call(method, request, { timeoutMs }).then(({ message }) => message);
  }

  /** Calls the master and lets time pass until it has answered. */
  call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q): Promise<S> {
    return this.simulation.run(this.send(method, request));
  }

  // ---- What most tests do ----

  async create(path: string, create: CreateMode = CreateMode.CREATE_MODE_EXCLUSIVE): Promise<number> {
    const wish = { mode: 0, owner: '', group: '', replication: 0, makeParents: true, operation: undefined };
    return (await this.call(MasterMethods.create, { path, create, ...wish })).attributes!.inode;
  }

  async openExtent(inode: number, at: OpenExtentRequest['at'], fullHandle = ''): Promise<Extent> {
    const request = { inode, at, fullHandle, suspectedServers: [], operation: undefined };
    return (await this.call(MasterMethods.openExtent, request)).extent!;
  }

  async append(inode: number, bytes: number): Promise<Extent> {
    const extent = await this.openExtent(inode, { $case: 'append', value: true });
    this.grow(extent, bytes);
    return extent;
  }

  /** As if a client had sent the primary one mutation that made the chunk so much longer. */
  grow({ chunk }: Extent, bytes: number): void {
    const { handle, version, replicas, length } = chunk!;
    for (const { serverId } of replicas) {
      const server = this.server(serverId);
      const before = server.replicas.get(handle) ?? newReplica({ version, length, sequence: 0 });
      const grown = { length: before.length + bytes, sequence: before.sequence + 1 };
      server.replicas.set(handle, { ...before, ...grown });
    }
  }

  server(id: number): ScriptedChunkserver {
    const server = this.servers.find((candidate) => candidate.id === id);
    if (server === undefined) throw new Error(`no server ${id}`);
    return server;
  }

  async size(inode: number): Promise<number> {
    return (await this.call(MasterMethods.stat, { file: { path: '', inode } })).attributes!.size;
  }

  locate(inode: number, { offset = 0, length = 0, limit = 0 } = {}) {
    return this.call(MasterMethods.locate, { file: { path: '', inode }, offset, length, limit });
  }

  truncateRequest(inode: number, size: number, operation = this.operation()) {
    return { file: { path: '', inode }, size, operation };
  }

  /** Puts a file of chunks of these offsets and lengths; answers its inode. */
  async upload(
    path: string,
    pieces: readonly { offset: number; length: number }[],
    create: CreateMode = CreateMode.CREATE_MODE_REPLACE,
  ): Promise<number> {
    const { uploadId, chunks } = await this.beginUpload(path, pieces.length, create);
    const placed = chunks.map(({ handle }, index): UploadedChunk => ({ handle, ...pieces[index]! }));
    for (const [index, { handle, replicas }] of chunks.entries()) {
      const { length } = pieces[index]!;
      for (const { serverId } of replicas) {
        this.server(serverId).replicas.set(handle, newReplica({ version: 1, length, sequence: 0 }));
      }
    }
    return (await this.confirmUpload(uploadId, placed)).attributes!.inode;
  }

  beginUpload(path: string, chunkCount: number, create: CreateMode = CreateMode.CREATE_MODE_REPLACE) {
    const wish = { mode: 0, owner: '', group: '', replication: 0, makeParents: true };
    return this.call(MasterMethods.beginUpload, { path, create, ...wish, chunkCount, operation: this.operation() });
  }

  confirmUpload(
    uploadId: string,
    chunks: UploadedChunk[],
    more: Partial<Pick<ConfirmUploadRequest, 'size' | 'operation' | 'target' | 'wantsSpare'>> = {},
  ) {
    const silent = { modifiedMs: 0, xattrs: {}, size: 0, operation: undefined, target: undefined, wantsSpare: false };
    return this.call(MasterMethods.confirmUpload, { uploadId, chunks, ...silent, ...more });
  }
}
