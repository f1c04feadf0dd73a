/** The space of a cluster, in which chunkservers of one machine may share a file system. */
import { parseAddress } from '@cairnfs/base';
import type { ClusterStatus } from '@cairnfs/client';

type Server = ClusterStatus['servers'][number];

/** What chunkservers use, and what is free to them: of a file system that several share no more than it has. */
export function spaceOf(servers: readonly Server[]): { usedBytes: number; freeBytes: number } {
  let usedBytes = 0;
  let freeBytes = 0;
  /** Machine and file system → what the chunkservers on it count as free, and what there is. */
  const shared = new Map<string, { countedBytes: number; thereBytes: number }>();
  for (const { address, disks } of servers) {
    for (const disk of disks) {
      usedBytes += disk.totalBytes - disk.freeBytes;
      if (disk.fileSystem === '') {
        freeBytes += disk.freeBytes;
        continue;
      }
      // The address tells machines apart; the hosts of a configuration may be several on one.
      const key = `${parseAddress(address).host} ${disk.fileSystem}`;
      const { countedBytes, thereBytes } = shared.get(key) ?? { countedBytes: 0, thereBytes: 0 };
      shared.set(key, {
        countedBytes: countedBytes + disk.freeBytes,
        thereBytes: Math.max(thereBytes, disk.fileSystemFreeBytes),
      });
    }
  }
  for (const { countedBytes, thereBytes } of shared.values()) freeBytes += Math.min(countedBytes, thereBytes);
  return { usedBytes, freeBytes };
}
