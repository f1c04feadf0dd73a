/**
 * The default: copies on different racks, then different hosts; among equals the emptier disk with fewer recent
 * placements, ties at random (GFS §4.2). A rack or host is used twice only when there is no other.
 */
import { type Candidate, type ReplicaSelector, shuffled } from './selector.ts';

/** One recent placement weighs as much as this much of a disk: a burst spreads before the disks show it. */
const RECENT_WEIGHT = 0.01;

export const spreadSelector: ReplicaSelector = {
  select(candidates, { count, besides }, random) {
    const ranked = shuffled(candidates, random).sort((a, b) => burden(a) - burden(b));
    const chosen: Candidate[] = [];
    const isIn = (taken: readonly Candidate[], key: 'rack' | 'host', candidate: Candidate) =>
      taken.some((other) => other[key] === candidate[key]);
    while (chosen.length < count) {
      const taken = [...besides, ...chosen];
      const left = ranked.filter((candidate) => !chosen.includes(candidate));
      const next =
        left.find((candidate) => !isIn(taken, 'rack', candidate) && !isIn(taken, 'host', candidate)) ??
        left.find((candidate) => !isIn(taken, 'host', candidate)) ??
        left[0];
      if (next === undefined) break;
      chosen.push(next);
    }
    // The primary does more than the others: it falls on each of them alike.
    return shuffled(chosen, random);
  },
};

function burden({ diskUsedRatio, recentCount }: Candidate): number {
  return diskUsedRatio + recentCount * RECENT_WEIGHT;
}
