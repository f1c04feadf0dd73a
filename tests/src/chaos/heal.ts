/** Waits until a cluster without faults is whole: every server live, every chunk at its goal, the check of all files clean. */
import type { TestCluster } from '../harness/cluster.ts';

const POLL_MS = 500;

interface Status {
  readonly writable: boolean;
  readonly safeMode: boolean;
  readonly safeModeReason: string;
  readonly servers: readonly { readonly live: boolean }[];
  readonly repair: {
    readonly underReplicatedCount: number;
    readonly unavailableCount: number;
    readonly copyingCount: number;
  };
}

/** @returns what was still wrong after so long; undefined when the cluster is whole. */
export async function heal(
  cluster: TestCluster,
  { limitMs, signal }: { limitMs: number; signal: AbortSignal },
): Promise<string | undefined> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const wrong = await whatIsWrong(cluster);
    if (wrong === undefined || performance.now() >= endMs || signal.aborted) return wrong;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function whatIsWrong(cluster: TestCluster): Promise<string | undefined> {
  for (const name of cluster.serverNames) if (!cluster.isRunning(name)) return `${name} does not run`;
  const answer = await cluster.cairn(['status', '--json', '--timeout', '10s']);
  if (answer.exitCode !== 0) return answer.stderr.trim();
  const status = JSON.parse(answer.stdout.toString()) as Status;
  if (status.safeMode) return `safe mode: ${status.safeModeReason}`;
  if (!status.writable) return 'not writable';
  const live = status.servers.filter((server) => server.live).length;
  if (live < cluster.chunkserverNames.length) return `${live} of ${cluster.chunkserverNames.length} chunkservers live`;
  const { underReplicatedCount, unavailableCount, copyingCount } = status.repair;
  if (underReplicatedCount + unavailableCount + copyingCount > 0) {
    return `${underReplicatedCount} chunks below their goal, ${unavailableCount} unavailable, ${copyingCount} being copied`;
  }
  const fsck = await cluster.cairn(['fsck', '--timeout', '60s']);
  return fsck.exitCode === 0 ? undefined : `fsck: ${fsck.stdout}${fsck.stderr}`.trim();
}
