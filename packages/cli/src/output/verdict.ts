/** The first line of `cairn status`: the worst that is true of the cluster. */
import type { ClusterStatus } from '@cairnfs/client';
import { counted, formatSize } from './units.ts';

export function verdict(status: ClusterStatus): string {
  const { repair } = status;
  if (status.safeMode) return `SAFE MODE: ${status.safeModeReason}`;
  if (repair.unavailableCount > 0)
    return `UNHEALTHY: ${counted(repair.unavailableCount, 'chunk')} without a copy in reach`;
  if (!status.writable) return 'READ ONLY: too few chunkservers for the minimum of copies';
  const { full, live } = fullServers(status);
  const chunk = `another chunk of ${formatSize(status.chunkBytes)}`;
  if (full > 0 && full === live) return `FULL: no live chunkserver has room for ${chunk}`;
  const short = full === 0 ? '' : `; ${full} of ${live} live chunkservers without room for ${chunk}`;
  const below = belowGoal(repair.underReplicatedCount);
  if (repair.serversNeeded > 0) {
    const liveCount = status.servers.filter((server) => server.live).length;
    return `WAITING for chunkservers: ${below}; ${liveCount} live, the next copy needs ${repair.serversNeeded}${short}`;
  }
  if (repair.underReplicatedCount > 0) return `repairing: ${below}${short}`;
  if (short !== '') return `SHORT OF SPACE${short.replace(';', ':')}`;
  if (status.servers.some((server) => !server.live)) return 'healthy, with chunkservers missing';
  return 'healthy';
}

/** `1 chunk below its goal`. */
export function belowGoal(chunks: number): string {
  return `${counted(chunks, 'chunk')} below ${chunks === 1 ? 'its' : 'their'} goal`;
}

/** The master places a chunk where a healthy disk has room for a whole one; a server that has told no disks yet may have it. */
function fullServers({ servers, chunkBytes }: ClusterStatus): { full: number; live: number } {
  const live = servers.filter((server) => server.live && server.disks.length > 0);
  const hasRoom = live.filter(({ disks }) =>
    disks.some(({ failure, freeBytes }) => failure === '' && freeBytes >= chunkBytes),
  );
  return { full: live.length - hasRoom.length, live: live.length };
}
