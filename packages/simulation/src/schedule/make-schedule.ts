/** A schedule from a seed: the same for the same seed and profile, on every machine. */
import { SimRandom } from '@cairnfs/sim';
import { makeBounds } from './make-bounds.ts';
import { makeFaults } from './make-faults.ts';
import { makeOperations } from './make-operations.ts';
import type { LoadProfile, Profile } from './profiles.ts';
import type { ClusterShape, Load, Schedule } from './schedule.ts';

/** The master's default. */
const COPIES = 3;
const SICK = 0.5;
/** A mutation then waits some 50 ms for its journals. */
const DISK_SLOWNESS_MAX = 30;

/** @param seed an integer of 0 to 2^53-1. */
export function makeSchedule(seed: number, { name, profile }: { name: string; profile: Profile }): Schedule {
  const shape = makeShape(new SimRandom(seed, 'shape'), profile);
  const { durationMs, operations: count, puts, onFiles, truncates, bursts } = profile;
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
      bursts,
    }),
    faults: makeFaults(new SimRandom(seed, 'faults'), shape, { profile, durationMs }),
  };
}

function makeShape(random: SimRandom, profile: Profile): ClusterShape {
  const { diskSlowness } = profile;
  const chunkservers = random.between(...profile.chunkservers);
  return {
    chunkservers,
    disksPerChunkserver: random.chance(profile.twoDisks) ? 2 : 1,
    clients: random.between(...profile.clients),
    files: random.between(...profile.files),
    ...(profile.isKept ? { isKept: true } : {}),
    ...(diskSlowness === undefined
      ? {}
      : {
          diskSlowness: {
            chunkservers: random.uniform(...diskSlowness.chunkservers),
            master: random.uniform(...diskSlowness.master),
          },
        }),
    ...(profile.hasOldReader ? { hasOldReader: true } : {}),
    ...(profile.hasSmallJournals ? { hasSmallJournals: true } : {}),
    subtrees: random.between(1, 3),
    ...(profile.load === undefined ? {} : { load: makeLoad(random, chunkservers, profile.load) }),
  };
}

function makeLoad(random: SimRandom, chunkservers: number, { standingFiles }: LoadProfile): Load {
  const load = {
    standingFiles: random.between(...standingFiles),
    diskSlowness: random.chance(0.3) ? 1 : random.uniform(2, DISK_SLOWNESS_MAX),
    bounds: makeBounds(random),
  };
  // The others have to be enough for all copies.
  if (chunkservers <= COPIES || !random.chance(SICK)) return load;
  return { ...load, sick: `chunkserver-${random.between(1, chunkservers)}` };
}
