/**
 * One run: a cluster of processes serves, clients ask, faults strike; then all heals, everything is read once more, and
 * what was seen is judged.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SimRandom } from '@cairnfs/sim';
import { CHUNK_BYTES, type Violation } from '@cairnfs/simulation';
import { TestCluster } from '../harness/cluster.ts';
import { ON_LOOPBACK } from '../harness/placement.ts';
import type { ClientConfig } from './client-config.ts';
import { ClientFleet } from './client-fleet.ts';
import { FaultInjector } from './fault-injector.ts';
import { planFaults } from './fault-plan.ts';
import { readAll } from './final-reading.ts';
import { heal } from './heal.ts';
import { judge } from './judge.ts';
import { PROCESSES_MAX, type RecordedHistories, readOperationLogs } from './operation-log.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { pathsOf } from './workload.ts';

const CHUNKSERVERS = 4;
const CLIENTS = 4;
const CHUNK_LEASE = '20s';
/** Above the longest patience of an operation (30 s) by a minute: what is not over then hangs. */
const FINISH_LIMIT_MS = 90_000;
/** Time for leases to run out, servers to be declared dead, chunks to be copied, several times, on a busy machine. */
const HEAL_LIMIT_MS = 300_000;

export interface RunParts {
  readonly seed: number;
  readonly durationMs: number;
  readonly runName: string;
  /** An empty folder, whose path names the run. */
  readonly folder: string;
  readonly hasNetwork: boolean;
  /** Told of each step. */
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface RunResult {
  readonly violations: readonly Violation[];
  readonly undecided: readonly string[];
  readonly histories: RecordedHistories;
  readonly faults: ReadonlyMap<string, number>;
  readonly healMs: number;
}

export async function runChaos(parts: RunParts): Promise<RunResult> {
  const run = new ChaosRun(parts);
  try {
    return await run.result();
  } finally {
    await run.close();
  }
}

class ChaosRun {
  readonly #parts: RunParts;
  readonly #clientFolder: string;
  readonly #violations: Violation[] = [];
  readonly #clientPlaces = Array.from({ length: CLIENTS }, (_, index) => `client-${index + 1}`);
  #network: VirtualNetwork | undefined;
  #cluster: TestCluster | undefined;
  #clients: ClientFleet | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#clientFolder = join(parts.folder, 'clients');
  }

  async result(): Promise<RunResult> {
    const { durationMs, seed, signal } = this.#parts;
    const cluster = await this.#startCluster();
    await this.#makeObjects(cluster);
    const startNs = Number(process.hrtime.bigint());
    const config = { master: cluster.masterAddress, seed, durationMs, startNs };
    const clients = new ClientFleet({
      places: this.#clientPlaces,
      placement: this.#network ?? ON_LOOPBACK,
      folder: this.#clientFolder,
      config,
    });
    this.#clients = clients;
    clients.startAll();

    const faults = await this.#strike(cluster, clients);
    signal.throwIfAborted();
    const healStartMs = performance.now();
    this.#note('no more faults; clients finish');
    cluster.launchAll();
    for (const name of await clients.finish(FINISH_LIMIT_MS)) this.#violate('hang', `${name} is still at an operation`);
    for (const exit of clients.unexpectedExits) this.#violate('client', `${exit}: see its output`);
    signal.throwIfAborted();
    this.#note('the cluster heals');
    const wrong = await heal(cluster, { limitMs: HEAL_LIMIT_MS, signal });
    if (wrong !== undefined) this.#violate('heal', `not whole after ${HEAL_LIMIT_MS / 1000} s: ${wrong}`);
    signal.throwIfAborted();
    const healMs = performance.now() - healStartMs;
    this.#note('everything is read once more');
    await this.#readAll(config);
    for (const { name, code, signal: by } of cluster.unexpectedExits) {
      this.#violate('server', `${name} ended by itself: ${by ?? `exit code ${code}`}: see its log`);
    }
    await cluster.killAll();
    this.#note('histories are checked');
    const histories = readOperationLogs(this.#clientFolder);
    const { violations, undecided } = judge(histories, pathsOf(durationMs));
    return { violations: [...this.#violations, ...violations], undecided, histories, faults, healMs };
  }

  async close(): Promise<void> {
    await this.#clients?.killAll();
    await this.#cluster?.killAll();
    this.#network?.remove();
  }

  async #startCluster(): Promise<TestCluster> {
    const { hasNetwork, runName, folder } = this.#parts;
    const servers = Array.from({ length: CHUNKSERVERS }, (_, index) => `chunkserver-${index + 1}`);
    if (hasNetwork) {
      this.#network = VirtualNetwork.create(runName, ['master', ...servers, ...this.#clientPlaces, 'admin']);
    }
    mkdirSync(this.#clientFolder);
    this.#cluster = await TestCluster.start({
      directory: join(folder, 'cluster'),
      chunkservers: CHUNKSERVERS,
      placement: this.#network ?? ON_LOOPBACK,
      master: {
        chunk_size: String(CHUNK_BYTES),
        chunk_lease: JSON.stringify(CHUNK_LEASE),
        garbage_grace: '"10s"',
      },
      chunkserver: { quarantine_grace: '"30s"' },
    });
    return this.#cluster;
  }

  async #makeObjects(cluster: TestCluster): Promise<void> {
    const { files, subtrees } = pathsOf(this.#parts.durationMs);
    await cluster.run(['mkdir', '-p', '/files', ...subtrees]);
    await cluster.run(['touch', ...files]);
  }

  async #strike(cluster: TestCluster, clients: ClientFleet): Promise<ReadonlyMap<string, number>> {
    const { seed, durationMs, signal } = this.#parts;
    const plan = planFaults(new SimRandom(seed, 'faults'), {
      durationMs,
      places: { master: 'master', chunkservers: cluster.chunkserverNames, clients: this.#clientPlaces },
      hasNetwork: this.#network !== undefined,
    });
    this.#note(`${plan.length} faults are planned`);
    const injector = new FaultInjector({
      cluster,
      clients,
      network: this.#network,
      tell: (line) => this.#note(line),
    });
    await injector.run(plan, { durationMs, signal });
    return injector.struck;
  }

  async #readAll(config: Pick<ClientConfig, 'master' | 'seed' | 'durationMs' | 'startNs'>): Promise<void> {
    const { exit, lines } = await readAll({
      config: { ...config, folder: this.#clientFolder, name: 'final', number: PROCESSES_MAX - 1 },
      placement: this.#network ?? ON_LOOPBACK,
      signal: this.#parts.signal,
    });
    if (exit !== 'exit code 0') this.#violate('final', `the last reading did not come to its end: ${exit}`);
    if (lines !== '') this.#violate('final', 'something cannot be read, or copies differ', lines);
  }

  #violate(check: string, summary: string, details = ''): void {
    this.#violations.push({ check, summary, details });
  }

  #note(line: string): void {
    const { folder, tell } = this.#parts;
    appendFileSync(join(folder, 'run.log'), `${new Date().toISOString()} ${line}\n`);
    tell(line);
  }
}
