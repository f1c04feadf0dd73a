/** What a master counts, as plain numbers read when somebody asks: nothing is gathered for it on the way. */
import type { RepairStatus, RpcServer, RpcStatistics } from '@cairnfs/protocol';
import type { LedgerStatistics } from '@cairnfs/storage';
import type { MasterContext } from '../context.ts';
import type { Repair } from '../policy/repair.ts';
import { META, TRASH_INODE } from '../state/keys.ts';
import type { LeaseTable } from '../views/lease-table.ts';
import type { ServerTable } from './server-table.ts';
import type { MasterHealth } from './status.ts';

export interface MasterStatistics {
  readonly health: MasterHealth;
  readonly fileCount: number;
  readonly directoryCount: number;
  readonly chunkCount: number;
  readonly trashCount: number;
  readonly liveServers: number;
  /** Known to the cluster and out of touch. */
  readonly deadServers: number;
  readonly heldLeases: number;
  readonly repair: RepairStatus;
  /** Copies that did not come about, since the start. */
  readonly failedCopies: number;
  /** Where journal and state are. */
  readonly directory: string;
  readonly ledger: LedgerStatistics;
  readonly rpc: RpcStatistics;
}

export interface StatisticsParts {
  readonly servers: ServerTable;
  readonly leases: LeaseTable;
  readonly repair: Repair;
  readonly health: () => MasterHealth;
}

export function readStatistics(context: MasterContext, parts: StatisticsParts, rpc: RpcServer): MasterStatistics {
  const { servers, leases, repair } = parts;
  const state = context.decisions.read();
  let liveServers = 0;
  for (const { id } of servers.all) if (servers.isLive(id)) liveServers += 1;
  return {
    health: parts.health(),
    fileCount: state.counter(META.fileCount),
    directoryCount: state.counter(META.directoryCount),
    chunkCount: state.counter(META.chunkCount),
    trashCount: state.inode(TRASH_INODE)?.entryCount ?? 0,
    liveServers,
    deadServers: servers.count - liveServers,
    heldLeases: leases.heldCount,
    repair: repair.status(state.counter(META.garbageCount)),
    failedCopies: repair.failedCount,
    directory: context.config.directory,
    ledger: context.ledger.statistics(),
    rpc: rpc.statistics(),
  };
}
