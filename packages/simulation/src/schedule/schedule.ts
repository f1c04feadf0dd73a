/**
 * What happens in one run, as plain data: the cluster's shape, what each client asks and when, what breaks and when. A
 * run is a pure function of its schedule, so a schedule can be printed, cut down and run again.
 */
import type { ChunkserverBounds } from '@cairnfs/chunkserver';
import type { MasterBounds } from '@cairnfs/master';
import type { FaultPoint, UnsyncedFate } from '@cairnfs/sim';

/** What chunkservers keep free: simulated disks hold a GiB. */
export const RESERVE_BYTES = 1024 * 1024;

/** Bytes of a chunk in simulated clusters: two checksum blocks, so that files of a few hundred KiB have several. */
export const CHUNK_BYTES = 128 * 1024;

export interface Schedule {
  /** Decides all that the schedule leaves open: latencies, torn sectors, the product's own randomness. */
  readonly seed: number;
  readonly profile: string;
  readonly shape: ClusterShape;
  /** Until then operations begin and faults strike, in virtual time from when the cluster serves; then all heals. */
  readonly durationMs: number;
  readonly operations: readonly PlannedOperation[];
  readonly faults: readonly PlannedFault[];
}

export interface ClusterShape {
  readonly chunkservers: number;
  readonly disksPerChunkserver: number;
  readonly clients: number;
  /** Their number; each has one path for the whole run (`filePath`). */
  readonly files: number;
  /** All files but the first begin as one closed chunk, are never replaced, and are mostly read, through handles that are kept. */
  readonly isKept?: boolean;
  /** Disks take so many times their usual time, as long as faults strike. */
  readonly diskSlowness?: { readonly chunkservers: number; readonly master: number };
  /** One more client goes on asking under whatever version anybody was told of (workload/old-reader.ts). */
  readonly hasOldReader?: boolean;
  /** Segments hold little more than the largest record. */
  readonly hasSmallJournals?: boolean;
  /** Their number; each has one folder for the whole run (`subtreePath`). */
  readonly subtrees: number;
  /** Is there more to do than servers do at once? */
  readonly load?: Load;
}

/** What makes repair, recovery and uploads wait for each other. */
export interface Load {
  /** Further files, behind the others, that begin as one small closed chunk each and are seldom used. */
  readonly standingFiles: number;
  /** Disks of chunkservers take so many times their usual time, as long as faults strike. */
  readonly diskSlowness: number;
  /** A chunkserver whose disks go on hardly moving when all faults are over, and whom the others have to do without. */
  readonly sick?: HostName;
  readonly bounds: ServerBounds;
}

/** Those left out are as in production. */
export interface ServerBounds {
  readonly master: Readonly<Partial<MasterBounds>>;
  readonly chunkserver: Readonly<Partial<ChunkserverBounds>>;
}

/** Of all files, those of the load as well. */
export function fileCount({ files, load }: ClusterShape): number {
  return files + (load?.standingFiles ?? 0);
}

export function filePath(file: number): string {
  return `/files/f${file}`;
}

export function subtreePath(subtree: number): string {
  return `/names/s${subtree}`;
}

export interface PlannedOperation {
  /** Consecutive from 1 in a schedule as it was made; stays the same when others are left out. */
  readonly id: number;
  /** A client works through its operations in order, one at a time. */
  readonly client: number;
  /** Not before this time. */
  readonly atMs: number;
  /** How long the SDK may go on trying. */
  readonly timeoutMs: number;
  readonly call: PlannedCall;
}

export type PlannedFileCall =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number }
  | { readonly kind: 'append'; readonly length: number }
  | { readonly kind: 'appendRecord'; readonly length: number }
  | { readonly kind: 'put'; readonly length: number }
  | { readonly kind: 'truncate'; readonly length: number }
  | KeptRead
  | { readonly kind: 'size' };

/** `isKept`: through a handle that the client keeps open from one such read to the next, and with what it has learnt of the chunks. */
interface KeptRead {
  readonly kind: 'read';
  readonly offset: number;
  readonly length: number;
  readonly isKept?: true;
}

/** Paths are relative to the subtree's folder: `/a`, `/d/b`; `''` is the folder itself. */
export type PlannedNameCall =
  | { readonly kind: 'mkdir' | 'create' | 'remove' | 'list' | 'stat' | 'read'; readonly path: string }
  | { readonly kind: 'put'; readonly path: string; readonly length: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string };

export type PlannedCall =
  | { readonly on: 'file'; readonly file: number; readonly call: PlannedFileCall }
  | { readonly on: 'names'; readonly subtree: number; readonly call: PlannedNameCall };

/** A host's name: `master`, `chunkserver-1`, ..., `client-1`, ... */
export type HostName = string;

export interface PlannedFault {
  readonly id: number;
  readonly atMs: number;
  readonly fault: Fault;
}

/** `point`: not at once, but when the process next comes by there. */
export type Fault =
  | {
      readonly kind: 'crash';
      readonly host: HostName;
      readonly unsynced: UnsyncedFate;
      readonly downMs: number;
      readonly point?: FaultPoint;
      /** The how many-th time; the next one where it is left out. */
      readonly pass?: number;
    }
  /**
   * Machines lose power at once, when the first one next waits for its disk; what was not synced is torn. `again`: once
   * more, when that one has waited so many times since it came back, be it to read its journal or with the first records after.
   */
  | {
      readonly kind: 'powerLoss';
      readonly hosts: readonly HostName[];
      readonly downMs: number;
      readonly again?: number;
    }
  | { readonly kind: 'pause'; readonly host: HostName; readonly durationMs: number; readonly point?: FaultPoint }
  | { readonly kind: 'clock'; readonly host: HostName; readonly rate: number; readonly wallOffsetMs: number }
  | {
      readonly kind: 'partition';
      readonly from: readonly HostName[];
      readonly to: readonly HostName[];
      readonly isOneWay: boolean;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'slowLink';
      readonly from: HostName;
      readonly to: HostName;
      readonly extraMs: readonly [low: number, high: number];
      readonly durationMs: number;
    }
  | { readonly kind: 'delays'; readonly latencyMs: readonly [low: number, high: number]; readonly durationMs: number }
  | { readonly kind: 'lossyNetwork'; readonly resetChance: number; readonly durationMs: number }
  | { readonly kind: 'resetConnections'; readonly host: HostName }
  | {
      readonly kind: 'diskErrors';
      readonly host: HostName;
      readonly disk: number;
      readonly operation: 'read' | 'write' | 'sync';
      readonly durationMs: number;
    }
  | { readonly kind: 'diskFull'; readonly host: HostName; readonly freeBytes: number; readonly durationMs: number }
  /** Little is left beside what chunkservers keep free: they work, and take hardly anything more. */
  | { readonly kind: 'littleRoom'; readonly host: HostName; readonly freeBytes: number; readonly durationMs: number }
  | { readonly kind: 'slowDisk'; readonly host: HostName; readonly slowness: number; readonly durationMs: number }
  /** Nothing that is asked of the disk is answered, until the process is started again when it is over. */
  | { readonly kind: 'hangingDisk'; readonly host: HostName; readonly disk: number; readonly durationMs: number }
  /** `choice`, a ratio, picks the chunk file among those there; `bits` of it flip. */
  | { readonly kind: 'bitRot'; readonly host: HostName; readonly choice: number; readonly bits: number }
  /** `choice` picks a record of the journal that the server finds rotten when it starts anew, until somebody has mended it. */
  | {
      readonly kind: 'journalRot';
      readonly host: HostName;
      readonly disk: number;
      readonly choice: number;
      readonly bits: number;
      readonly durationMs: number;
    }
  /**
   * What somebody next sends of that kind, or the `pass`th time that anybody does, takes so much longer, with all behind it on
   * its connection. Other connections, also between the same two, do not wait: so it arrives when what it is about is over.
   * `downMs`: its sender ends as soon as it is on its way, and is started again so much later.
   */
  | {
      readonly kind: 'lateMessage';
      readonly message: MessageKind;
      readonly pass: number;
      readonly extraMs: number;
      readonly downMs?: number;
    }
  /** When somebody next sends such a message, or the `pass`th time, one of those it is about loses power so soon after: it is on its way. */
  | {
      readonly kind: 'lastWords';
      readonly of: 'sender' | 'receiver' | 'master';
      readonly message: MessageKind;
      readonly pass: number;
      readonly afterMs: number;
      readonly downMs: number;
    }
  /** Several servers are down at once, for longer than anybody waits for them. */
  | { readonly kind: 'outage'; readonly hosts: readonly HostName[]; readonly downMs: number }
  /** The machine loses power and comes back with an empty disk. */
  | { readonly kind: 'lostDisk'; readonly host: HostName; readonly disk: number; readonly downMs: number };

/** A call of that method, or the answer to one, whatever that says. */
export interface MessageKind {
  readonly method: string;
  readonly isAnswer: boolean;
}

export type FaultKind = Fault['kind'];

/** No fault but servers short of room, as many as leave enough others: whatever is asked for is done all the same. */
export function isUndisturbed({ faults }: Pick<Schedule, 'faults'>): boolean {
  return faults.every(({ fault: { kind } }) => kind === 'littleRoom');
}
