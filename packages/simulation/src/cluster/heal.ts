/**
 * Waits until a cluster without faults is whole: every server live, every chunk at its goal, what was deleted
 * collected, the check of all files clean.
 */
import { isFsError } from '@cairnfs/base';
import type { CairnClient } from '@cairnfs/client';
import type { LastCopies } from './last-copies.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** A chunkserver that the others have to do without. */
export interface Absent {
  readonly host: string;
  /** Chunks that they cannot have without it. */
  readonly lastCopies: Pick<LastCopies, 'of'>;
  /** Copies that one server has lost, of which the master has room to know. */
  readonly lossesKnownMax: number;
}

const POLL_MS = 1000;
const CALL_TIMEOUT_MS = 5000;

/**
 * @returns what was still wrong after `limitMs` of virtual time; undefined when the cluster is whole.
 */
export async function heal(
  cluster: SimulatedCluster,
  client: CairnClient,
  { limitMs, without }: { limitMs: number; without?: Absent | undefined },
): Promise<string | undefined> {
  const { simulation } = cluster;
  const endMs = simulation.nowMs + limitMs;
  for (;;) {
    let wrong: string | undefined;
    try {
      wrong = await whatIsWrong(cluster, client, without);
    } catch (error) {
      if (!isFsError(error)) throw error;
      wrong = `the master does not answer: ${error.message}`;
    }
    if (wrong === undefined || simulation.nowMs >= endMs) return wrong;
    await simulation.clock.sleep(POLL_MS);
  }
}

async function whatIsWrong(
  cluster: SimulatedCluster,
  client: CairnClient,
  without: Absent | undefined,
): Promise<string | undefined> {
  const servers = cluster.servers.filter(({ host }) => host.name !== without?.host);
  for (const server of servers) if (!server.isServing) return `${server.host.name} does not run`;
  const patience = { timeoutMs: CALL_TIMEOUT_MS };
  const status = await client.clusterStatus(patience);
  if (status.safeMode) return `safe mode: ${status.safeModeReason}`;
  if (!status.writable) return 'not writable';
  const live = new Set(status.servers.filter((server) => server.live).map(({ address }) => address));
  for (const name of cluster.chunkserverNames) {
    if (name !== without?.host && !live.has(`${name}:8080`)) return `${name} is not live`;
  }
  const { underReplicatedCount, unavailableCount, copyingCount, garbageCount } = status.repair;
  // Those unavailable and being copied are below their goal as well.
  const excused = without?.lastCopies.of(without.host) ?? new Set();
  // A master asks for what else a server has lost when half of the room is free, and nothing can be done for these.
  if (without !== undefined && excused.size > without.lossesKnownMax / 2) return undefined;
  if (underReplicatedCount > excused.size) {
    return `${underReplicatedCount} chunks below their goal, ${unavailableCount} unavailable, ${copyingCount} being copied`;
  }
  // Nobody puts a copy away for a server that hardly can.
  if (garbageCount > 0 && without === undefined) return `${garbageCount} deleted chunks are not collected`;
  for await (const page of client.check('/', patience)) {
    const problems = page.problems.filter(({ handle }) => !excused.has(handle));
    if (problems.length > 0) return problems.map(({ kind, path, message }) => `${kind} ${path}: ${message}`).join('; ');
  }
  return undefined;
}
