/** A schedule from a seed: the same for the same seed and profile, on every machine. */
import { SimRandom } from '@cairnfs/sim';
import { makeFaults } from './make-faults.ts';
import { makeOperations } from './make-operations.ts';
import type { Profile } from './profiles.ts';
import type { ClusterShape, Schedule } from './schedule.ts';

/** @param seed an integer of 0 to 2^53-1. */
export function makeSchedule(seed: number, { name, profile }: { name: string; profile: Profile }): Schedule {
  const shape = makeShape(new SimRandom(seed, 'shape'), profile);
  const { durationMs, operations: count, puts, onFiles, truncates } = profile;
  return {
    seed,
    profile: name,
    shape,
    durationMs,
    operations: makeOperations(new SimRandom(seed, 'operations'), shape, {
      count,
      durationMs,
      puts,
      onFiles,
      truncates,
    }),
    faults: makeFaults(new SimRandom(seed, 'faults'), shape, { profile, durationMs }),
  };
}

function makeShape(random: SimRandom, profile: Profile): ClusterShape {
  return {
    chunkservers: random.between(...profile.chunkservers),
    disksPerChunkserver: random.chance(0.3) ? 2 : 1,
    clients: random.between(...profile.clients),
    files: random.between(...profile.files),
    ...(profile.isKept ? { isKept: true } : {}),
    ...(profile.hasSmallJournals ? { hasSmallJournals: true } : {}),
    subtrees: random.between(1, 3),
  };
}
