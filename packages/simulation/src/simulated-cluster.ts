/**
 * One master, some chunkservers and a client as hosts of one simulation: the same code that runs in production, wired to
 * simulated seams. Servers crash and start again on their disks; one seed decides all that is left to chance.
 */
import { CHUNKSERVER_DEFAULTS, startChunkserver } from '@cairnfs/chunkserver';
import { type CairnClient, createClient } from '@cairnfs/client';
import { MASTER_DEFAULTS, startMaster } from '@cairnfs/master';
import { type CrashOptions, Simulation } from '@cairnfs/sim';

const MASTER_ADDRESS = 'master:9000';
const READY_LIMIT_MS = 60_000; // virtual

export interface SimulatedClusterOptions {
  seed: number;
  chunkservers: number;
}

export class SimulatedCluster {
  readonly simulation: Simulation;
  readonly chunkserverNames: readonly string[];
  #clientCount = 0;

  private constructor({ seed, chunkservers }: SimulatedClusterOptions) {
    this.simulation = new Simulation({ seed });
    this.chunkserverNames = Array.from({ length: chunkservers }, (_, index) => `chunkserver-${index + 1}`);
  }

  /** Starts everything; writes work when it resolves. */
  static async start(options: SimulatedClusterOptions): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options);
    await cluster.launch('master');
    for (const name of cluster.chunkserverNames) await cluster.launch(name);
    await cluster.untilLive(options.chunkservers);
    return cluster;
  }

  /** Starts the server of that name on its host, on the data it left there. */
  launch(name: string): Promise<void> {
    const seams = this.simulation.host(name).start();
    const start = async () => {
      if (name === 'master') {
        await startMaster(seams, { ...MASTER_DEFAULTS, listen: MASTER_ADDRESS, directory: 'data' });
        return;
      }
      await startChunkserver(seams, {
        ...CHUNKSERVER_DEFAULTS,
        listen: `${name}:8080`,
        masters: [MASTER_ADDRESS],
        disks: ['disk'],
        host: name,
        rack: 'rack',
      });
    };
    return this.simulation.run(start());
  }

  crash(name: string, options: CrashOptions): void {
    this.simulation.host(name).crash(options);
  }

  /** A client on a host of its own. */
  client(): CairnClient {
    this.#clientCount += 1;
    const seams = this.simulation.host(`client-${this.#clientCount}`).start();
    return createClient(seams, { masters: [MASTER_ADDRESS] });
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
        await this.simulation.clock.sleep(100);
      }
    }, READY_LIMIT_MS);
    await this.simulation.run(client.close());
  }
}
