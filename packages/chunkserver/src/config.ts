/** What a chunkserver is told at its start. */
import { type Address, MiB } from '@cairnfs/base';
import { DISK_TIMEOUT_MS, type JournalSizing } from '@cairnfs/storage';
import { CHUNKSERVER_BOUNDS, type ChunkserverBounds } from './bounds.ts';

export interface ChunkserverConfig {
  /** Where it listens; port 0 picks a free one. */
  readonly listen: Address;
  /** What clients and other servers are told; the address listened at when absent. */
  readonly advertise?: Address;
  /** Any of them may lead. */
  readonly masters: readonly Address[];
  /** One folder for each disk. */
  readonly disks: readonly string[];
  /** Most bytes of chunks to hold on each disk; absent: what the disk holds. */
  readonly capacityBytes?: number;
  /** Names of what fails together: copies are spread over them. */
  readonly host: string;
  readonly rack: string;
  /** How long a replica nobody needs is kept aside before it is deleted. */
  readonly quarantineGraceMs: number;
  /** How long an operation of a disk may take; then the disk is given up. */
  readonly diskTimeoutMs: number;
  /** Sizes of each disk's journal files. @default {16 MiB segments} */
  readonly journal?: JournalSizing | undefined;
  /** Kept free on each disk, so that journal and deletion work on a full one. */
  readonly reserveBytes: number;
  readonly bounds: ChunkserverBounds;
}

export const CHUNKSERVER_DEFAULTS = {
  rack: 'default',
  quarantineGraceMs: 24 * 60 * 60 * 1000,
  diskTimeoutMs: DISK_TIMEOUT_MS,
  reserveBytes: 256 * MiB, // the journal's segments, 128 MiB of state still to be folded, and as much again
  bounds: CHUNKSERVER_BOUNDS,
} as const;
