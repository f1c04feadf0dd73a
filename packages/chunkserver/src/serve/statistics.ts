/** What a chunkserver counts, as plain numbers read when somebody asks. */
import type { RpcServer, RpcStatistics } from '@cairnfs/protocol';
import type { LedgerStatistics } from '@cairnfs/storage';
import type { Quarantine } from '../control/quarantine.ts';
import type { Mutations } from '../mutation/mutations.ts';
import type { Reads } from '../read/reads.ts';
import type { LostDisk } from '../store/open-disks.ts';
import type { Replicas } from '../store/replicas.ts';
import type { Uploads } from '../upload/uploads.ts';
import type { ServerLease } from './server-lease.ts';
import type { WorkDone } from './work-done.ts';

export interface DiskStatistics {
  readonly directory: string;
  /** Out of service, or never taken into it. */
  readonly hasFailed: boolean;
  /** What its chunks take. */
  readonly usedBytes: number;
  /** What chunks may still take. */
  readonly freeBytes: number;
  /** Chunks in files of their own. */
  readonly largeChunks: number;
  /** Chunks that lie in the index whole. */
  readonly smallChunks: number;
  /** Undefined for a disk out of service. */
  readonly ledger: LedgerStatistics | undefined;
}

export interface ChunkserverStatistics {
  /** In touch with the master, and so allowed to serve. */
  readonly holdsServerLease: boolean;
  readonly disks: readonly DiskStatistics[];
  readonly corruptBlocksFound: number;
  readonly quarantined: { readonly movedAside: number; readonly deleted: number };
  readonly reads: Readonly<WorkDone>;
  /** As primary. */
  readonly mutations: Readonly<WorkDone>;
  /** As any member of an upload's route. */
  readonly uploadFrames: Readonly<WorkDone>;
  readonly rpc: RpcStatistics;
}

export interface StatisticsParts {
  readonly rpc: RpcServer;
  readonly lease: ServerLease;
  readonly replicas: Replicas;
  readonly lost: readonly LostDisk[];
  readonly quarantine: Quarantine;
  readonly mutations: Mutations;
  readonly reads: Reads;
  readonly uploads: Uploads;
}

export function readStatistics(parts: StatisticsParts): ChunkserverStatistics {
  const { rpc, lease, replicas, lost, quarantine, mutations, reads, uploads } = parts;
  return {
    holdsServerLease: lease.holds(),
    disks: [...disksOf(replicas), ...lost.map(({ directory }) => ({ ...NOTHING, directory }))],
    corruptBlocksFound: replicas.corruptBlocksFound,
    quarantined: { ...quarantine.counts },
    reads: { ...reads.answered },
    mutations: { ...mutations.primaries.committed },
    uploadFrames: { ...uploads.taken },
    rpc: rpc.statistics(),
  };
}

const NOTHING = {
  ...{ hasFailed: true, usedBytes: 0, freeBytes: 0, largeChunks: 0, smallChunks: 0, ledger: undefined },
} as const;

function disksOf(replicas: Replicas): DiskStatistics[] {
  return replicas.stores.map((store) => {
    const { usedBytes, replicaCount, inFileCount } = replicas.useOf(store);
    const hasFailed = store.failure !== undefined;
    return {
      directory: store.directory,
      hasFailed,
      usedBytes,
      freeBytes: hasFailed ? 0 : Math.max(0, Math.floor(replicas.freeBytes(store))),
      largeChunks: inFileCount,
      smallChunks: replicaCount - inFileCount,
      ledger: hasFailed ? undefined : store.ledger.statistics(),
    };
  });
}
