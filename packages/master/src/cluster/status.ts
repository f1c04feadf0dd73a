/** GetClusterStatus and GetClusterPressure. */
import type { GetClusterStatusReply, RepairStatus, ServerStatus } from '@cairnfs/protocol';
import type { MasterContext, SafeMode } from '../context.ts';
import { REPLICAS_COUNTED_MAX } from '../limits.ts';
import { META, memberRange, TRASH_INODE } from '../state/keys.ts';
import type { Problems } from './problems.ts';
import type { ServerEntry, ServerTable } from './server-table.ts';

/** In a word, for those who only ask whether it is well. */
export interface MasterHealth {
  readonly clusterId: string;
  /** New files can be written with at least the minimum of copies. */
  readonly writable: boolean;
  /** What safe mode waits for; empty outside. */
  readonly safeModeReason: string;
}

export class StatusCalls {
  readonly #context: MasterContext;
  readonly #servers: ServerTable;
  readonly #problems: Problems;
  readonly #safeMode: SafeMode;
  readonly #repair: () => RepairStatus;

  constructor(
    context: MasterContext,
    parts: { servers: ServerTable; problems: Problems; safeMode: SafeMode; repair: () => RepairStatus },
  ) {
    this.#context = context;
    this.#servers = parts.servers;
    this.#problems = parts.problems;
    this.#safeMode = parts.safeMode;
    this.#repair = parts.repair;
  }

  async status(): Promise<{ message: GetClusterStatusReply }> {
    const { clusterId, config, decisions, seams, startedWallMs } = this.#context;
    const transaction = decisions.read();
    const message: GetClusterStatusReply = {
      clusterId,
      safeMode: this.#safeMode.isActive,
      safeModeReason: this.#safeMode.reason,
      servers: this.#serverStatuses(),
      fileCount: transaction.counter(META.fileCount),
      directoryCount: transaction.counter(META.directoryCount),
      chunkCount: transaction.counter(META.chunkCount),
      repair: this.#repair(),
      problems: this.#problems.list(),
      startedMs: startedWallMs,
      trashCount: transaction.inode(TRASH_INODE)?.entryCount ?? 0,
      softwareVersion: config.softwareVersion,
      writable: this.#hasEnoughServers(),
      processMemoryBytes: seams.machine.processMemoryBytes(),
      chunkBytes: config.chunkBytes,
    };
    await decisions.settled(transaction);
    return { message };
  }

  pressure(): { message: { servers: ServerStatus[] } } {
    return { message: { servers: this.#serverStatuses() } };
  }

  health(): MasterHealth {
    const safeModeReason = this.#safeMode.reason;
    const writable = safeModeReason === '' && this.#hasEnoughServers();
    return { clusterId: this.#context.clusterId, writable, safeModeReason };
  }

  #hasEnoughServers(): boolean {
    const { minimumCopies, replication } = this.#context.config;
    let liveCount = 0;
    for (const { id, disks } of this.#servers.all) if (this.#servers.isLive(id) && disks.length > 0) liveCount += 1;
    return liveCount >= Math.min(minimumCopies, replication);
  }

  #serverStatuses(): ServerStatus[] {
    return [...this.#servers.all].map((server) => this.#serverStatus(server)).sort((a, b) => a.serverId - b.serverId);
  }

  #serverStatus(server: ServerEntry): ServerStatus {
    // What a dead server held is of no interest, only what is not replaced yet.
    const disks = this.#servers.isGone(server.id) ? [] : server.disks;
    const counted = disks.reduce((sum, { replicaCount }) => sum + replicaCount, 0);
    return {
      serverId: server.id,
      address: server.address,
      host: server.host,
      rack: server.rack,
      live: this.#servers.isLive(server.id),
      silentMs: Math.round(Math.max(0, this.#servers.silentMs(server))),
      usage: server.usage,
      disks: server.disks,
      replicaCount: counted > 0 ? counted : this.#membershipCount(server.id),
      inventoryComplete: server.inventoryComplete,
      deadSinceMs: this.#deadSinceMs(server),
    };
  }

  #deadSinceMs(server: ServerEntry): number {
    if (!this.#servers.isGone(server.id)) return 0;
    const nowMs = this.#context.seams.clock.wallMs();
    return server.deadSinceMs || Math.round(nowMs - this.#servers.silentMs(server));
  }

  /** Of a server that has told nothing yet: what the log places on it, counted up to a bound. */
  #membershipCount(server: number): number {
    return this.#context.decisions.read().range(memberRange(server), REPLICAS_COUNTED_MAX).length;
  }
}
