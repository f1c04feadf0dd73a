/** What `/healthz` answers: 200 for a server that does its work, 503 with the reasons for one that does not. */
import type { ChunkserverHealth } from '@cairnfs/chunkserver';
import type { MasterHealth } from '@cairnfs/master';

export interface Health {
  readonly status: 'ok' | 'starting' | 'degraded';
  /** Further fields of the answer. */
  readonly [field: string]: unknown;
}

/** The journal may take a while to replay. */
export function startingHealth(role: 'master' | 'chunkserver'): Health {
  return { status: 'starting', role, reasons: ['the server is starting: it reads its journal'] };
}

/** Safe mode is no fault: it ends by itself when the chunkservers have reported. */
export function masterHealth({ clusterId, writable, safeModeReason }: MasterHealth): Health {
  const safeMode = safeModeReason === '' ? {} : { safeModeReason };
  return { status: 'ok', role: 'master', clusterId, writable, safeMode: safeModeReason !== '', ...safeMode };
}

export function chunkserverHealth({ serverId, reasons }: ChunkserverHealth): Health {
  if (reasons.length === 0) return { status: 'ok', role: 'chunkserver', serverId };
  return { status: 'degraded', role: 'chunkserver', serverId, reasons };
}
