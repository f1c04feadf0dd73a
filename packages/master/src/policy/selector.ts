/** Where new replicas go: an interface, so that a cluster can choose its own policy. */
import type { Random } from '@cairnfs/base';

/** A chunkserver that could take a replica now. */
export interface Candidate {
  readonly id: number;
  readonly host: string;
  readonly rack: string;
  /** 0 to 1. */
  readonly diskUsedRatio: number;
  /** Replicas placed there lately, not yet visible in the disk's usage (GFS §4.1). */
  readonly recentCount: number;
}

export interface Selection {
  readonly count: number;
  /** Holders of the chunk: their hosts and racks count as taken. */
  readonly besides: readonly Candidate[];
}

export interface ReplicaSelector {
  /** Picks up to `count` candidates, the primary first; fewer when there are fewer. */
  select(candidates: readonly Candidate[], selection: Selection, random: Random): Candidate[];
}

/** Fisher and Yates. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = random.uint32() % (last + 1);
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
