/**
 * The operation table of the namespace: a retried operation is answered with its first result instead of being applied
 * again (docs/protocol.md, "Exactly once"). Refusals change nothing and are judged anew.
 *
 * For each client: a header under number 0, and one entry for each result not yet forgotten. What is forgotten (settled at
 * the client, older than `OPERATION_MEMORY_MS`, or of the lowest numbers where there are `OPERATION_WINDOW`) raises the header's
 * `forgottenBelow`, so an operation whose result is gone is refused and never applied a second time.
 */
import { assert, FsError } from '@cairnfs/base';
import {
  type Codec,
  decodeMessage,
  encodeMessage,
  OPERATION_MEMORY_MS,
  OPERATION_WINDOW,
  type OperationId,
} from '@cairnfs/protocol';
import { OperationHeader, OperationResult } from '../gen/cairn/master/v1/state.ts';
import {
  OPERATION_CLIENT_BYTES,
  OPERATION_HEADER_KEPT_MS,
  OPERATIONS_PRUNED_AT,
  OPERATIONS_SWEPT_STEP,
} from '../limits.ts';
import {
  allOperationsRange,
  headerOfOperationKey,
  numberOfOperationKey,
  operationKey,
  operationRange,
} from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';

export interface OnceOptions<S> {
  readonly operation: OperationId | undefined;
  /** Number of the method: a client that reuses an operation number is told. */
  readonly method: number;
  readonly reply: Codec<S>;
  /** Of the master's process calendar. */
  readonly atMs: number;
}

/** Decides, or answers what was decided when the same operation came first. */
export function once<S>(transaction: Transaction, options: OnceOptions<S>, decide: () => S): S {
  const earlier = recall(transaction, options);
  if (earlier !== undefined) return earlier;
  const result = decide();
  remember(transaction, options, result);
  return result;
}

/**
 * The result of an operation that was applied before.
 *
 * @throws FsError OUTCOME_EXPIRED  it may have been applied, and its result is forgotten.
 */
export function recall<S>(transaction: Transaction, { operation, method, reply }: OnceOptions<S>): S | undefined {
  if (operation === undefined || operation.number === 0) return undefined;
  const { client, number } = operation;
  if (client.length !== OPERATION_CLIENT_BYTES) {
    const message = `an operation's client is ${OPERATION_CLIENT_BYTES} bytes, not ${client.length}`;
    throw new FsError('INVALID_ARGUMENT', message);
  }
  const { forgottenBelow, highestNumber } = headerOf(transaction, client);
  if (number > highestNumber) return undefined;
  const entry = transaction.get(operationKey(client, number));
  if (entry !== undefined) {
    // Decoded bytes point into the entry, which the store only lends.
    const earlier = decodeMessage(OperationResult, new Uint8Array(entry));
    if (earlier.method === method) return reply.decode(earlier.reply);
    throw new FsError(
      'INVALID_ARGUMENT',
      `operation ${number} of this client was another call: numbers are not reused`,
    );
  }
  if (number >= forgottenBelow) return undefined;
  const message = `operation ${number} comes too late: its result, if there was one, is forgotten, and it is not applied again`;
  throw new FsError('OUTCOME_EXPIRED', message, { details: { number, forgottenBelow } });
}

/** Keeps the result for retries. The operation must not have one yet. */
export function remember<S>(transaction: Transaction, options: OnceOptions<S>, result: S): void {
  const { operation, method, reply, atMs } = options;
  if (operation === undefined || operation.number === 0) return;
  const { client, number } = operation;
  const entry = { method, reply: encodeMessage(reply, result), atMs };
  const header = headerOf(transaction, client);
  const settledBelow = Math.min(operation.settledBelow, number);
  if (settledBelow >= header.forgottenBelow + OPERATIONS_PRUNED_AT) {
    forget(transaction, client, header, { below: settledBelow, limit: OPERATIONS_SWEPT_STEP });
  }
  if (header.count >= OPERATION_WINDOW) {
    const limit = header.count - OPERATION_WINDOW + OPERATIONS_PRUNED_AT;
    forget(transaction, client, header, { below: Number.MAX_SAFE_INTEGER, limit });
  }
  header.count += 1;
  header.atMs = Math.max(header.atMs, atMs);
  header.highestNumber = Math.max(header.highestNumber, number);
  transaction.put(operationKey(client, number), encodeMessage(OperationResult, entry));
  transaction.put(operationKey(client, 0), encodeMessage(OperationHeader, header));
}

/**
 * Forgets what is old, one step at a time. Answers where to go on; empty at the end.
 *
 * @param ageMs how old is what was written down then, at least: a calendar that is set makes nothing older.
 */
export function sweepOperations(transaction: Transaction, cursor: string, ageMs: (atMs: number) => number): string {
  const start = cursor === '' ? allOperationsRange.start : `${cursor}\0`;
  const entries = transaction.range({ start, end: allOperationsRange.end }, OPERATIONS_SWEPT_STEP);
  for (const { key, value } of entries) {
    const number = numberOfOperationKey(key);
    if (number === 0) {
      const { count, atMs } = decodeMessage(OperationHeader, value);
      if (count === 0 && ageMs(atMs) > OPERATION_HEADER_KEPT_MS) transaction.remove(key);
    } else if (ageMs(decodeMessage(OperationResult, value).atMs) > OPERATION_MEMORY_MS) {
      const headerKey = headerOfOperationKey(key);
      const header = decodeMessage(OperationHeader, transaction.get(headerKey)!);
      drop(transaction, key, header);
      transaction.put(headerKey, encodeMessage(OperationHeader, header));
    }
  }
  return entries.length < OPERATIONS_SWEPT_STEP ? '' : entries.at(-1)!.key;
}

function headerOf(transaction: Transaction, client: Uint8Array): OperationHeader {
  const value = transaction.get(operationKey(client, 0));
  return value === undefined
    ? { forgottenBelow: 0, count: 0, atMs: 0, highestNumber: 0 }
    : decodeMessage(OperationHeader, value);
}

/** Forgets the lowest numbers, at most `limit` of them. Changes `header`. What lies below it already goes by its age. */
function forget(
  transaction: Transaction,
  client: Uint8Array,
  header: OperationHeader,
  { below, limit }: { below: number; limit: number },
): void {
  const entries = transaction.range(operationRange(client, { from: header.forgottenBelow, below }), limit);
  for (const { key } of entries) drop(transaction, key, header);
  if (entries.length < limit && below < Number.MAX_SAFE_INTEGER) {
    header.forgottenBelow = Math.max(header.forgottenBelow, below);
  }
}

function drop(transaction: Transaction, key: string, header: OperationHeader): void {
  assert(header.count > 0, () => `an operation table of no results has number ${numberOfOperationKey(key)}`);
  transaction.remove(key);
  header.count -= 1;
  header.forgottenBelow = Math.max(header.forgottenBelow, numberOfOperationKey(key) + 1);
}
