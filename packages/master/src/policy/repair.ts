/**
 * Re-replication (GFS §4.3): a chunk with fewer sound copies than its goal is cloned from a sound one, fewest copies
 * first, a bounded number at a time. The clone joins by a view change and counts only from then on. A copy beside the
 * members that holds all of the chunk is taken back instead, also when none of theirs is sound.
 */
import type { Timer } from '@cairnfs/base';
import type { RepairStatus } from '@cairnfs/protocol';
import type { MasterBounds } from '../bounds.ts';
import type { Problems } from '../cluster/problems.ts';
import type { ReplicaConditions } from '../cluster/replica-conditions.ts';
import type { ReplicaReports } from '../cluster/replica-reports.ts';
import type { ServerTable } from '../cluster/server-table.ts';
import type { MasterContext, Placement, SafeMode, Views } from '../context.ts';
import { type Chunk, ChunkState } from '../gen/cairn/master/v1/state.ts';
import { CLONES_AT_ONCE_MAX, REPAIR_INTERVAL_MS, REPAIR_WAITING_SAMPLE, SERVERS_PER_CLONE } from '../limits.ts';
import type { ViewChanges } from '../views/view-change.ts';
import { CloneTargets } from './clone-targets.ts';
import { Cloning } from './cloning.ts';
import { FailingServers } from './failing-servers.ts';
import { RepairQueue } from './repair-queue.ts';
import { RepairScans } from './repair-scans.ts';
import { TakeBack } from './take-back.ts';

interface RepairParts {
  servers: ServerTable;
  conditions: ReplicaConditions;
  reports: ReplicaReports;
  problems: Problems;
  placement: Placement;
  safeMode: SafeMode;
  changes: ViewChanges;
  views: Views;
}

export class Repair {
  readonly #context: MasterContext;
  readonly #bounds: MasterBounds;
  readonly #parts: RepairParts;
  readonly #takeBack: TakeBack;
  readonly #scans: RepairScans;
  readonly #queue: RepairQueue;
  /** The target of each copy under way. */
  readonly #copying = new Map<string, number>();
  readonly #failing: FailingServers;
  /** From which no copy came about lately. */
  readonly #failingSources: FailingServers;
  readonly #targets: CloneTargets;
  readonly #cloning: Cloning;
  #isToBegin = false;
  #isStopped = false;
  #failedCount = 0;
  #timer: Timer | undefined;

  constructor(context: MasterContext, parts: RepairParts) {
    this.#context = context;
    this.#bounds = context.config.bounds;
    this.#parts = parts;
    this.#queue = new RepairQueue(context.seams.clock, this.#bounds.repairQueueMax);
    this.#failing = new FailingServers(context.seams.clock);
    this.#failingSources = new FailingServers(context.seams.clock);
    const { clonesPerServer } = this.#bounds;
    this.#targets = new CloneTargets({ ...parts, failing: this.#failing, clonesPerServer });
    this.#takeBack = new TakeBack(context, {
      ...parts,
      failing: this.#failing,
      needsCopy: (handle, chunk) => this.#needsCopy(handle, chunk),
      leaving: (handle, chunk) => this.#cloning.leaving(handle, chunk),
    });
    const sound = (handle: string, chunk: Chunk) => this.#sound(handle, chunk);
    const [failing, failingSources] = [this.#failing, this.#failingSources];
    this.#cloning = new Cloning(context, { ...parts, failing, failingSources, sound });
    const { servers, conditions } = parts;
    this.#scans = new RepairScans(context, { servers, conditions, enqueue: (handle) => this.#enqueue(handle) });
    parts.conditions.onWorse = (handle) => this.#enqueue(handle);
    parts.reports.isAwaited = (server, handle) => this.#copying.get(handle) === server;
    // A copy that its server has not told of yet is good enough to make another from, but no reason to put one away.
    parts.reports.soundCount = (handle, chunk) =>
      sound(handle, chunk).filter((member) => servers.hasToldOf(member, handle)).length;
  }

  start(): void {
    this.#timer = this.#context.seams.clock.after(REPAIR_INTERVAL_MS, () => {
      this.#round();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  status(garbageCount: number): RepairStatus {
    return {
      underReplicatedCount: this.#queue.size + this.#copying.size,
      unavailableCount: this.#queue.unavailableCount,
      copyingCount: this.#copying.size,
      copiedCount: this.#cloning.copiedCount,
      copiedBytes: this.#cloning.copiedBytes,
      garbageCount,
      serversNeeded: this.#copying.size > 0 ? 0 : this.#serversNeeded(),
    };
  }

  /** Of some that wait, as all wait for much the same. */
  #serversNeeded(): number {
    const transaction = this.#context.decisions.read();
    const { servers } = this.#parts;
    const live = [...servers.all].filter(({ id }) => servers.isLive(id));
    let needed = 0;
    for (const handle of this.#queue.first(REPAIR_WAITING_SAMPLE)) {
      const chunk = transaction.chunk(handle);
      if (chunk === undefined || !this.#needsCopy(handle, chunk)) continue;
      const sound = new Set(this.#sound(handle, chunk));
      if (sound.size === 0 || live.some(({ id }) => !sound.has(id))) return 0;
      needed = live.length + 1;
    }
    return needed;
  }

  /** Copies that did not come about, since the start. */
  get failedCount(): number {
    return this.#failedCount;
  }

  #round(): void {
    if (this.#parts.safeMode.isActive) {
      this.start();
      return;
    }
    this.#perform([
      ...this.#scans.steps(),
      () => this.#review(),
      () => this.#queue.putInOrder(),
      () => this.#beginSoon(),
      () => this.start(),
    ]);
  }

  /** Each step in an event of its own: together they would hold up who waits for an answer. */
  #perform([step, ...rest]: readonly (() => void)[]): void {
    if (step === undefined || this.#isStopped) return;
    step();
    if (rest.length > 0) this.#context.seams.clock.soon(() => this.#perform(rest));
  }

  /** Many copies may end in one event; what begins in their place has events of its own. */
  #beginSoon(): void {
    if (this.#isToBegin) return;
    this.#isToBegin = true;
    this.#context.seams.clock.soon(() => {
      this.#isToBegin = false;
      this.#beginCopies();
    });
  }

  /** As many as there may be at once, those with the fewest copies first. */
  #beginCopies(): void {
    const { safeMode, servers } = this.#parts;
    if (this.#isStopped || safeMode.isActive) return;
    const fair = Math.min(CLONES_AT_ONCE_MAX, Math.floor(servers.count / SERVERS_PER_CLONE));
    const { clonesAtOnce, clonesBegunAtOnce } = this.#bounds;
    const most = Math.max(clonesAtOnce, fair);
    for (let triedCount = 0; this.#copying.size < most; ) {
      const handle = this.#queue.next();
      if (handle === undefined) return;
      this.#begin(handle);
      triedCount += 1;
      if (triedCount < clonesBegunAtOnce) continue;
      this.#beginSoon();
      return;
    }
  }

  /** Forgets what healed by itself: a server came back. */
  #review(): void {
    this.#queue.forgetPauses();
    const transaction = this.#context.decisions.read();
    for (const handle of this.#queue.takeOldest(this.#bounds.repairScanStep)) {
      const chunk = transaction.chunk(handle);
      if (chunk !== undefined && this.#needsCopy(handle, chunk)) this.#add(handle, chunk);
    }
  }

  /** Queues the chunk if it needs a copy and there is room; when there is none, a scan finds it again. */
  #enqueue(handle: string): void {
    if (this.#queue.has(handle) || this.#copying.has(handle)) return;
    const chunk = this.#context.decisions.read().chunk(handle);
    if (chunk === undefined || !this.#needsCopy(handle, chunk) || this.#add(handle, chunk) > 0) return;
    const message = `no copy of chunk ${handle} is in reach; a chunkserver that returns may bring one`;
    this.#parts.problems.report({ kind: 'unavailable', handle, serverId: 0, path: '', message });
  }

  /** @returns how many copies are in reach. */
  #add(handle: string, chunk: Chunk): number {
    const inReach = this.#inReach(handle, chunk);
    this.#queue.add(handle, inReach, () => this.#isReady(handle, chunk));
    return inReach;
  }

  /** It is not to wait, and has a copy to make another from, or one to take back; where a copy would go is not asked here. */
  #isReady(handle: string, chunk: Chunk): boolean {
    if (this.#queue.isPaused(handle) || this.#isUndecided(handle, chunk)) return false;
    if (this.#sound(handle, chunk).length > 0) return true;
    return isClosed(chunk) && this.#takeBack.spares(handle, chunk).length > 0;
  }

  #needsCopy(handle: string, chunk: Chunk): boolean {
    const isOfFile = chunk.state === ChunkState.CHUNK_STATE_CLOSED || chunk.state === ChunkState.CHUNK_STATE_OPEN;
    if (!isOfFile) return false;
    const { servers, conditions } = this.#parts;
    const counted = chunk.members.filter(
      (member) => !servers.isGivenUp(member) && !conditions.isMarked(member, handle),
    );
    return counted.length < chunk.goal;
  }

  /**
   * Whether a member has lost its copy is known when the chunk is closed (views/recovery.ts) and its server was asked. One that
   * does not answer for long is done without: a change of view asks it once more.
   */
  #isUndecided(handle: string, { members }: Chunk): boolean {
    const { servers, conditions } = this.#parts;
    const isWaitedFor = (member: number) => !servers.isGivenUp(member) && !servers.isUnanswering(member);
    return members.some((member) => conditions.isUnshown(member, handle) && isWaitedFor(member));
  }

  #sound(handle: string, chunk: Chunk): number[] {
    const { servers, conditions } = this.#parts;
    const isSound = (member: number) =>
      servers.isLive(member) &&
      servers.isShown(member, handle) &&
      conditions.isTold(member, handle) &&
      !conditions.isMarked(member, handle);
    return chunk.members.filter(isSound);
  }

  /** Copies that are sound, or may be. */
  #inReach(handle: string, { members }: Chunk): number {
    const { servers, conditions } = this.#parts;
    return members.filter((member) => servers.isLive(member) && conditions.get(member, handle) === undefined).length;
  }

  #begin(handle: string): void {
    const chunk = this.#context.decisions.read().chunk(handle);
    this.#queue.endPause(handle);
    if (chunk === undefined || !this.#needsCopy(handle, chunk)) {
      this.#queue.delete(handle);
      return;
    }
    if (this.#isUndecided(handle, chunk)) {
      this.#queue.giveWay(handle);
      return;
    }
    const sound = this.#sound(handle, chunk);
    const spare = this.#spare(handle, chunk, sound);
    // An open chunk is closed first, by its members.
    if (spare !== undefined && (sound.length > 0 || isClosed(chunk))) {
      const pauseMs = () => this.#takeBack.pauseMs(handle);
      this.#run(handle, spare, { target: spare, work: () => this.#takeBack.run(handle, spare), pauseMs });
      return;
    }
    if (sound.length === 0) {
      this.#queue.giveWay(handle); // until a server brings one
      return;
    }
    const source = this.#source(sound);
    const elsewhere = this.#targets.next(handle, chunk);
    if (elsewhere === undefined && this.#cloning.isToClose(handle, chunk)) {
      if (source === undefined) return;
      const work = () => this.#cloning.closeInPlace(handle);
      this.#run(handle, source, { target: source, work });
      return;
    }
    const target = elsewhere ?? this.#cloning.targetInPlace(handle, chunk);
    // What it held before goes first, or the order to quarantine it would meet the new copy.
    if (target !== undefined && this.#parts.reports.isOrdered(target, handle)) {
      // What may still be taken back stays.
      if (!this.#parts.reports.sparesOf(handle).includes(target)) this.#parts.reports.makeWay(target, handle);
      this.#queue.giveWay(handle);
      return;
    }
    if (target === undefined) this.#queue.giveWay(handle);
    if (source === undefined || target === undefined || this.#targets.isBusy(target)) return;
    const work = () => this.#cloning.clone(handle, { source, target });
    this.#run(handle, source, { target, work });
  }

  #run(
    handle: string,
    source: number,
    {
      target,
      work,
      pauseMs = () => this.#cloning.pauseMs(handle),
    }: { target: number; work: () => Promise<void>; pauseMs?: () => number },
  ): void {
    this.#queue.delete(handle);
    this.#copying.set(handle, target);
    const servers = new Set([source, target]);
    this.#targets.begin(servers);
    work()
      .catch((error: unknown) => {
        this.#failedCount += 1;
        this.#context.seams.log.warn('a chunk could not be copied', { handle, source, target, error });
        // Its turn comes again, but not at once: others may have better luck meanwhile.
        this.#queue.pause(handle, pauseMs());
      })
      .finally(() => {
        this.#copying.delete(handle);
        this.#parts.reports.copyEnded(target, handle);
        this.#targets.end(servers);
        this.#enqueue(handle);
        this.#beginSoon();
      });
  }

  /** Undefined while all that may do are busy. Where one has failed as a source, another that is busy is waited for. */
  #source(sound: readonly number[]): number | undefined {
    const working = sound.filter((member) => !this.#failingSources.has(member));
    const sources = working.length > 0 ? working : sound;
    return sources.find((member) => !this.#targets.isBusy(member));
  }

  /**
   * A copy beside the members that may be taken back. A server that failed lately is asked only for what may be the last, and
   * never by all there may be at once.
   */
  #spare(handle: string, chunk: Chunk, sound: readonly number[]): number | undefined {
    const spares = this.#takeBack.spares(handle, chunk);
    const spare = spares.find((server) => !this.#failing.has(server));
    if (spare !== undefined || sound.length > 0) return spare;
    return spares.find((server) => !this.#targets.isBusy(server));
  }
}

function isClosed({ state }: Chunk): boolean {
  return state === ChunkState.CHUNK_STATE_CLOSED;
}
