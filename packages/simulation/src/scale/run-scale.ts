/**
 * The scale profile: what heartbeats and inventories of many chunkservers cost the master, how much memory it takes, how
 * long it needs after a restart, and how long until everything is whole again after servers were lost.
 */
import { type Cost, CostMeter, type Interval, type RealCounters } from './cost-meter.ts';
import type { ScaleChunkserver } from './scale-chunkserver.ts';
import { MASTER_HOST, ScaleCluster, type ScaleOptions } from './scale-cluster.ts';

const HEARTBEATS_MS = 30_000;
/** In which every server sends its whole inventory once, which in production it does after a registration alone. */
const INVENTORIES_MS = 60_000;
const READY_INTERVAL_MS = 10;
const REPAIR_INTERVAL_MS = 1000;
const REPAIR_LIMIT_MS = 2 * 3_600_000;
/** What stops and is collected after a process ended: its timers run out. */
const SETTLE_MS = 5000;
/** Longer than any timer of a server. */
const FORGOTTEN_MS = 11 * 60_000;

export interface ScaleMeasures extends RealCounters {
  /** Heap and buffers in use, garbage collected. */
  usedBytes(): number;
  /** When the garbage collector had stopped the process so far, its short runs left out. */
  collections(): readonly Interval[];
}

export interface Phase {
  readonly name: string;
  readonly virtualMs: number;
  readonly cost: Cost;
}

/** An event that took longer than `BLOCKED_MS`. */
export interface Block {
  readonly phase: string;
  readonly tookMs: number;
  /** Of this the garbage collector had. It collects what 1,000 simulated servers hold, not the master's memory alone. */
  readonly collectorMs: number;
}

export interface Repair {
  readonly lostReplicas: number;
  readonly repairedMs: number;
  /** Until no chunk had a single copy left. */
  readonly endangeredMs: number;
  readonly endangeredCount: number;
  /** Chunks that had fewer live copies than three at the end. */
  readonly incomplete: number;
}

export interface ScaleReport {
  readonly servers: number;
  readonly chunks: number;
  readonly replicas: number;
  readonly phases: readonly Phase[];
  readonly masterBytes: number;
  readonly readyVirtualMs: number;
  readonly readyCost: Cost;
  readonly repairs: readonly Repair[];
  readonly blocks: readonly Block[];
}

export const BLOCKED_MS = 50;
const COPIES = 3;

export async function runScale(
  options: ScaleOptions,
  { measures, log = () => {} }: { measures: ScaleMeasures; log?: (line: string) => void },
): Promise<ScaleReport> {
  const run = new ScaleRun(options, measures, log);
  return run.all();
}

class ScaleRun {
  readonly #cluster: ScaleCluster;
  readonly #options: ScaleOptions;
  readonly #measures: ScaleMeasures;
  readonly #log: (line: string) => void;
  readonly #meter: CostMeter;
  readonly #phases: Phase[] = [];

  constructor(options: ScaleOptions, measures: ScaleMeasures, log: (line: string) => void) {
    this.#options = options;
    this.#measures = measures;
    this.#log = log;
    this.#cluster = new ScaleCluster(options);
    this.#meter = new CostMeter(MASTER_HOST, measures, { blockedMs: BLOCKED_MS });
    this.#cluster.simulation.observe(this.#meter);
  }

  async all(): Promise<ScaleReport> {
    const { servers, chunks } = this.#options;
    await this.#phase('start of all servers', async () => {
      await this.#cluster.startMaster();
      await this.#cluster.startServers();
    });
    await this.#phase('uploads', () => this.#load());
    const { simulation } = this.#cluster;
    await simulation.runFor(SETTLE_MS);
    await this.#phase('heartbeats', () => simulation.runFor(HEARTBEATS_MS));
    await this.#phase('heartbeats and inventories', () => this.#inventories());
    const restart = await this.#restart();
    const replicas = this.#cluster.servers.reduce((sum, { replicaCount }) => sum + replicaCount, 0);
    const one = await this.#repair('one server lost', 1);
    const two = await this.#repair('two servers lost', 2);
    const masterBytes = await this.#masterBytes();
    const repairs = [one, two];
    const blocks = blocksOf(this.#phases, this.#measures.collections());
    return { servers, chunks, replicas, phases: this.#phases, masterBytes, ...restart, repairs, blocks };
  }

  async #phase(name: string, work: () => Promise<void>): Promise<Phase> {
    const { simulation } = this.#cluster;
    this.#meter.take();
    const startMs = simulation.nowMs;
    const realMs = this.#measures.nowMs();
    await work();
    const phase = { name, virtualMs: simulation.nowMs - startMs, cost: this.#meter.take() };
    this.#phases.push(phase);
    this.#log(`${name}: ${((this.#measures.nowMs() - realMs) / 1000).toFixed(1)} s of real time`);
    return phase;
  }

  #load(): Promise<void> {
    const step = Math.max(1, this.#options.chunks / 10);
    let shown = step;
    return this.#cluster.load((count) => {
      if (count < shown) return;
      this.#log(`  ${count} chunks`);
      shown += step;
    });
  }

  async #inventories(): Promise<void> {
    const { servers, simulation } = this.#cluster;
    const before = servers.map(({ inventoryCount }) => inventoryCount);
    for (const server of servers) {
      server.wantInventory();
      await simulation.runFor(INVENTORIES_MS / servers.length);
    }
    await simulation.runUntil(() => servers.every((server, index) => server.inventoryCount > before[index]!));
  }

  async #restart(): Promise<Pick<ScaleReport, 'readyVirtualMs' | 'readyCost'>> {
    const { simulation } = this.#cluster;
    await this.#cluster.killMaster();
    await simulation.runFor(SETTLE_MS);
    const { virtualMs, cost } = await this.#phase('restart', async () => {
      await this.#cluster.startMaster();
      await simulation.runUntil(() => this.#cluster.isReady, { intervalMs: READY_INTERVAL_MS });
    });
    await simulation.runFor(HEARTBEATS_MS);
    return { readyVirtualMs: virtualMs, readyCost: cost };
  }

  /** What goes with the master, at the end: when nothing that it left waits for its time any more. */
  async #masterBytes(): Promise<number> {
    const { simulation } = this.#cluster;
    await simulation.runFor(SETTLE_MS);
    const withBytes = this.#measures.usedBytes();
    await this.#cluster.killMaster();
    await simulation.runFor(FORGOTTEN_MS);
    return withBytes - this.#measures.usedBytes();
  }

  async #repair(name: string, count: number): Promise<Repair> {
    const { simulation, servers } = this.#cluster;
    const lost: ScaleChunkserver[] = [];
    // Of different racks, so that some chunks lose two copies.
    for (let index = 0; index < count; index += 1) lost.push(servers[Math.floor((index * servers.length) / count)]!);
    const affected = this.#cluster.handles.filter((handle) => lost.some((server) => server.versionOf(handle)));
    const endangered = affected.filter((handle) => lost.filter((server) => server.versionOf(handle)).length > 1);
    for (const server of lost) this.#cluster.lose(server);
    let endangeredMs = 0;
    const { virtualMs } = await this.#phase(name, async () => {
      const startMs = simulation.nowMs;
      while (simulation.nowMs - startMs < REPAIR_LIMIT_MS) {
        await simulation.runFor(REPAIR_INTERVAL_MS);
        const isEndangered = endangered.some((handle) => this.#copies(handle) < 2);
        if (isEndangered) endangeredMs = simulation.nowMs - startMs;
        const { repair, safeMode } = await this.#cluster.status();
        const isQuiet = !safeMode && repair!.underReplicatedCount === 0 && repair!.copyingCount === 0;
        if (isQuiet && affected.every((handle) => this.#copies(handle) >= COPIES)) return;
      }
    });
    return {
      lostReplicas: lost.reduce((sum, { replicaCount }) => sum + replicaCount, 0),
      repairedMs: virtualMs,
      endangeredMs,
      endangeredCount: endangered.length,
      incomplete: affected.filter((handle) => this.#copies(handle) < COPIES).length,
    };
  }

  #copies(handle: string): number {
    let count = 0;
    for (const server of this.#cluster.servers) if (server.versionOf(handle) !== undefined) count += 1;
    return count;
  }
}

function blocksOf(phases: readonly Phase[], collections: readonly Interval[]): Block[] {
  return phases.flatMap(({ name, cost }) =>
    cost.blocked.map((event) => ({
      phase: name,
      tookMs: event.endMs - event.startMs,
      collectorMs: collections.reduce((sum, collection) => sum + overlapMs(event, collection), 0),
    })),
  );
}

function overlapMs(a: Interval, b: Interval): number {
  return Math.max(0, Math.min(a.endMs, b.endMs) - Math.max(a.startMs, b.startMs));
}
