/**
 * How much of each kind may be held, or under way, at once. Simulations reach these bounds with a few hundred chunks by
 * making them small; servers run with those of limits.ts, where the reasons for the numbers are.
 */
import { SERVER_ANSWER_BYTES_MAX } from '@cairnfs/protocol';
import {
  CHANGES_MAX,
  CHANGES_PER_HEARTBEAT_MAX,
  CLONES_MAX,
  INVENTORY_PART_MAX,
  REPLICAS_CACHED_MAX,
  UPLOADS_MAX,
} from './limits.ts';

export interface ChunkserverBounds {
  /** Replicas held in memory beside those at work. */
  readonly replicasCachedMax: number;
  readonly uploadsMax: number;
  /** Clones received at a time. */
  readonly clonesMax: number;
  /** Changes that wait for a heartbeat, and those that one takes. */
  readonly changesMax: number;
  readonly changesPerHeartbeatMax: number;
  /** Replicas in one part of an inventory. */
  readonly inventoryPartMax: number;
  /** Memory that answers hold until they have left; one alone may hold more. */
  readonly answerBytesMax: number;
}

export const CHUNKSERVER_BOUNDS: ChunkserverBounds = {
  replicasCachedMax: REPLICAS_CACHED_MAX,
  uploadsMax: UPLOADS_MAX,
  clonesMax: CLONES_MAX,
  changesMax: CHANGES_MAX,
  changesPerHeartbeatMax: CHANGES_PER_HEARTBEAT_MAX,
  inventoryPartMax: INVENTORY_PART_MAX,
  answerBytesMax: SERVER_ANSWER_BYTES_MAX,
};
