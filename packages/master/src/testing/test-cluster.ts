/** The master's parts over a real ledger on simulated hosts, with scripted chunkservers. */

import { ProcessCalendar } from '@cairnfs/base';
import { createRpcPool, createRpcServer } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { openLedger } from '@cairnfs/storage';
import { beginIncarnation } from '../bootstrap.ts';
import { MASTER_DEFAULTS, type MasterConfig } from '../config.ts';
import type { MasterContext } from '../context.ts';
import { LedgerDecisions } from '../decisions.ts';
import { Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { LogRecords } from '../log-records.ts';
import { discardChunk } from '../namespace/destroy.ts';
import { FileLayout } from '../namespace/file-layout.ts';
import { createParts, type RunningParts } from '../parts.ts';
import { UploadPlans } from '../upload/upload-plans.ts';
import { newReplica, ScriptedChunkserver } from './scripted-chunkserver.ts';

const MASTER_ADDRESS = 'master:9000';

export class TestCluster {
  readonly simulation = new Simulation({ seed: 1 });
  readonly servers: ScriptedChunkserver[] = [];
  readonly #config: MasterConfig;
  context!: MasterContext;
  parts!: RunningParts;

  constructor(config: Partial<MasterConfig> = {}) {
    this.#config = { ...MASTER_DEFAULTS, directory: 'data', ...config };
  }

  /** A master and so many chunkservers that have registered, shown an empty inventory, and beat on. */
  static async start(serverCount: number, config: Partial<MasterConfig> = {}): Promise<TestCluster> {
    const cluster = new TestCluster(config);
    await cluster.startMaster();
    for (let index = 1; index <= serverCount; index += 1) await cluster.addServer();
    return cluster;
  }

  async startMaster(): Promise<void> {
    const seams = this.simulation.host('master').start();
    await this.simulation.run(async () => {
      const format = { name: 'master', version: 1 };
      const records = new LogRecords();
      const ledger = await openLedger(seams, { directory: 'data', format, apply: records.apply });
      const decisions = new LedgerDecisions(ledger, records);
      const identity = await beginIncarnation(decisions, seams, this.#config.chunkBytes);
      this.context = {
        ...{ seams, config: this.#config, ledger, decisions, pool: createRpcPool(seams), ...identity },
        ...{
          layout: new FileLayout(this.#config.chunkBytes),
          plans: new UploadPlans(),
          startedAtMs: seams.clock.nowMs(),
          startedWallMs: seams.clock.wallMs(),
          calendar: new ProcessCalendar(seams.clock),
        },
      };
      this.parts = createParts(this.context);
      const rpc = createRpcServer({ clock: seams.clock, log: seams.log, fatal: seams.fatal });
      this.parts.register(rpc);
      await seams.network.listen('0.0.0.0:9000', (connection) => rpc.accept(connection));
    });
  }

  /** As after a power failure. The chunkservers stay. */
  async restartMaster(): Promise<void> {
    this.simulation.host('master').crash({ unsynced: 'lose', isSilent: false });
    await this.startMaster();
  }

  async addServer(): Promise<ScriptedChunkserver> {
    const server = this.newServer(`server${this.servers.length + 1}`);
    await this.simulation.run(async () => {
      await server.listen();
      await server.register();
      await server.sendInventory();
    });
    server.beat();
    return server;
  }

  /** One that has done nothing yet. */
  newServer(name: string): ScriptedChunkserver {
    const peer = (address: string) => this.servers.find((other) => other.address === address)!;
    const server = new ScriptedChunkserver(name, this.simulation.host(name).start(), MASTER_ADDRESS, peer);
    this.servers.push(server);
    return server;
  }

  server(id: number): ScriptedChunkserver {
    const server = this.servers.find((candidate) => candidate.id === id);
    if (server === undefined) throw new Error(`no server ${id}`);
    return server;
  }

  /** Cuts a server off: its lease runs out after 11 s. */
  cutOff(id: number): void {
    this.simulation.network.partition(
      `server${id}`,
      this.simulation.hosts.map(({ name }) => name),
    );
  }

  /** Logs a chunk, and gives each member its replica. */
  async putChunk(handle: string, chunk: Partial<Chunk>): Promise<void> {
    const logged = Chunk.fromPartial({
      ...{ state: ChunkState.CHUNK_STATE_CLOSED, version: 1, highestVersion: 1, goal: 3, members: [1, 2, 3] },
      ...chunk,
    });
    const { version, length, sequence } = logged;
    for (const member of logged.members) {
      this.server(member).replicas.set(handle, newReplica({ version, length, sequence }));
    }
    await this.run(this.context.decisions.perform('test', (transaction) => transaction.putChunk(handle, logged)));
  }

  /** No file needs the chunk any more. */
  async discard(handle: string): Promise<void> {
    await this.context.decisions.perform('test', (transaction) => {
      discardChunk(transaction, handle, transaction.chunk(handle)!, this.context.seams.clock.wallMs());
    });
  }

  chunk(handle: string): Chunk | undefined {
    return this.context.decisions.read().chunk(handle);
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.simulation.run(work);
  }
}

/** In order of index. */
export const handleOf = (index: number) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;

export const HANDLE = handleOf(1);
