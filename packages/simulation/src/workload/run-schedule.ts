/**
 * One run: a cluster serves, clients ask, faults strike, all heals; then the files are read once more and every copy is
 * looked at. What was seen is returned as plain data for the checks. The same schedule gives the same run.
 */
import { AssertionError, isFsError, toError } from '@cairnfs/base';
import { CHUNKSERVER_BOUNDS } from '@cairnfs/chunkserver';
import type { CairnClient } from '@cairnfs/client';
import { MASTER_BOUNDS, MASTER_DEFAULTS } from '@cairnfs/master';
import { Memory } from '@cairnfs/sim';
import { checkMonotonic } from '../checks/monotonic.ts';
import { checkPrimaries } from '../checks/primaries.ts';
import { checkRetries, type RetriedMutation } from '../checks/retries.ts';
import { secondsOf, type Violation } from '../checks/violation.ts';
import { FaultInjector } from '../cluster/fault-injector.ts';
import { heal } from '../cluster/heal.ts';
import { LastCopies } from '../cluster/last-copies.ts';
import { MessageTraps } from '../cluster/message-traps.ts';
import { type AuditedChunk, auditReplicas } from '../cluster/replica-audit.ts';
import { auditRetries } from '../cluster/retry-audit.ts';
import { SimulatedCluster } from '../cluster/simulated-cluster.ts';
import type { ServerFailure } from '../cluster/simulated-server.ts';
import { Coverage } from '../coverage/coverage.ts';
import type { HistoryRecorder } from '../history/history-recorder.ts';
import {
  CHUNK_BYTES,
  type FaultKind,
  fileCount,
  filePath,
  isUndisturbed,
  type Schedule,
  subtreePath,
} from '../schedule/schedule.ts';
import type { Story } from '../story/story.ts';
import { WireTap } from '../wire/wire-tap.ts';
import { AcknowledgedWatch } from './acknowledged-watch.ts';
import { HangWatch } from './hang-watch.ts';
import { JournalWatch } from './journal-watch.ts';
import { isChanging, judgeHistories, judgeReplicas } from './judge.ts';
import { FINAL_PATIENCE_MS, LAST_READER, readAll } from './last-reading.ts';
import { judgeError, judgeHang } from './liveness.ts';
import { OldReader } from './old-reader.ts';
import { OperationRunner } from './operation-runner.ts';
import { PrimaryWatch } from './primary-watch.ts';
import { SafeModeWatch } from './safe-mode-watch.ts';
import { ServingWatch } from './serving-watch.ts';
import { WorkloadClient } from './workload-client.ts';

/** After the faults: time for leases to run out, servers to be declared dead, chunks to be copied, twice. */
const HEAL_LIMIT_MS = 240_000;
/** Of one server as many lost copies are known as there is room for; for the next it is asked so much later, when these are replaced. */
const NEXT_LOSSES_MS = 10_000;
const POLL_MS = 250;
/** What kept files begin with; above the number of any planned operation. */
const KEPT_WRITE_ID = 1_000_000;
/** Until a heartbeat has told the master of a damaged copy. */
const DAMAGE_REPORTED_MS = 3000;
/** Where heartbeats take few changes, and many wait. */
const DAMAGE_REPORTED_UNDER_LOAD_MS = 60_000;
/** How often copies are read once more for that. */
const AUDITS_OF_ROT_MAX = 3;

/** Longer than any operation takes on the slowest disks (`SICK_SLOWNESS`). */
const DISK_TIMEOUT_MS = 20_000;
/** Shorter than in production, so that a minute of virtual time holds several of each. */
const MASTER_SETTINGS = {
  chunkBytes: CHUNK_BYTES,
  chunkLeaseMs: 20_000,
  garbageGraceMs: 10_000,
  safeModeMs: 5000,
  diskTimeoutMs: DISK_TIMEOUT_MS,
} as const;
/** Asks for everything once more at the end. */
const AUDITOR = 'auditor';
/** A segment is often prepared only when a record waits for it. */
const SMALL_JOURNAL = { segmentBytes: 192 * 1024, roomAheadBytes: 8 * 1024 };
const QUARANTINE_GRACE_MS = 30_000;
/** Stories are told elsewhere; entries count for the hash when they come. */
const TRACE_ENTRIES_MAX = 100;

/** Mostly so little that the index holds it, now and then a chunk file. */
const STANDING_LENGTHS = [1, 700, 3000, 9000, 70_000];

export interface RunResult {
  /** The bytes that reads returned are judged already: another run may use their memory. */
  readonly history: HistoryRecorder;
  /** Operations that were answered with a result. */
  readonly doneCount: number;
  /** Errors that operations ended with, by kind. */
  readonly errors: ReadonlyMap<string, number>;
  readonly audit: readonly AuditedChunk[];
  readonly violations: readonly Violation[];
  /** Histories that would have taken too long to judge. */
  readonly undecidedCount: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** How often the run came by each interesting state; those it did not are left out. */
  readonly coverage: ReadonlyMap<string, number>;
  readonly traceHash: string;
  readonly eventCount: number;
  readonly virtualMs: number;
}

export interface RunOptions {
  /** Is told what happens. */
  readonly story?: Story;
  readonly observe?: (cluster: SimulatedCluster) => void;
}

export async function runSchedule(schedule: Schedule, options: RunOptions = {}): Promise<RunResult> {
  const run = new Run(schedule, options);
  try {
    return await run.result();
  } finally {
    run.end();
  }
}

class Run {
  readonly #schedule: Schedule;
  readonly #cluster: SimulatedCluster;
  readonly #coverage = new Coverage();
  readonly #lastCopies = new LastCopies();
  readonly #hangs = new HangWatch(DISK_TIMEOUT_MS, (violation) => this.#note(violation));
  readonly #traps = new MessageTraps();
  readonly #oldReader: OldReader | undefined;
  readonly #watch = new PrimaryWatch();
  readonly #acknowledged = new AcknowledgedWatch();
  readonly #runner: OperationRunner;
  /** What clients read, until it is judged. */
  readonly #memory = new Memory();
  readonly #violations: Violation[] = [];
  /** Virtual; before the run when no fault of it is a reason for an error. */
  readonly #faultsEndMs: number;
  readonly #healLimitMs: number;
  /** Of one server. */
  readonly #lossesKnownMax: number;
  readonly #told: readonly Story[];
  readonly #tap: WireTap;
  #undecidedCount = 0;
  #audit: AuditedChunk[] = [];

  constructor(schedule: Schedule, { story, observe }: RunOptions) {
    this.#schedule = schedule;
    const { seed, shape } = schedule;
    this.#cluster = new SimulatedCluster({
      seed,
      chunkservers: shape.chunkservers,
      disksPerChunkserver: shape.disksPerChunkserver,
      master: { ...MASTER_SETTINGS, bounds: { ...MASTER_BOUNDS, ...shape.load?.bounds.master } },
      chunkserver: {
        quarantineGraceMs: QUARANTINE_GRACE_MS,
        diskTimeoutMs: DISK_TIMEOUT_MS,
        bounds: { ...CHUNKSERVER_BOUNDS, ...shape.load?.bounds.chunkserver },
      },
      traceEntriesMax: TRACE_ENTRIES_MAX,
      ...(shape.hasSmallJournals === true ? { journal: SMALL_JOURNAL } : {}),
    });
    this.#lossesKnownMax = shape.load?.bounds.master.exceptionsMax ?? MASTER_BOUNDS.exceptionsMax;
    this.#healLimitMs = HEAL_LIMIT_MS + Math.floor(fileCount(shape) / this.#lossesKnownMax) * NEXT_LOSSES_MS;
    // A server that is sick is a fault that goes on.
    this.#faultsEndMs = isUndisturbed(schedule)
      ? Number.NEGATIVE_INFINITY
      : schedule.durationMs + (shape.load?.sick === undefined ? 0 : this.#healLimitMs);
    const { simulation } = this.#cluster;
    this.#runner = new OperationRunner(
      this.#memory,
      story === undefined
        ? undefined
        : (host, event, fields) => story.logged({ atMs: simulation.nowMs, host, event, fields }),
      (client, what, error) =>
        this.#note(judgeError({ client, what, error, atMs: simulation.nowMs }, this.#faultsEndMs)),
    );
    const told = story === undefined ? [] : [story];
    this.#told = told;
    const note = (violation: Violation) => this.#note(violation);
    const journals = new JournalWatch((host) => this.#cluster.server(host).host.disk, note);
    const { serverLeaseMs, leaseMarginMs } = MASTER_DEFAULTS;
    const serving = new ServingWatch(serverLeaseMs, note);
    const safeMode = new SafeModeWatch(serverLeaseMs + leaseMarginMs, note);
    this.#oldReader = shape.hasOldReader === true ? new OldReader(simulation) : undefined;
    const asking = this.#oldReader === undefined ? [] : [this.#oldReader];
    const logged = [this.#coverage, this.#lastCopies, journals, serving, safeMode, this.#hangs, ...asking, ...told];
    simulation.trace.listener = (entry) => {
      for (const listener of logged) listener.logged(entry);
    };
    const watches = [this.#watch, this.#acknowledged, serving, safeMode];
    this.#tap = new WireTap(
      () => simulation.nowMs,
      [this.#coverage, ...watches, this.#lastCopies, this.#traps, ...asking, ...told],
    );
    simulation.network.tap = this.#tap;
    observe?.(this.#cluster);
  }

  async result(): Promise<RunResult> {
    const { shape } = this.#schedule;
    const cluster = this.#cluster;
    const { simulation } = cluster;
    let injector: FaultInjector | undefined;
    try {
      await cluster.begin();
      const admin = cluster.client(LAST_READER);
      await simulation.run(this.#prepare(admin));
      const clients = this.#clients(cluster);
      injector = new FaultInjector(cluster, clients, {
        diskSlowness: shape.load?.diskSlowness ?? shape.diskSlowness?.chunkservers ?? 1,
        masterSlowness: shape.diskSlowness?.master ?? 1,
        lastCopies: this.#lastCopies,
        traps: this.#traps,
        heldBack: (fault, at) => this.#hangs.heldBack(fault, at),
      });
      injector.plan(this.#schedule.faults);
      this.#oldReader?.start();
      for (const client of clients.values()) void client.start();
      await simulation.runFor(this.#schedule.durationMs);
      injector.endAll({ sick: shape.load?.sick });
      await simulation.run(
        this.#finish(cluster, { clients: [...clients.values()], admin, injector }),
        4 * this.#healLimitMs,
      );
      this.#judgeFailures(cluster.failures, injector);
      this.#violations.push(...judgeReplicas(this.#audit, { servers: shape.chunkservers }));
      const { violations, undecidedCount } = judgeHistories(this.#runner.history);
      this.#violations.push(...violations);
      this.#undecidedCount = undecidedCount;
      this.#violations.push(...checkPrimaries(this.#watch.served), ...checkMonotonic(this.#watch.observed));
    } catch (error) {
      const { message, stack = message } = toError(error);
      this.#violations.push({ check: 'invariant', summary: message, details: stack });
    }
    return {
      history: this.#runner.history,
      doneCount: this.#runner.doneCount,
      errors: this.#runner.errors,
      audit: this.#audit,
      violations: this.#violations,
      undecidedCount: this.#undecidedCount,
      faults: injector?.struck ?? new Map(),
      coverage: this.#coverage.counts,
      traceHash: `${simulation.trace.hash}:${simulation.eventCount}`,
      eventCount: simulation.eventCount,
      virtualMs: simulation.nowMs,
    };
  }

  end(): void {
    this.#cluster.simulation.end();
    this.#memory.end();
  }

  async #prepare(client: CairnClient): Promise<void> {
    const { files, subtrees } = this.#schedule.shape;
    await Promise.all([client.mkdir('/files'), client.mkdir('/names')]);
    const made: Promise<unknown>[] = [];
    for (let file = 0; file < files; file++) made.push(client.open(filePath(file), 'wx'));
    for (let subtree = 0; subtree < subtrees; subtree++) made.push(client.mkdir(subtreePath(subtree)));
    await Promise.all(made);
    await this.#makeStanding(client);
    if (this.#schedule.shape.isKept !== true) return;
    for (let file = 1; file < files; file++) {
      const call = { kind: 'put', writeId: KEPT_WRITE_ID + file, length: CHUNK_BYTES } as const;
      await this.#runner.file(client, file, { client: LAST_READER, call, timeoutMs: FINAL_PATIENCE_MS });
    }
  }

  /** A few at once: more uploads may be more than there may be. */
  async #makeStanding(client: CairnClient): Promise<void> {
    const { shape } = this.#schedule;
    let next = shape.files;
    const make = async () => {
      for (let file = next++; file < fileCount(shape); file = next++) {
        const call = { kind: 'put', writeId: KEPT_WRITE_ID + file, length: standingBytes(file) } as const;
        await this.#runner.file(client, file, { client: LAST_READER, call, timeoutMs: FINAL_PATIENCE_MS });
      }
    };
    await Promise.all([make(), make()]);
  }

  #clients(cluster: SimulatedCluster): Map<string, WorkloadClient> {
    const { operations, shape } = this.#schedule;
    const clients = new Map<string, WorkloadClient>();
    for (let client = 0; client < shape.clients; client++) {
      const name = `client-${client + 1}`;
      const mine = operations.filter((operation) => operation.client === client);
      clients.set(name, new WorkloadClient({ cluster, name, operations: mine, runner: this.#runner }));
    }
    return clients;
  }

  /** No fault strikes any more: everything must come to its end. */
  async #finish(
    cluster: SimulatedCluster,
    { clients, admin, injector }: { clients: readonly WorkloadClient[]; admin: CairnClient; injector: FaultInjector },
  ): Promise<void> {
    const { simulation } = cluster;
    this.#oldReader?.end();
    while (clients.some((client) => !client.isDone)) {
      for (const client of clients) this.#judgeHang(client, simulation.nowMs, injector);
      if (this.#violations.some(({ check }) => check === 'hang')) return;
      await simulation.clock.sleep(POLL_MS);
    }
    const paths = Array.from({ length: fileCount(this.#schedule.shape) }, (_, file) => filePath(file));
    const { load } = this.#schedule.shape;
    if (load?.sick !== undefined) {
      const without = { host: load.sick, lastCopies: this.#lastCopies, lossesKnownMax: this.#lossesKnownMax };
      this.#judgeHealing(await heal(cluster, admin, { limitMs: this.#healLimitMs, without }), `without ${load.sick}`);
      injector.cure();
    }
    let wrong = await heal(cluster, admin, { limitMs: this.#healLimitMs });
    if (wrong === undefined) {
      // A copy that rotted and was not read since is found by reading it; then it must be replaced as well.
      await this.#auditSettled(admin, paths);
      await this.#untilReported();
      wrong = await heal(cluster, admin, { limitMs: this.#healLimitMs });
    }
    this.#judgeHealing(wrong, 'after the last fault');
    await readAll(admin, this.#runner, this.#schedule.shape);
    this.#audit = await this.#auditWhole(admin, { paths, isAnyRotten: injector.rotten.size > 0 });
    // What is asked only to see whether it is known is no part of the run.
    this.#tap.tellOnly(this.#told);
    const retried = await auditRetries(simulation.host(AUDITOR), this.#audit, (handle) =>
      this.#acknowledged.of(handle),
    );
    // A server may find just then that its copy is damaged, which it had in memory until now.
    const isLost = ({ server, answer }: RetriedMutation) =>
      answer === 'NOT_PRIMARY' && injector.rotten.has(server.split(':')[0]!);
    this.#violations.push(...checkRetries(retried.filter((one) => !isLost(one))));
  }

  /**
   * A view may change at any time, as when a primary that was idle finds its connection to a member reset: then the chunk is below
   * its goal for a moment, and looked at once more when it is whole again. Where bits have rotted, a copy that could be read as
   * long as its server had its entries in memory is found damaged later than others.
   */
  async #auditWhole(
    admin: CairnClient,
    { paths, isAnyRotten }: { paths: readonly string[]; isAnyRotten: boolean },
  ): Promise<AuditedChunk[]> {
    for (let moreCount = isAnyRotten ? AUDITS_OF_ROT_MAX : 1; ; moreCount -= 1) {
      const audit = await this.#auditSettled(admin, paths);
      const isFound = isAnyRotten && audit.some(({ replicas }) => replicas.some(({ bytes }) => bytes === undefined));
      if (moreCount === 0 || !(isFound || this.#isAnyChanging(audit))) return audit;
      if (isFound) await this.#untilReported();
      const when = isFound ? 'after more rot was found' : 'after a view changed';
      this.#judgeHealing(await heal(this.#cluster, admin, { limitMs: this.#healLimitMs }), when);
    }
  }

  async #untilReported(): Promise<void> {
    const isLoaded = this.#schedule.shape.load !== undefined;
    await this.#cluster.simulation.clock.sleep(isLoaded ? DAMAGE_REPORTED_UNDER_LOAD_MS : DAMAGE_REPORTED_MS);
  }

  /**
   * Every copy is read when it can be: not while its server is just getting its lease, nor while a view is changing, from which
   * it may come back with rot that nobody has read. What is still so after a while is returned as it is.
   */
  async #auditSettled(admin: CairnClient, paths: readonly string[]): Promise<AuditedChunk[]> {
    const { simulation } = this.#cluster;
    const endMs = simulation.nowMs + FINAL_PATIENCE_MS;
    for (;;) {
      const audit = await auditReplicas(admin, paths);
      if (!this.#isAnyChanging(audit) || simulation.nowMs >= endMs) return audit;
      await simulation.clock.sleep(POLL_MS);
    }
  }

  #isAnyChanging(audit: readonly AuditedChunk[]): boolean {
    return audit.some((chunk) => isChanging(chunk, this.#schedule.shape.chunkservers));
  }

  #judgeHealing(wrong: string | undefined, when: string): void {
    if (wrong === undefined) return;
    const summary = `not whole ${this.#healLimitMs / 1000} s ${when}: ${wrong}`;
    this.#violations.push({ check: 'heal', summary, details: wrong });
  }

  #judgeHang({ underWay, host }: WorkloadClient, nowMs: number, injector: FaultInjector): void {
    if (underWay === undefined) return;
    // Faults may have stopped the process; since they are over, and its last pause is, it has run.
    const runningSinceMs = Math.max(underWay.sinceMs, this.#schedule.durationMs, injector.pausedUntilMs(host.name));
    this.#note(judgeHang(underWay, nowMs - runningSinceMs));
  }

  #note(violation: Violation | undefined): void {
    if (violation !== undefined) this.#violations.push(violation);
  }

  /**
   * A server may end itself because of its disk, or not start on its journal, when a fault broke that; for no other reason, and
   * never by a broken invariant.
   */
  #judgeFailures(failures: readonly ServerFailure[], injector: FaultInjector): void {
    for (const { host, atMs, during, error } of failures) {
      const isRefusal = during === 'start' && isFsError(error, 'DAMAGED') && injector.rottenJournals.has(host);
      const isOfDisk = !(error instanceof AssertionError) && injector.brokenDisks.has(host);
      if (isRefusal || isOfDisk) continue;
      const summary = `${host} ended itself (${during}) at ${secondsOf(atMs)}: ${error.message}`;
      this.#violations.push({ check: 'server', summary, details: error.stack ?? summary });
    }
  }
}

function standingBytes(file: number): number {
  return STANDING_LENGTHS[file % STANDING_LENGTHS.length]!;
}
