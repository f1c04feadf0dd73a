/**
 * One master, some chunkservers and clients as hosts of one simulation: the same code that runs in production, wired to
 * simulated seams. Servers crash and start again on their disks; one seed decides all that is left to chance.
 */
import { assert } from '@cairnfs/base';
import { CHUNKSERVER_DEFAULTS, type ChunkserverConfig, startChunkserver } from '@cairnfs/chunkserver';
import { type CairnClient, createClient } from '@cairnfs/client';
import { MASTER_DEFAULTS, type MasterConfig, startMaster } from '@cairnfs/master';
import { type CrashOptions, Simulation } from '@cairnfs/sim';
import { RESERVE_BYTES } from '../schedule/schedule.ts';
import { type ServerFailure, SimulatedServer } from './simulated-server.ts';

const MASTER = 'master';
const MASTER_ADDRESS = 'master:9000';
const READY_LIMIT_MS = 60_000; // virtual
const READY_POLL_MS = 100;
/** Small, so that segments fill and are dropped all the time; a record holds at most a chunk's worth of data. */
const JOURNAL = { segmentBytes: 512 * 1024, roomAheadBytes: 256 * 1024 };

export interface SimulatedClusterOptions {
  seed: number;
  chunkservers: number;
  /** @default {1} */
  disksPerChunkserver?: number;
  /** Changes to the master's defaults. */
  master?: Partial<MasterConfig>;
  /** Changes to the chunkservers' defaults. */
  chunkserver?: Partial<Pick<ChunkserverConfig, 'quarantineGraceMs' | 'diskTimeoutMs' | 'bounds'>>;
  /** Of every server; the default takes records of less than half a MiB. */
  journal?: { segmentBytes: number; roomAheadBytes: number };
  /** Trace entries kept for reading. */
  traceEntriesMax?: number;
}

export class SimulatedCluster {
  readonly simulation: Simulation;
  readonly chunkserverNames: readonly string[];
  /** Folders of a chunkserver's disks. */
  readonly disks: readonly string[];
  /** Processes that ended themselves or did not come up, in order. */
  readonly failures: ServerFailure[] = [];
  readonly #options: SimulatedClusterOptions;
  readonly #servers = new Map<string, SimulatedServer>();
  #clientCount = 0;

  constructor(options: SimulatedClusterOptions) {
    const { seed, chunkservers, disksPerChunkserver = 1, traceEntriesMax } = options;
    this.#options = options;
    this.simulation = new Simulation({ seed, ...(traceEntriesMax === undefined ? {} : { traceEntriesMax }) });
    this.chunkserverNames = Array.from({ length: chunkservers }, (_, index) => `chunkserver-${index + 1}`);
    this.disks = Array.from({ length: disksPerChunkserver }, (_, index) => (index === 0 ? 'disk' : `disk${index + 1}`));
    for (const name of [MASTER, ...this.chunkserverNames]) this.#servers.set(name, this.#makeServer(name));
  }

  /** Starts everything; writes work when it resolves. */
  static async start(options: SimulatedClusterOptions): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options);
    await cluster.begin();
    return cluster;
  }

  /** Starts all servers at once. */
  async begin(): Promise<void> {
    await this.run(() => Promise.all(this.servers.map((server) => server.start())));
    await this.untilLive(this.#options.chunkservers);
  }

  server(name: string): SimulatedServer {
    const server = this.#servers.get(name);
    assert(server !== undefined, () => `there is no server ${name}`);
    return server;
  }

  get servers(): SimulatedServer[] {
    return [...this.#servers.values()];
  }

  /** Starts the server of that name on its host, on the data it left there, and lets time pass until it serves. */
  launch(name: string): Promise<void> {
    return this.simulation.run(this.server(name).start());
  }

  crash(name: string, options: CrashOptions): void {
    this.server(name).crash(options);
  }

  /** A client on a host of its own, which must run no process. */
  client(hostName = `client ${++this.#clientCount}`): CairnClient {
    return createClient(this.simulation.host(hostName).start(), { masters: [MASTER_ADDRESS] });
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.simulation.run(work);
  }

  /** Waits until so many chunkservers are live and writes work. */
  async untilLive(count: number): Promise<void> {
    const client = this.client();
    await this.simulation.run(async () => {
      for (;;) {
        const status = await client.clusterStatus({ timeoutMs: 5000 });
        if (status.writable && status.servers.filter((server) => server.live).length >= count) return;
        await this.simulation.clock.sleep(READY_POLL_MS);
      }
    }, READY_LIMIT_MS);
    await this.simulation.run(client.close());
  }

  #makeServer(name: string): SimulatedServer {
    const { master = {}, chunkserver = {} } = this.#options;
    return new SimulatedServer({
      simulation: this.simulation,
      host: this.simulation.host(name),
      failed: (failure) => this.failures.push(failure),
      boot: (seams) =>
        name === MASTER
          ? startMaster(seams, {
              ...MASTER_DEFAULTS,
              listen: MASTER_ADDRESS,
              directory: 'data',
              journal: this.#options.journal ?? JOURNAL,
              ...master,
            })
          : startChunkserver(seams, {
              ...CHUNKSERVER_DEFAULTS,
              ...chunkserver,
              reserveBytes: RESERVE_BYTES,
              journal: this.#options.journal ?? JOURNAL,
              listen: `${name}:8080`,
              masters: [MASTER_ADDRESS],
              disks: this.disks,
              host: name,
              rack: 'rack',
            }),
    });
  }
}
