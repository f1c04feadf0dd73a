/** How much of everything a schedule holds. */
import type { FaultPoint } from '@cairnfs/sim';
import type { FaultKind } from './schedule.ts';

type Range = readonly [low: number, high: number];

export interface Profile {
  /** Its schedules, in a line. */
  readonly about: string;
  readonly operations: number;
  readonly durationMs: number;
  readonly chunkservers: Range;
  readonly clients: Range;
  readonly files: Range;
  /** Files but the first are as `ClusterShape.isKept` says. */
  readonly isKept: boolean;
  readonly faults: Range;
  /** How often each kind is drawn, relative to the others; a kind left out never is. */
  readonly weights: Readonly<Partial<Record<FaultKind, number>>>;
  /** Most that messages take while a fault delays all. */
  readonly delayMsMax: number;
  /** How often faults are so long, relative to the others. */
  readonly lengths: Readonly<Record<'blink' | 'short' | 'lease' | 'long', number>>;
  /** Whom crashes and pauses strike, relative to each other. */
  readonly struck: Readonly<Record<'master' | 'chunkserver' | 'client', number>>;
  /** Points at which crashes strike, when a process comes by there for one of so many times. */
  readonly crashes: { readonly points: readonly FaultPoint[]; readonly passesMax: number };
  /** The share of partitions that divide all hosts in two, clients as well. */
  readonly splits: number;
  /** The share of operations that put a small file, whatever else is drawn. */
  readonly puts: number;
  /** The share of the others that are on the files. */
  readonly onFiles: number;
  /** Disks take so many times their usual time: those of all chunkservers the same, the master's apart from them. */
  readonly diskSlowness?: { readonly chunkservers: Range; readonly master: Range };
  /** Of messages that come late, only answers to registrations do. */
  readonly delaysRegistration: boolean;
  /** Somebody goes on asking under old versions. */
  readonly hasOldReader: boolean;
  /** The share of schedules in which chunkservers have two disks. */
  readonly twoDisks: number;
  /** Servers' journals have segments so small that the next one is often not ready. */
  readonly hasSmallJournals: boolean;
  /** The share of the operations on kept files that cut them, and as many write to them. */
  readonly truncates: number;
  /** So many operations begin at once, and then none for as long; 3 is steady. */
  readonly bursts: number;
  /** Of faults that strike soon after the one before. */
  readonly salvos: number;
  /** Is there more to do than servers do at once? */
  readonly load?: LoadProfile;
}

export interface LoadProfile {
  readonly standingFiles: Range;
}

const NETWORK = {
  partition: 6,
  slowLink: 2,
  delays: 2,
  lossyNetwork: 3,
  resetConnections: 3,
} as const;
const PROCESSES = { crash: 10, pause: 5, clock: 2 } as const;
const DISKS = { diskErrors: 3, diskFull: 1, slowDisk: 2, bitRot: 2, lostDisk: 1 } as const;

const USUAL: Omit<Profile, 'about'> = {
  operations: 300,
  durationMs: 60_000,
  chunkservers: [3, 7],
  clients: [2, 6],
  files: [2, 4],
  isKept: false,
  faults: [4, 12],
  weights: { ...NETWORK, ...PROCESSES, ...DISKS },
  delayMsMax: 200,
  lengths: { blink: 30, short: 35, lease: 25, long: 10 },
  struck: { master: 25, chunkserver: 60, client: 15 },
  crashes: { points: ['send', 'write', 'sync', 'synced'], passesMax: 1 },
  splits: 0.25,
  puts: 0,
  onFiles: 0.6,
  truncates: 0,
  bursts: 3,
  salvos: 0,
  delaysRegistration: false,
  hasOldReader: false,
  twoDisks: 0.3,
  hasSmallJournals: false,
};

/** In the order of the table of docs/simulation.md. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  default: {
    ...USUAL,
    about: '300 operations in a minute on 3 to 7 servers, 4 to 12 faults of network, processes and disks',
  },
  calm: {
    ...USUAL,
    about: 'no faults: what is wrong here is wrong always',
    faults: [0, 0],
  },
  network: {
    ...USUAL,
    about: '6 to 16 faults of the network only: partitions, loss, delays, slow links, connections reset',
    faults: [6, 16],
    weights: NETWORK,
  },
  crashes: {
    ...USUAL,
    about: 'as many of processes only: crashes, pauses, clocks',
    faults: [6, 16],
    weights: PROCESSES,
  },
  disks: {
    ...USUAL,
    about: 'disks fail, fill up, slow down, rot and are lost, with some crashes',
    faults: [6, 14],
    weights: { ...DISKS, crash: 4 },
  },
  hang: {
    ...USUAL,
    about: 'the same, and disks stop answering',
    faults: [6, 14],
    weights: { ...DISKS, hangingDisk: 6, crash: 3, partition: 1, pause: 3 },
  },
  full: {
    ...USUAL,
    about: 'servers run short of room again and again, and enough others have it: whatever is asked for is done',
    chunkservers: [5, 7],
    faults: [6, 14],
    weights: { littleRoom: 1 },
    onFiles: 0.9,
  },
  few: {
    ...USUAL,
    about:
      'of three servers one is without its disk when another goes away: views below the minimum, of chunks just written to',
    chunkservers: [3, 3],
    clients: [4, 6],
    files: [1, 3],
    faults: [8, 16],
    weights: { diskErrors: 6, crash: 8, delays: 5, pause: 1, partition: 1 },
    delayMsMax: 300,
    lengths: { blink: 5, short: 20, lease: 40, long: 35 },
    struck: { master: 5, chunkserver: 95, client: 0 },
    // With the answer to a mutation sent, and the commit point not yet.
    crashes: { points: ['send'], passesMax: 8 },
    onFiles: 1,
    salvos: 0.5,
  },
  power: {
    ...USUAL,
    about: 'servers lose power while they wait for their disks, one or all at once',
    faults: [8, 16],
    weights: { powerLoss: 8, pause: 1, partition: 1 },
  },
  storm: {
    ...USUAL,
    about: '15 to 30 faults of the kinds of default, on 3 or 4 servers',
    chunkservers: [3, 4],
    faults: [15, 30],
  },
  kept: {
    ...USUAL,
    about:
      'clients use what they know of chunks whose servers lose sight of each other and of the master, not of all clients',
    clients: [5, 6],
    files: [6, 8],
    isKept: true,
    faults: [8, 16],
    weights: { partition: 8, pause: 2, clock: 1 },
    splits: 0.7,
    onFiles: 0.95,
  },
  returns: {
    ...USUAL,
    about: 'the same, and the master restarts meanwhile: who comes back has missed views, and which is not known',
    clients: [5, 6],
    files: [6, 8],
    isKept: true,
    faults: [8, 16],
    weights: { partition: 8, crash: 4 },
    lengths: { blink: 10, short: 20, lease: 40, long: 30 },
    struck: { master: 90, chunkserver: 10, client: 0 },
    splits: 0.5,
    onFiles: 0.95,
  },
  leases: {
    ...USUAL,
    about: 'clients read what they know while the master answers late, and then is away for longer than leases run',
    clients: [5, 6],
    files: [6, 8],
    isKept: true,
    faults: [6, 12],
    weights: { delays: 8, pause: 6, partition: 2, clock: 1 },
    delayMsMax: 2500,
    lengths: { blink: 5, short: 15, lease: 30, long: 50 },
    struck: { master: 80, chunkserver: 20, client: 0 },
    onFiles: 0.95,
  },
  cut: {
    ...USUAL,
    about: 'files are cut while clients read them, with what they know of chunks that lose bytes',
    clients: [5, 6],
    files: [3, 4],
    isKept: true,
    faults: [2, 8],
    onFiles: 0.95,
    truncates: 0.1,
  },
  names: {
    ...USUAL,
    about: 'names change while answers are lost: clients ask again for what has happened',
    clients: [4, 6],
    faults: [8, 16],
    weights: { lossyNetwork: 6, resetConnections: 6, partition: 4, crash: 4, pause: 2 },
    struck: { master: 70, chunkserver: 15, client: 15 },
    onFiles: 0.05,
  },
  slow: {
    ...USUAL,
    about: 'all clients append to one file, on servers whose journals do not keep up',
    durationMs: 40_000,
    chunkservers: [3, 3],
    clients: [6, 7],
    files: [1, 1],
    faults: [8, 16],
    weights: { slowDisk: 10, pause: 1 },
    onFiles: 1,
    hasSmallJournals: true,
  },
  contended: {
    ...USUAL,
    about:
      'all clients work on two files, whose servers lose sight of each other and of the master, not of all clients',
    clients: [5, 6],
    files: [2, 2],
    faults: [8, 16],
    weights: { partition: 8, lossyNetwork: 4, resetConnections: 3, delays: 1, pause: 1 },
    splits: 0.7,
    onFiles: 0.95,
  },
  uploads: {
    ...USUAL,
    about: 'small files are put while the master stalls, waits for its disk or restarts',
    clients: [4, 6],
    faults: [12, 24],
    weights: { pause: 10, slowDisk: 4, crash: 4, powerLoss: 2, partition: 2 },
    struck: { master: 70, chunkserver: 15, client: 15 },
    puts: 0.6,
  },
  load: {
    ...USUAL,
    about: 'more chunks are below their goal than servers repair at once, with all bounds small',
    // Many orders wait, and meanwhile servers come back with copies beside the members.
    chunkservers: [3, 6],
    clients: [6, 10],
    files: [6, 10],
    faults: [8, 18],
    weights: { crash: 8, partition: 8, pause: 2, powerLoss: 1, diskErrors: 4, slowDisk: 4, bitRot: 4, lostDisk: 2 },
    lengths: { blink: 5, short: 15, lease: 30, long: 50 },
    struck: { master: 10, chunkserver: 85, client: 5 },
    splits: 0.1,
    onFiles: 0.9,
    bursts: 20,
    salvos: 0.5,
    load: { standingFiles: [80, 200] },
  },
  words: {
    ...USUAL,
    about: 'servers lose power just when others begin to count on their word, on disks that take their time',
    clients: [4, 6],
    files: [1, 3],
    faults: [12, 20],
    weights: { lastWords: 12, slowDisk: 2, partition: 3, crash: 1, diskErrors: 2 },
    diskSlowness: { chunkservers: [1, 30], master: [1, 150] },
    lengths: { blink: 30, short: 40, lease: 20, long: 10 },
    onFiles: 0.95,
    // Chunks are closed between two bursts, and opened by several at once.
    bursts: 30,
    hasOldReader: true,
  },
  stragglers: {
    ...USUAL,
    about: 'calls arrive when what they are about is over',
    files: [3, 6],
    faults: [12, 24],
    weights: { lateMessage: 14, partition: 2, pause: 2, crash: 3, resetConnections: 1 },
    lengths: { blink: 50, short: 30, lease: 15, long: 5 },
    struck: { master: 15, chunkserver: 80, client: 5 },
    onFiles: 0.95,
    hasOldReader: true,
  },
  outages: {
    ...USUAL,
    about: 'disks of three servers with two each fail or are lost while the other servers are away for long',
    durationMs: 150_000,
    chunkservers: [3, 3],
    files: [2, 4],
    faults: [5, 11],
    weights: { outage: 4, lostDisk: 4, diskErrors: 6, crash: 4 },
    lengths: { blink: 30, short: 50, lease: 15, long: 5 },
    struck: { master: 10, chunkserver: 85, client: 5 },
    onFiles: 1,
    salvos: 0.5,
    hasOldReader: true,
    twoDisks: 1,
  },
  newcomers: {
    ...USUAL,
    about: 'a server comes back with nothing, and is given chunks before it knows its number, again and again',
    chunkservers: [3, 4],
    files: [4, 6],
    faults: [10, 20],
    weights: { lostDisk: 6, lateMessage: 10, crash: 3, resetConnections: 2, partition: 1 },
    lengths: { blink: 50, short: 40, lease: 10, long: 0 },
    struck: { master: 50, chunkserver: 50, client: 0 },
    onFiles: 0.95,
    salvos: 0.5,
    delaysRegistration: true,
    twoDisks: 0,
  },
  copies: {
    ...USUAL,
    about:
      'servers come back with nothing, at the addresses they had, and chunks change while slow disks take copies of them',
    chunkservers: [3, 4],
    clients: [4, 6],
    files: [3, 5],
    isKept: true,
    faults: [6, 14],
    weights: { lostDisk: 8, slowDisk: 3, crash: 3, partition: 2, resetConnections: 1 },
    diskSlowness: { chunkservers: [1, 60], master: [1, 5] },
    lengths: { blink: 50, short: 40, lease: 10, long: 0 },
    struck: { master: 5, chunkserver: 95, client: 0 },
    onFiles: 0.95,
    truncates: 0.15,
    hasOldReader: true,
  },
  rot: {
    ...USUAL,
    about: 'records of journals rot, of the master as well, and are mended later',
    faults: [6, 14],
    weights: { journalRot: 10, crash: 3, powerLoss: 2, slowDisk: 1, bitRot: 1 },
  },
  short: {
    ...USUAL,
    about: '40 operations in 15 s, 1 to 4 faults, 3 or 4 servers: for tests that need many runs rather than long ones',
    operations: 40,
    durationMs: 15_000,
    chunkservers: [3, 4],
    clients: [2, 3],
    faults: [1, 4],
  },
};

/** Behind the name of a profile. */
export const SHORT = '/short';
const SHORT_WORK_DIVISOR = 6;
const SHORT_TIME_DIVISOR = 4;

/** A profile by its name; `NAME/short` is one of the others with schedules a sixth as long, as dense in faults. */
export function profileNamed(name: string): Profile | undefined {
  const isShort = name.endsWith(SHORT);
  const of = isShort ? name.slice(0, -SHORT.length) : name;
  const profile = Object.hasOwn(PROFILES, of) ? PROFILES[of]! : undefined;
  if (!isShort || profile === undefined) return profile;
  return profile === PROFILES.short ? undefined : shortened(profile);
}

/** Many rather than long: what takes more than a few leases to come about does not show. */
function shortened(profile: Profile): Profile {
  const part = (count: number) => Math.ceil(count / SHORT_WORK_DIVISOR);
  const parts = ([low, high]: readonly [number, number]) => [part(low), part(high)] as const;
  const { operations, durationMs, faults, load } = profile;
  return {
    ...profile,
    operations: part(operations),
    durationMs: durationMs / SHORT_TIME_DIVISOR,
    faults: parts(faults),
    ...(load === undefined ? {} : { load: { ...load, standingFiles: parts(load.standingFiles) } }),
  };
}
