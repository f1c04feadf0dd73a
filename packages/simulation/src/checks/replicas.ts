/** The replicas of every chunk at the end of a run, when all faults are over and the cluster has had its time to heal. */
import type { Violation } from './violation.ts';

export interface ChunkAtEnd {
  readonly handle: string;
  /** What the master holds of it. */
  readonly version: number;
  readonly goal: number;
  readonly members: readonly string[];
  readonly replicas: readonly ReplicaAtEnd[];
}

export interface ReplicaAtEnd {
  readonly server: string;
  readonly version: number;
  readonly length: number;
  /** Of the bytes that a reader would be given. */
  readonly digest: string;
  readonly state: 'live' | 'corrupt' | 'quarantined';
}

export interface ReplicaRules {
  /** Servers that are up; no chunk can have more copies. */
  readonly servers: number;
}

/** Replicas in quarantine are nobody's: they are not judged. */
export function checkReplicas(chunks: readonly ChunkAtEnd[], { servers }: ReplicaRules): Violation[] {
  return chunks.flatMap((chunk) => {
    const report = (summary: string): Violation => ({
      check: 'replicas',
      summary: `chunk ${chunk.handle}: ${summary}`,
      details: storyOf(chunk),
    });
    const violations: Violation[] = [];
    const kept = chunk.replicas.filter(({ state }) => state !== 'quarantined');
    for (const replica of kept) {
      if (replica.version > chunk.version) violations.push(report(`${replica.server} is ahead of the master`));
    }
    const sound = kept.filter(({ state }) => state === 'live');
    for (const [index, replica] of sound.entries()) {
      const twin = sound.slice(0, index).find(({ version }) => version === replica.version);
      if (twin === undefined || (twin.length === replica.length && twin.digest === replica.digest)) continue;
      violations.push(report(`${twin.server} and ${replica.server} differ at version ${replica.version}`));
    }
    const current = sound.filter(({ server, version }) => version === chunk.version && chunk.members.includes(server));
    const copies = new Set(current.map(({ server }) => server)).size;
    const needed = Math.min(chunk.goal, servers);
    if (copies < needed) violations.push(report(`${copies} of ${needed} copies`));
    return violations;
  });
}

function storyOf({ version, goal, members, replicas }: ChunkAtEnd): string {
  const lines = replicas.map(
    ({ server, version: own, length, digest, state }) =>
      `${server}: version ${own}, ${length} bytes ${digest}, ${state}`,
  );
  return [`master: version ${version}, goal ${goal}, members ${members.join(', ')}`, ...lines].join('\n');
}
