/**
 * Draws how much of each kind of work servers take on at once: so little that a few hundred chunks fill it. A cluster must
 * keep every promise with any of them, later perhaps; so each is drawn apart, and some stay as they are in production.
 */
import { KiB, MiB } from '@cairnfs/base';
import type { ChunkserverBounds } from '@cairnfs/chunkserver';
import type { MasterBounds } from '@cairnfs/master';
import type { SimRandom } from '@cairnfs/sim';
import type { ServerBounds } from './schedule.ts';

/** Drawn apart from the others, so that those of a seed stay what they are. */
type Sizes = 'answerBytesMax';
type Later = 'garbageAwaitedMax';
type Range = readonly [low: number, high: number];

/** Of the bounds that are drawn small: the others are those of production, which are never reached. */
const SMALL = 0.8;

const MASTER: Readonly<Record<Exclude<keyof MasterBounds, Sizes | Later>, Range>> = {
  // One server cannot have all that there may be at once.
  clonesAtOnce: [2, 4],
  clonesPerServer: [1, 1],
  clonesBegunAtOnce: [1, 3],
  repairQueueMax: [2, 12],
  repairScanStep: [10, 80],
  quarantineOrdersMax: [2, 20],
  quarantineLookedAtMax: [2, 20],
  quarantineQueueMax: [5, 60],
  departuresAtOnce: [1, 8],
  departuresListedMax: [1, 30],
  fencesWaitingMax: [2, 40],
  recoveredAtOnce: [1, 4],
  recoveryStep: [5, 40],
  retiredAtOnce: [1, 4],
  garbageStep: [2, 20],
  unshownStep: [3, 30],
  inventoryComparedAtOnce: [3, 40],
  uploadsMax: [4, 12],
  uploadsWithSparesMax: [1, 6],
  exceptionsMax: [2, 40],
};

const MASTER_LATER: Readonly<Record<Later, Range>> = { garbageAwaitedMax: [2, 40] };

const CHUNKSERVER: Readonly<Record<Exclude<keyof ChunkserverBounds, Sizes>, Range>> = {
  replicasCachedMax: [5, 60],
  uploadsMax: [3, 10],
  clonesMax: [1, 3],
  changesMax: [5, 60],
  changesPerHeartbeatMax: [2, 20],
  inventoryPartMax: [5, 60],
};

/** From a single block up to two reads of a frame, so that most others wait. */
const SIZES: Readonly<Record<Sizes, Range>> = { answerBytesMax: [64 * KiB, 2 * MiB] };

export function makeBounds(random: SimRandom): ServerBounds {
  const sizes = random.fork('sizes');
  const later = draw(random.fork('later'), MASTER_LATER);
  const master = { ...draw(random, MASTER), ...draw(sizes, SIZES), ...later };
  const chunkserver = { ...draw(random, CHUNKSERVER), ...draw(sizes, SIZES) };
  const { uploadsMax, uploadsWithSparesMax = Number.POSITIVE_INFINITY } = master;
  if (uploadsMax === undefined) return { master, chunkserver };
  // Spare uploads leave room for others.
  return { master: { ...master, uploadsWithSparesMax: Math.min(uploadsWithSparesMax, uploadsMax - 1) }, chunkserver };
}

function draw<K extends string>(random: SimRandom, ranges: Readonly<Record<K, Range>>): Partial<Record<K, number>> {
  const bounds: Partial<Record<K, number>> = {};
  for (const name of Object.keys(ranges) as K[]) {
    const [low, high] = ranges[name];
    if (random.chance(SMALL)) bounds[name] = random.between(low, high);
  }
  return bounds;
}
