/**
 * How much of each kind of work may be under way, or wait, at once. Simulations reach these bounds with a few hundred
 * chunks by making them small; clusters run with those of limits.ts, where the reasons for the numbers are.
 */
import { SERVER_ANSWER_BYTES_MAX } from '@cairnfs/protocol';
import {
  CLONES_AT_ONCE,
  CLONES_BEGUN_AT_ONCE,
  CLONES_PER_SERVER,
  DEPARTURES_AT_ONCE,
  DEPARTURES_LISTED_MAX,
  EXCEPTIONS_MAX,
  FENCES_WAITING_MAX,
  GARBAGE_AWAITED_MAX,
  GARBAGE_STEP,
  INVENTORY_COMPARED_AT_ONCE,
  QUARANTINE_LOOKED_AT_MAX,
  QUARANTINE_ORDERS_MAX,
  QUARANTINE_QUEUE_MAX,
  RECOVERED_AT_ONCE,
  RECOVERY_STEP,
  REPAIR_QUEUE_MAX,
  REPAIR_SCAN_STEP,
  RETIRED_AT_ONCE,
  UNSHOWN_STEP,
  UPLOADS_MAX,
  UPLOADS_WITH_SPARES_MAX,
} from './limits.ts';

export interface MasterBounds {
  /** Copies under way in a cluster of few servers, as source and target of one server, and begun in one event. */
  readonly clonesAtOnce: number;
  readonly clonesPerServer: number;
  readonly clonesBegunAtOnce: number;
  /** Chunks that wait for repair, and keys looked at in one step to find them. */
  readonly repairQueueMax: number;
  readonly repairScanStep: number;
  /** Replicas of one server that are known to be wrong, and as many that it did not show. */
  readonly exceptionsMax: number;
  /** Orders to quarantine: of one heartbeat's answer, looked at for it, and waiting for one server. */
  readonly quarantineOrdersMax: number;
  readonly quarantineLookedAtMax: number;
  readonly quarantineQueueMax: number;
  /** What a server missed of views: told at once, listed, and awaited while it shows its inventory. */
  readonly departuresAtOnce: number;
  readonly departuresListedMax: number;
  readonly fencesWaitingMax: number;
  /** Chunks recovered at once, and looked at in one step. */
  readonly recoveredAtOnce: number;
  readonly recoveryStep: number;
  readonly retiredAtOnce: number;
  /** Garbage looked at in one step, and of which is kept who has put it away. */
  readonly garbageStep: number;
  readonly garbageAwaitedMax: number;
  readonly unshownStep: number;
  readonly inventoryComparedAtOnce: number;
  /** Uploads under way, and those up to which spare ones are begun. */
  readonly uploadsMax: number;
  readonly uploadsWithSparesMax: number;
  /** Memory that answers hold until they have left; one alone may hold more. */
  readonly answerBytesMax: number;
}

export const MASTER_BOUNDS: MasterBounds = {
  clonesAtOnce: CLONES_AT_ONCE,
  clonesPerServer: CLONES_PER_SERVER,
  clonesBegunAtOnce: CLONES_BEGUN_AT_ONCE,
  repairQueueMax: REPAIR_QUEUE_MAX,
  repairScanStep: REPAIR_SCAN_STEP,
  exceptionsMax: EXCEPTIONS_MAX,
  quarantineOrdersMax: QUARANTINE_ORDERS_MAX,
  quarantineLookedAtMax: QUARANTINE_LOOKED_AT_MAX,
  quarantineQueueMax: QUARANTINE_QUEUE_MAX,
  departuresAtOnce: DEPARTURES_AT_ONCE,
  departuresListedMax: DEPARTURES_LISTED_MAX,
  fencesWaitingMax: FENCES_WAITING_MAX,
  recoveredAtOnce: RECOVERED_AT_ONCE,
  recoveryStep: RECOVERY_STEP,
  retiredAtOnce: RETIRED_AT_ONCE,
  garbageStep: GARBAGE_STEP,
  garbageAwaitedMax: GARBAGE_AWAITED_MAX,
  unshownStep: UNSHOWN_STEP,
  inventoryComparedAtOnce: INVENTORY_COMPARED_AT_ONCE,
  uploadsMax: UPLOADS_MAX,
  uploadsWithSparesMax: UPLOADS_WITH_SPARES_MAX,
  answerBytesMax: SERVER_ANSWER_BYTES_MAX,
};
