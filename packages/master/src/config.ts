/** What a master can be told. The command line validates the values; these are the defaults and their meaning. */
import type { Address } from '@cairnfs/base';
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { DISK_TIMEOUT_MS, type JournalSizing } from '@cairnfs/storage';
import { MASTER_BOUNDS, type MasterBounds } from './bounds.ts';

export interface MasterConfig {
  /** Where clients and chunkservers reach it. */
  readonly listen: Address;
  /** Holds journal, state and lock; no other process uses it. */
  readonly directory: string;
  /** The largest chunk. Fixed by the cluster's first start: a later one with another value is refused. */
  readonly chunkBytes: number;
  /** Copies of files that do not say otherwise. */
  readonly replication: number;
  /** Copies that must be durable before anything is acknowledged; for files with fewer copies, all of them. */
  readonly minimumCopies: number;
  readonly selector: 'spread' | 'random';
  readonly heartbeatIntervalMs: number;
  /** A chunkserver's right to serve, from when it sent the heartbeat. */
  readonly serverLeaseMs: number;
  /** What the master adds when it counts that lease, for clocks that drift apart. */
  readonly leaseMarginMs: number;
  readonly chunkLeaseMs: number;
  /** Silence after which a chunkserver's copies are replaced elsewhere; at least lease and margin. */
  readonly deadAfterMs: number;
  /** An upload silent for so long is abandoned. */
  readonly uploadLeaseMs: number;
  /** How long deleted files stay in /.trash. */
  readonly trashKeepMs: number;
  /** How long chunks that no file needs stay readable to those who read the old file. */
  readonly garbageGraceMs: number;
  /** In safe mode at least this long, unless every known chunkserver has reported. */
  readonly safeModeMs: number;
  /** The part of the known chunkservers that must have reported. */
  readonly safeModeRatio: number;
  /** How long an operation of the disk may take; then the process ends. */
  readonly diskTimeoutMs: number;
  readonly softwareVersion: string;
  readonly bounds: MasterBounds;
  /** Sizes of the journal's files. @default {16 MiB segments} */
  readonly journal?: JournalSizing | undefined;
}

export const MASTER_DEFAULTS = {
  listen: '127.0.0.1:9000',
  chunkBytes: CHUNK_BYTES_MAX,
  replication: 3,
  minimumCopies: 2,
  selector: 'spread',
  heartbeatIntervalMs: 1000,
  serverLeaseMs: 10_000,
  leaseMarginMs: 1000,
  chunkLeaseMs: 60_000,
  deadAfterMs: 11_000,
  uploadLeaseMs: 60_000,
  trashKeepMs: 3 * 24 * 3_600_000,
  garbageGraceMs: 600_000,
  safeModeMs: 15_000,
  safeModeRatio: 0.9,
  diskTimeoutMs: DISK_TIMEOUT_MS,
  softwareVersion: '0.1.0',
  bounds: MASTER_BOUNDS,
} as const satisfies Omit<MasterConfig, 'directory'>;

/** Acknowledge nothing with fewer copies of a chunk with this goal. */
export function minimumOf(config: Pick<MasterConfig, 'minimumCopies'>, goal: number): number {
  return Math.min(config.minimumCopies, goal);
}
