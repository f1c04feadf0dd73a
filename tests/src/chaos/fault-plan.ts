/** What breaks in a run and when, as plain data drawn from a seed. Places are the names of servers and clients. */
import type { SimRandom } from '@cairnfs/sim';

export type ChaosFault =
  | { readonly kind: 'kill'; readonly place: string; readonly downMs: number }
  /** The power goes: every server at once. */
  | { readonly kind: 'killAll'; readonly downMs: number }
  | { readonly kind: 'pause'; readonly place: string; readonly durationMs: number }
  /** A client process ends in the middle of its operations; another takes its place. */
  | { readonly kind: 'killClient'; readonly place: string; readonly downMs: number }
  | { readonly kind: 'pauseClient'; readonly place: string; readonly durationMs: number }
  /** All that the place sends and is sent is lost. */
  | { readonly kind: 'unplug'; readonly place: string; readonly durationMs: number }
  /** All between the two sides is lost, or only what the first sends the second. */
  | {
      readonly kind: 'partition' | 'oneWay';
      readonly from: readonly string[];
      readonly to: readonly string[];
      readonly durationMs: number;
    };

export interface PlannedChaos {
  readonly atMs: number;
  readonly fault: ChaosFault;
}

export interface ChaosPlaces {
  readonly master: string;
  readonly chunkservers: readonly string[];
  readonly clients: readonly string[];
}

export interface PlanOptions {
  readonly durationMs: number;
  readonly places: ChaosPlaces;
  readonly hasNetwork: boolean;
}

/** Between two faults: several overlap at a time, and there are moments without any. */
const GAP_MS = [300, 4500] as const;
/** Some longer than server lease and margin (11 s), a few longer than a chunk lease as well (`CHUNK_LEASE_MS`). */
const SHORT_MS = [200, 4000] as const;
const LONG_MS = [11_500, 15_000] as const;
const VERY_LONG_MS = [21_500, 26_000] as const;
/** First moments without any, so that there is something to lose. */
const CALM_MS = 1500;

const PROCESS_WEIGHTS = { kill: 10, killAll: 1, pause: 7, killClient: 3, pauseClient: 1 } as const;
const NETWORK_WEIGHTS = { unplug: 3, partition: 5, oneWay: 4 } as const;

export function planFaults(random: SimRandom, { durationMs, places, hasNetwork }: PlanOptions): PlannedChaos[] {
  const kinds: ChaosFault['kind'][] = [];
  const weights = hasNetwork ? { ...PROCESS_WEIGHTS, ...NETWORK_WEIGHTS } : PROCESS_WEIGHTS;
  for (const [kind, weight] of Object.entries(weights)) {
    for (let ticket = 0; ticket < weight; ticket += 1) kinds.push(kind as ChaosFault['kind']);
  }
  const plan: PlannedChaos[] = [];
  for (let atMs = CALM_MS; atMs < durationMs; atMs += random.between(...GAP_MS)) {
    plan.push({ atMs, fault: drawFault(random, random.pick(kinds), places) });
  }
  return plan;
}

function drawFault(random: SimRandom, kind: ChaosFault['kind'], places: ChaosPlaces): ChaosFault {
  const { master, chunkservers, clients } = places;
  const server = () => (random.chance(0.2) ? master : random.pick(chunkservers));
  switch (kind) {
    case 'kill':
      return { kind, place: server(), downMs: drawDuration(random) };
    case 'killAll':
      return { kind, downMs: random.between(...SHORT_MS) };
    case 'pause':
      return { kind, place: server(), durationMs: drawDuration(random) };
    case 'killClient':
      return { kind, place: random.pick(clients), downMs: random.between(...SHORT_MS) };
    case 'pauseClient':
      return { kind, place: random.pick(clients), durationMs: drawDuration(random) };
    case 'unplug':
      return {
        kind,
        place: random.chance(0.2) ? random.pick(clients) : server(),
        durationMs: drawDuration(random),
      };
    case 'partition':
    case 'oneWay': {
      const [from, to] = drawSides(random, [master, ...chunkservers, ...clients]);
      return { kind, from, to, durationMs: drawDuration(random) };
    }
  }
}

function drawDuration(random: SimRandom): number {
  if (random.chance(0.1)) return random.between(...VERY_LONG_MS);
  return random.chance(0.35) ? random.between(...LONG_MS) : random.between(...SHORT_MS);
}

/** Full: everyone on one of the two sides. Partial: some are on neither, and reach both. */
function drawSides(random: SimRandom, all: readonly string[]): [string[], string[]] {
  const isFull = random.chance(0.4);
  for (;;) {
    const sides: [string[], string[]] = [[], []];
    for (const place of all) {
      const side = random.between(0, isFull ? 1 : 2);
      if (side < 2) sides[side]!.push(place);
    }
    if (sides[0].length > 0 && sides[1].length > 0) return sides;
  }
}
