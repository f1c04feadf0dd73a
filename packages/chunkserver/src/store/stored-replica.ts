/** Reading and writing one replica's entries in a disk's state. Shared by transitions and by loading. */

import { assert, FsError, getU32LE, type Key, keyToU64, putU32LE } from '@cairnfs/base';
import type { Codec } from '@cairnfs/protocol';
import { decodeMessage, encodeMessage } from '@cairnfs/protocol';
import type { Ledger, StateTransaction, StateView } from '@cairnfs/storage';
import { ReplicaState, StoredClient, StoredMutation, StoredOperation } from '../gen/cairn/chunkserver/v1/store.ts';
import type { ClientWindow, OperationEntry, StoredOperations } from '../mutation/operation-table.ts';
import {
  type CommitPoint,
  checksumsKey,
  commitPointKey,
  dataKey,
  decodeChecksums,
  decodeCommitPoint,
  encodeChecksums,
  encodeCommitPoint,
  mutationKey,
  openValue,
  operationKey,
  replicaKey,
  sealValue,
} from './keys.ts';

const PAGE = 1_024;

export interface StoredBytes {
  readonly mutation: StoredMutation;
  /** Valid until the next call on the state: copy what must live on. */
  readonly bytes: Uint8Array;
}

export function readReplica(state: StateView, handle: string): ReplicaState | undefined {
  return readMessage(state, replicaKey(handle), ReplicaState, handle);
}

export function writeReplica(transaction: StateTransaction, handle: string, replica: ReplicaState): void {
  const key = replicaKey(handle);
  transaction.put(key, sealValue(key, encodeMessage(ReplicaState, replica)));
}

/** @throws FsError DAMAGED  also when the replica is there and its commit point is not: it is never guessed to be empty. */
export function readCommitPoint(state: StateView, handle: string): CommitPoint {
  const key = commitPointKey(handle);
  return decodeCommitPoint(key, required(state, key, handle), handle);
}

export function writeCommitPoint(transaction: StateTransaction, handle: string, point: CommitPoint): void {
  const key = commitPointKey(handle);
  transaction.put(key, encodeCommitPoint(key, point));
}

/** @throws FsError DAMAGED */
export function readChecksums(state: StateView, handle: string): number[] {
  const key = checksumsKey(handle);
  return decodeChecksums(key, required(state, key, handle), handle);
}

export function writeChecksums(transaction: StateTransaction, handle: string, checksums: readonly number[]): void {
  const key = checksumsKey(handle);
  transaction.put(key, encodeChecksums(key, checksums));
}

/**
 * The value of a chunk in the index, in memory of its own; its block checksum protects it.
 *
 * @throws FsError DAMAGED  where it lies cannot be told.
 */
export function readData(state: StateView, handle: string): Uint8Array {
  const value = state.get(dataKey(handle));
  return new Uint8Array(value ?? []); // a copy; the `slice` of a Buffer would be the same memory
}

/**
 * The value of a chunk in the index; while the disk is slow others have their turn before it comes, and it may be any bytes
 * when it was written meanwhile.
 */
export function loadData(ledger: Ledger, handle: string): ReturnType<Ledger['load']> {
  return ledger.load(dataKey(handle));
}

/** Copies the value from `start` on into `target`, as far as it fits. @returns the bytes copied. */
export function copyData(value: Uint8Array | undefined, start: number, target: Uint8Array): number {
  if (value === undefined || value.length <= start) return 0;
  const end = Math.min(value.length, start + target.length);
  target.set(value.subarray(start, end));
  return end - start;
}

/** `u32le` length of the message, the message, the bytes, and the checksum. */
export function writeMutation(transaction: StateTransaction, handle: string, { mutation, bytes }: StoredBytes): void {
  const key = mutationKey(handle, mutation.sequence);
  const message = encodeMessage(StoredMutation, mutation);
  const head = new Uint8Array(4 + message.length);
  putU32LE(head, 0, message.length);
  head.set(message, 4);
  transaction.put(key, sealValue(key, head, bytes));
}

function decodeMutation(key: Key, sealed: Uint8Array, handle: string): StoredBytes {
  const body = openValue(key, sealed, `a mutation of chunk ${handle}`);
  const end = 4 + getU32LE(body, 0);
  return { mutation: decodeMessage(StoredMutation, body.subarray(4, end)), bytes: body.subarray(end) };
}

export function readMutation(state: StateView, handle: string, sequence: number): StoredBytes | undefined {
  const key = mutationKey(handle, sequence);
  const value = state.get(key);
  return value === undefined ? undefined : decodeMutation(key, value, handle);
}

/** Mutations above `after`, in order; `bytes` is memory of its own. */
export function* readMutations(state: StateView, handle: string, after: number): Generator<StoredBytes> {
  const end = mutationKey(handle, Number.MAX_SAFE_INTEGER);
  // Each may hold a whole frame of data, so they come in small pages.
  for (let start = mutationKey(handle, after + 1); ; ) {
    const page = state.range(start, end, 64);
    for (const { key, value } of page) yield decodeMutation(key, value, handle);
    if (page.length < 64) return;
    start = `${page.at(-1)!.key}\0`;
  }
}

export function readOperations(state: StateView, handle: string): StoredOperations {
  const prefix = operationKey(handle, '', 0).slice(0, 17);
  const end = `${prefix}${'\xff'.repeat(24)}\xff`;
  const entries: OperationEntry[] = [];
  const windows: ClientWindow[] = [];
  for (let start = prefix; ; ) {
    const page = state.range(start, end, PAGE);
    for (const { key, value } of page) {
      const client = key.slice(17, 33);
      const number = keyToU64(key, 33);
      if (number === 0) windows.push(decodeClient(key, value, handle));
      else {
        const { sequence, offset, length, atMs } = decodeOperation(key, value, handle);
        entries.push({ client, number, sequence, offset, length, atMs });
      }
    }
    if (page.length < PAGE) return { entries, windows };
    start = `${page.at(-1)!.key}\0`;
  }
}

function decodeClient(key: Key, value: Uint8Array, handle: string): ClientWindow {
  const what = `a client of chunk ${handle}`;
  return clientWindow(decodeMessage(StoredClient, openValue(key, value, what)));
}

/** In memory of its own. */
function clientWindow({ client, forgottenBelow, atMs }: StoredClient): ClientWindow {
  const owner = Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1');
  return { client: owner, forgottenBelow, atMs };
}

/** Under operation number 0, which no operation has. */
export function writeClient(transaction: StateTransaction, handle: string, stored: StoredClient): void {
  const key = operationKey(handle, clientWindow(stored).client, 0);
  transaction.put(key, sealValue(key, encodeMessage(StoredClient, stored)));
}

export function readOperation(state: StateView, key: Key, handle: string): StoredOperation | undefined {
  const value = state.get(key);
  return value === undefined ? undefined : decodeOperation(key, value, handle);
}

function decodeOperation(key: Key, value: Uint8Array, handle: string): StoredOperation {
  return decodeMessage(StoredOperation, openValue(key, value, `an operation of chunk ${handle}`));
}

export function writeOperationEntry(transaction: StateTransaction, handle: string, entry: OperationEntry): void {
  const { client, number, sequence, offset, length, atMs } = entry;
  const value = encodeMessage(StoredOperation, { sequence, offset, length, atMs });
  const key = operationKey(handle, client, number);
  transaction.put(key, sealValue(key, value));
}

function required(state: StateView, key: Key, handle: string): Uint8Array {
  const value = state.get(key);
  if (value !== undefined) return value;
  assert(state.get(replicaKey(handle)) !== undefined, () => `chunk ${handle} is not here`);
  throw new FsError('DAMAGED', `an entry of chunk ${handle} is missing from the index; the replica is not served`);
}

function readMessage<T>(state: StateView, key: Key, codec: Codec<T>, handle: string): T | undefined {
  const value = state.get(key);
  return value === undefined ? undefined : codec.decode(openValue(key, value, `chunk ${handle}`));
}
