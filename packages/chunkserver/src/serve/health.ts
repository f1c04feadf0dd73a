/** Whether a chunkserver does its work, and if not, why. */
import type { MasterLink } from '../control/master-link.ts';
import type { DiskStore } from '../store/disk-store.ts';
import type { LostDisk } from '../store/open-disks.ts';
import type { ServerLease } from './server-lease.ts';

export interface ChunkserverHealth {
  /** Its number in the cluster; 0 before the first registration. */
  readonly serverId: number;
  /** What is wrong, each in a sentence for people; none when all is well. */
  readonly reasons: string[];
}

export interface HealthParts {
  readonly serverId: () => number;
  readonly master: MasterLink;
  readonly lease: ServerLease;
  readonly stores: readonly DiskStore[];
  readonly lost: readonly LostDisk[];
}

export function healthOf({ serverId, master, lease, stores, lost }: HealthParts): ChunkserverHealth {
  const reasons: string[] = [];
  if (!lease.holds()) {
    reasons.push(`out of touch with the master (${master.address} is asked next): nothing is served until it answers`);
  }
  for (const { failure } of [...stores, ...lost]) if (failure !== undefined) reasons.push(failure.message);
  return { serverId: serverId(), reasons };
}
