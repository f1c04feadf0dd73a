/**
 * The operation table of the namespace: a retried operation is answered with its first result instead of being applied
 * again (docs/protocol.md, "Exactly once"). Refusals change nothing and are judged anew.
 *
 * For each client: one header under number 0 (everything below its number is settled and forgotten), and one entry for
 * each operation not yet forgotten. An operation below the header comes too late: it was settled by a retry.
 */
import { bytesToKey, FsError, keyToBytes, keyToU64, u64ToKey } from '@cairnfs/base';
import { type Codec, OPERATION_MEMORY_MS, type OperationId } from '@cairnfs/protocol';
import { OperationResult } from '../gen/cairn/master/v1/state.ts';
import { OPERATION_CLIENT_BYTES, OPERATIONS_PRUNED_AT, OPERATIONS_SWEPT_STEP } from '../limits.ts';
import { allOperationsRange, numberOfOperationKey, operationKey, operationRange } from '../state/keys.ts';
import type { Transaction } from '../state/transaction.ts';

export interface OnceOptions<S> {
  readonly operation: OperationId | undefined;
  /** Number of the method: a client that reuses an operation number is told. */
  readonly method: number;
  readonly reply: Codec<S>;
  readonly wallMs: number;
}

/** Decides, or answers what was decided when the same operation came first. */
export function once<S>(transaction: Transaction, options: OnceOptions<S>, decide: () => S): S {
  const { operation, method, reply, wallMs } = options;
  if (operation === undefined || operation.number === 0) return decide();
  const { client, number } = operation;
  if (client.length !== OPERATION_CLIENT_BYTES) {
    const message = `an operation's client is ${OPERATION_CLIENT_BYTES} bytes, not ${client.length}`;
    throw new FsError('INVALID_ARGUMENT', message);
  }
  const key = operationKey(client, number);
  const entry = transaction.get(key);
  if (entry !== undefined) {
    const earlier = OperationResult.decode(entry);
    if (earlier.method === method) return reply.decode(earlier.reply);
    throw new FsError(
      'INVALID_ARGUMENT',
      `operation ${number} of this client was another call: numbers are not reused`,
    );
  }
  const settledBelow = header(transaction, client);
  if (number < settledBelow) {
    const message = `operation ${number} was settled before and its result is forgotten: it is not applied again`;
    throw new FsError('OUTCOME_EXPIRED', message, { details: { number, settledBelow } });
  }
  const result = decide();
  transaction.put(key, OperationResult.encode({ method, reply: reply.encode(result).finish(), atMs: wallMs }).finish());
  const settled = Math.min(operation.settledBelow, number);
  if (settled >= settledBelow + OPERATIONS_PRUNED_AT) forgetBelow(transaction, client, settled);
  return result;
}

/** Forgets entries of clients that are long gone. Answers where to go on; empty at the end. */
export function sweepOperations(transaction: Transaction, cursor: string, wallMs: number): string {
  const start = cursor === '' ? allOperationsRange.start : `${cursor}\0`;
  const entries = transaction.range({ start, end: allOperationsRange.end }, OPERATIONS_SWEPT_STEP);
  for (const { key, value } of entries) {
    if (numberOfOperationKey(key) === 0) continue;
    if (OperationResult.decode(value).atMs + OPERATION_MEMORY_MS < wallMs) transaction.remove(key);
  }
  return entries.length < OPERATIONS_SWEPT_STEP ? '' : entries.at(-1)!.key;
}

function header(transaction: Transaction, client: Uint8Array): number {
  const value = transaction.get(operationKey(client, 0));
  return value === undefined ? 0 : keyToU64(bytesToKey(value));
}

function forgetBelow(transaction: Transaction, client: Uint8Array, number: number): void {
  const entries = transaction.range(operationRange(client, number), OPERATIONS_SWEPT_STEP);
  const isAll = entries.length < OPERATIONS_SWEPT_STEP;
  for (const { key } of entries) if (numberOfOperationKey(key) !== 0) transaction.remove(key);
  const below = isAll ? number : numberOfOperationKey(entries.at(-1)!.key) + 1;
  transaction.put(operationKey(client, 0), keyToBytes(u64ToKey(below)));
}
