/**
 * Draws what breaks. Bound: only one chunkserver of a schedule, its victim, ever loses what it had on stable storage (bit
 * rot, a lost disk), or is without it for long (a disk that hangs): with two durable copies at the least of everything acknowledged, one good one is left. Power
 * failures, which take only what was never synced, strike anybody.
 */
import type { FaultPoint, SimRandom } from '@cairnfs/sim';
import { weighted } from './draw.ts';
import type { Profile } from './profiles.ts';
import {
  CHUNK_BYTES,
  type ClusterShape,
  type Fault,
  type FaultKind,
  type HostName,
  type MessageKind,
  type PlannedFault,
  RESERVE_BYTES,
} from './schedule.ts';

/** A host other than the master lives at most so much faster or slower; the lease margins cover twice of it. */
const DRIFT_MAX = 0.01;
const WALL_JUMP_MS_MAX = 24 * 3_600_000;
/** A start with a journal to read takes about half of them. */
const AGAIN_AFTER_SYNCS_MAX = 12;
/** Faults of a salvo: while the cluster has not got over the one before. */
const SALVO_MS = 12_000;
/** From less than a disk is waited for to twice of it, so that servers are started on disks that hang, too. */
const HANG_MS = [10_000, 40_000] as const;

/** Whoever asked waits as long as that. */
const WAITED_FOR_MS = [200, 2900] as const;
/** Past the patience with whoever is asked, and often past a server lease. */
const LATE_MS = [3000, 13_000] as const;
/** From when the message has left the host to when a disk has answered; the slower it is, the longer. */
const LAST_WORDS_MS = [
  [0.01, 0.01],
  [0.01, 3],
  [1, 80],
] as const;
const LAST_WORDS_OF = { sender: 45, receiver: 15, master: 40 } as const;
/** Of the messages that come late, those whose sender is not there any more, or another one. */
const SENDER_ENDS = 0.4;
/** It is back before they have arrived, and mostly before anybody does without it. */
const SENDER_DOWN_MS = [5, 1000] as const;
const MESSAGES_PASSED_MAX = 3;
const asked = (method: string): MessageKind => ({ method, isAnswer: false });
const answered = (method: string): MessageKind => ({ method, isAnswer: true });
/** Those that must do nothing when what they are about is over. */
export const LATE_MESSAGES: readonly MessageKind[] = [
  asked('ChunkserverPeer.InstallView'),
  asked('ChunkserverPeer.InstallView'),
  asked('ChunkserverPeer.StageMutation'),
  asked('ChunkserverPeer.StageMutation'),
  asked('ChunkserverPeer.Commit'),
  asked('ChunkserverControl.PrepareView'),
  asked('ChunkserverControl.RevokeLease'),
  asked('MasterControl.ReleaseLeases'),
  asked('MasterControl.ReportFailedMembers'),
  answered('MasterControl.ReportFailedMembers'),
  answered('MasterControl.AcquireLeases'),
  answered('MasterControl.AcquireLeases'),
];
/** Those by which a server is told who it is. */
export const REGISTRATION_ANSWERS: readonly MessageKind[] = [answered('MasterControl.Register')];
/** Answers that others count on from then on. */
export const LAST_WORDS: readonly MessageKind[] = [
  'ChunkserverControl.PrepareView',
  'ChunkserverControl.PrepareView',
  'ChunkserverControl.RevokeLease',
  'ChunkserverPeer.InstallView',
  'ChunkserverPeer.StageMutation',
  'ChunkserverPeer.Commit',
  'ChunkserverData.MutateChunk',
].map(answered);
/** The same of the master, and what others tell when they count on it already. */
export const LAST_WORDS_OF_MASTER: readonly MessageKind[] = [
  'MasterControl.AcquireLeases',
  'MasterControl.ReleaseLeases',
  'MasterControl.Register',
  'Master.OpenExtent',
  'Master.ConfirmUpload',
  'ChunkserverPeer.InstallView',
  'ChunkserverData.MutateChunk',
  'ChunkserverData.MutateChunk',
  'ChunkserverData.MutateChunk',
].map(answered);

/** With these, and the victim's disk lost, no member of a chunk is left that has it; they come back with all of it. */
const OUTAGE_SERVERS = 2;
/** Several that are silent at once are waited for 55 s. */
const OUTAGE_MS = [40_000, 90_000] as const;

/** So many chunkservers have room at any time: enough for all copies. */
const ALWAYS_ROOMY = 3;

interface Hosts {
  readonly servers: readonly HostName[];
  readonly all: readonly HostName[];
  readonly chunkservers: readonly HostName[];
  readonly clients: readonly HostName[];
  readonly victim: HostName;
}

interface FaultToMake {
  readonly kind: FaultKind;
  readonly hosts: Hosts;
  readonly shape: ClusterShape;
  readonly profile: Profile;
  readonly leftMs: number;
}

export function makeFaults(
  random: SimRandom,
  shape: ClusterShape,
  { profile, durationMs }: { profile: Profile; durationMs: number },
): PlannedFault[] {
  const chunkservers = Array.from({ length: shape.chunkservers }, (_, index) => `chunkserver-${index + 1}`);
  const clients = Array.from({ length: shape.clients }, (_, index) => `client-${index + 1}`);
  const servers = ['master', ...chunkservers];
  const victim = random.pick(chunkservers);
  const hosts: Hosts = { servers, all: [...servers, ...clients], chunkservers, clients, victim };
  const count = random.between(...profile.faults);
  const times = Array.from({ length: count }, () => Math.floor(random.uniform(0.02, 0.95) * durationMs));
  times.sort((a, b) => a - b);
  if (profile.salvos > 0) gather(random, times, profile.salvos);
  return times.map((atMs, index) => {
    const kind = weighted(random, profile.weights as Record<FaultKind, number>);
    return {
      id: index + 1,
      atMs,
      fault: makeFault(random, { kind, hosts, shape, profile, leftMs: durationMs - atMs }),
    };
  });
}

/** Moves that share of them to soon after the one before. */
function gather(random: SimRandom, times: number[], share: number): void {
  for (let index = 1; index < times.length; index++) {
    if (random.chance(share)) times[index] = Math.min(times[index]!, times[index - 1]! + random.between(0, SALVO_MS));
  }
}

function makeFault(random: SimRandom, { kind, hosts, shape, profile, leftMs }: FaultToMake): Fault {
  const durationMs = Math.min(leftMs, drawDurationMs(random, profile));
  switch (kind) {
    case 'crash': {
      const host = drawHost(random, hosts, profile);
      const unsynced = random.pick(['lose', 'keep', 'random', 'random'] as const);
      const { points, passesMax } = profile.crashes;
      const pass = passesMax > 1 ? { pass: random.between(1, passesMax) } : {};
      return { kind, host, unsynced, downMs: durationMs, ...drawPoint(random, points), ...pass };
    }
    case 'powerLoss': {
      const one = random.pick(hosts.servers);
      const others = random.chance(0.3) ? hosts.servers.filter((host) => host !== one) : [];
      const again = random.chance(0.4) ? { again: random.between(1, AGAIN_AFTER_SYNCS_MAX) } : {};
      return { kind, hosts: [one, ...others], downMs: durationMs, ...again };
    }
    case 'pause':
      return { kind, host: drawHost(random, hosts, profile), durationMs, ...drawPoint(random, ['send']) };
    case 'clock':
      return {
        kind,
        host: random.pick(hosts.all),
        rate: random.chance(0.5) ? 1 : random.uniform(1 - DRIFT_MAX, 1 + DRIFT_MAX),
        wallOffsetMs: Math.floor(random.uniform(-WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX)),
      };
    case 'partition':
      return { kind, ...drawSides(random, hosts, profile), isOneWay: random.chance(0.35), durationMs };
    case 'slowLink': {
      const from = random.pick(hosts.all);
      const to = random.pick(hosts.servers.filter((host) => host !== from));
      const low = random.uniform(0, 300);
      return { kind, from, to, extraMs: [low, low + random.uniform(0, 1000)], durationMs };
    }
    case 'delays':
      return { kind, latencyMs: [0.05, random.uniform(2, profile.delayMsMax)], durationMs };
    case 'lossyNetwork':
      return { kind, resetChance: random.uniform(0.001, 0.03), durationMs };
    case 'resetConnections':
      return { kind, host: random.pick(hosts.all) };
    case 'diskErrors': {
      const host = random.pick(hosts.servers);
      const operation = random.pick(['read', 'write', 'sync'] as const);
      return { kind, host, disk: drawDisk(random, shape), operation, durationMs };
    }
    case 'diskFull':
      return { kind, host: random.pick(hosts.servers), freeBytes: random.between(0, 100_000), durationMs };
    case 'littleRoom': {
      const freeBytes = RESERVE_BYTES + random.between(-CHUNK_BYTES, 2 * CHUNK_BYTES);
      return { kind, host: random.pick(hosts.chunkservers.slice(ALWAYS_ROOMY)), freeBytes, durationMs };
    }
    case 'slowDisk':
      return { kind, host: random.pick(hosts.servers), slowness: random.uniform(5, 500), durationMs };
    case 'hangingDisk': {
      const host = random.chance(0.25) ? 'master' : hosts.victim;
      const durationMs = Math.min(leftMs, random.between(...HANG_MS));
      return { kind, host, disk: drawDisk(random, shape), durationMs };
    }
    case 'bitRot':
      return { kind, host: hosts.victim, choice: random.ratio(), bits: random.between(1, 3) };
    case 'journalRot': {
      const host = random.chance(0.4) ? 'master' : random.pick(hosts.chunkservers);
      const disk = drawDisk(random, shape);
      return { kind, host, disk, choice: random.ratio(), bits: random.between(1, 3), durationMs };
    }
    case 'lateMessage': {
      const [low, high] = random.chance(0.5) ? WAITED_FOR_MS : LATE_MS;
      const extraMs = Math.min(leftMs, random.between(low, high));
      const message = random.pick(profile.delaysRegistration ? REGISTRATION_ANSWERS : LATE_MESSAGES);
      const down = random.chance(SENDER_ENDS) ? { downMs: random.between(...SENDER_DOWN_MS) } : {};
      return { kind, message, pass: random.between(1, MESSAGES_PASSED_MAX), extraMs, ...down };
    }
    case 'lastWords': {
      const of = weighted(random, LAST_WORDS_OF);
      const message = random.pick(of === 'master' ? LAST_WORDS_OF_MASTER : LAST_WORDS);
      const [soonest, latest] = random.pick(LAST_WORDS_MS);
      const afterMs = random.uniform(soonest, latest);
      return { kind, of, message, pass: random.between(1, MESSAGES_PASSED_MAX), afterMs, downMs: durationMs };
    }
    case 'outage': {
      const others = hosts.chunkservers.filter((host) => host !== hosts.victim);
      return { kind, hosts: others.slice(0, OUTAGE_SERVERS), downMs: Math.min(leftMs, random.between(...OUTAGE_MS)) };
    }
    case 'lostDisk':
      return { kind, host: hosts.victim, disk: drawDisk(random, shape), downMs: durationMs };
  }
}

/** `blink` and `short` pass before anybody declares anybody dead; `lease` is about as long as a server lease, `long` outlasts it. */
function drawDurationMs(random: SimRandom, { lengths }: Profile): number {
  switch (weighted(random, lengths)) {
    case 'blink':
      return random.between(10, 500);
    case 'short':
      return random.between(500, 5000);
    case 'lease':
      return random.between(5000, 14_000);
    case 'long':
      return random.between(14_000, 30_000);
  }
}

function drawHost(random: SimRandom, hosts: Hosts, { struck }: Profile): HostName {
  switch (weighted(random, struck)) {
    case 'master':
      return 'master';
    case 'chunkserver':
      return random.pick(hosts.chunkservers);
    case 'client':
      return random.pick(hosts.clients);
  }
}

function drawPoint(random: SimRandom, points: readonly FaultPoint[]): { point?: FaultPoint } {
  return random.chance(0.6) ? { point: random.pick(points) } : {};
}

function drawDisk(random: SimRandom, { disksPerChunkserver }: ClusterShape): number {
  return random.between(0, disksPerChunkserver - 1);
}

/** One host from all others, one from one other, or two halves. */
function drawSides(random: SimRandom, hosts: Hosts, { splits }: Profile): { from: HostName[]; to: HostName[] } {
  const isSplit = random.chance(splits);
  if (isSplit) {
    const from = hosts.all.filter(() => random.chance(0.5));
    const to = hosts.all.filter((host) => !from.includes(host));
    if (from.length > 0 && to.length > 0) return { from, to };
  }
  const one = random.chance(0.25) ? 'master' : random.pick(hosts.all);
  const others = hosts.all.filter((host) => host !== one);
  const rest = random.chance(0.5) ? others : [random.pick(others)];
  return random.chance(0.5) ? { from: [one], to: rest } : { from: rest, to: [one] };
}
