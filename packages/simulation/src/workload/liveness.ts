/** Whether operations come to their end in time, and to an end that the faults of the run explain. */
import type { FsError } from '@cairnfs/base';
import { recordBytesMax } from '@cairnfs/protocol';
import type { Violation } from '../checks/violation.ts';
import { CHUNK_BYTES, type PlannedOperation } from '../schedule/schedule.ts';
import type { OperationUnderWay } from './workload-client.ts';

/**
 * After the last fault: leases have run out, servers are back, and a master that waited for one that is lost for good has
 * left safe mode (four times 11 s from its start); from then on everything must work.
 */
const HEALED_MS = 60_000;

/** An operation may outlast its patience by what its process did not run. */
const HANG_MARGIN_MS = 2000;

/** No fault is a reason to show these to a caller. */
const NEVER_TOLD: ReadonlySet<string> = new Set([
  'INTERNAL',
  'BAD_FRAME',
  'UNKNOWN_METHOD',
  'FOREIGN_PROTOCOL',
  'PROTOCOL_MISMATCH',
  'CHUNK_NOT_FOUND',
  'STALE_VERSION',
  'NOT_PRIMARY',
]);

/** What only a fault explains. */
const OF_FAULTS: ReadonlySet<string> = new Set([
  'DEADLINE_EXCEEDED',
  'CONNECTION_REFUSED',
  'CONNECTION_LOST',
  'NO_SPACE',
  'DISK_FAILED',
  'DAMAGED',
]);

/** @param faultsEndMs when the last fault ended. */
export function judgeError(
  { client, what, error, atMs }: { client: string; what: string; error: FsError; atMs: number },
  faultsEndMs: number,
): Violation | undefined {
  const isLate = OF_FAULTS.has(error.kind) && atMs > faultsEndMs + HEALED_MS;
  if (!isLate && !NEVER_TOLD.has(error.kind)) return undefined;
  const when = isLate
    ? Number.isFinite(faultsEndMs)
      ? `${Math.round((atMs - faultsEndMs) / 1000)} s after the last fault`
      : 'in a run without a fault that explains it'
    : 'though no fault explains it';
  return { check: 'late', summary: `${client}: ${what} failed ${when}: ${error.message}`, details: error.stack ?? '' };
}

/** @param runningMs for how long it has run since the last fault. */
export function judgeHang(
  { client, id, operation }: Omit<OperationUnderWay, 'sinceMs'>,
  runningMs: number,
): Violation | undefined {
  const limitMs = patiencesOf(operation) * operation.timeoutMs + HANG_MARGIN_MS;
  if (runningMs <= limitMs) return undefined;
  const what = `operation #${id} (${operation.call.call.kind})`;
  const summary = `${client}: ${what} still runs ${limitMs} ms after it began, or after the last fault`;
  return { check: 'hang', summary, details: `as planned: ${JSON.stringify(operation)}` };
}

/** How often an operation may wait for all of its patience: each call of the SDK has its own, and each piece of its bytes. */
function patiencesOf({ call: { call } }: PlannedOperation): number {
  switch (call.kind) {
    case 'write':
      return OPENING + 2 * chunksOf(call.length); // the chunk's place, then its bytes
    case 'append':
      return OPENING + Math.ceil(call.length / recordBytesMax(CHUNK_BYTES));
    case 'put':
      return PLAN_AND_CONFIRMATION + 2 * chunksOf(call.length); // some more where one is replaced
    case 'read':
      return OPENING + 1;
    default:
      return 1;
  }
}

const OPENING = 1;
const PLAN_AND_CONFIRMATION = 2;

/** So many hold the bytes at the most, wherever they begin. */
function chunksOf(length: number): number {
  return Math.ceil(length / CHUNK_BYTES) + 1;
}
