/**
 * Transitions of one disk's state (docs/spec/chunk-format.md): a record of the journal makes the state, with no clock,
 * no I/O and no knowledge of chunk files, so that a replay gives the same state.
 *
 * Invariants: the block checksums of a replica speak of `summed_length` bytes with every mutation up to
 * `summed_sequence` in them; a mutation above `settled_sequence` is in the state with its bytes, so the chunk's bytes can
 * always be made again: what is in place up to `settled_sequence`, then the mutations above it, in order.
 */

import { afterPrefix, assert, crc32c, FsError, isFsError, type Key } from '@cairnfs/base';
import { decodeMessage, encodeMessage } from '@cairnfs/protocol';
import type { Apply, StateTransaction } from '@cairnfs/storage';
import { QuarantinedReplica, Record, ReplicaState } from '../gen/cairn/chunkserver/v1/store.ts';
import {
  checksumsKey,
  commitPointKey,
  dataKey,
  mutationKey,
  operationKey,
  quarantineDataKey,
  quarantineKey,
  replicaKey,
  sealValue,
} from './keys.ts';
import {
  readChecksums,
  readCommitPoint,
  readData,
  readMutation,
  readMutations,
  readOperation,
  readReplica,
  writeChecksums,
  writeClient,
  writeCommitPoint,
  writeMutation,
  writeOperationEntry,
  writeReplica,
} from './stored-replica.ts';

type RecordKind = NonNullable<Record['kind']>;
type Value<K extends RecordKind['$case']> = Extract<RecordKind, { $case: K }>['value'];

/**
 * The transitions of one disk. A record of a replica whose entries in the index are not what was put there has no effect, and
 * the disk goes on. The replica loses its commit point, without which nothing of it is read: it would be loaded again, and
 * meet the damage again, as long as it lies where only some records come by. In a replay no later record of the replica has an
 * effect either, for those were made when the entries could be read: what they remove or overwrite could be all that shows it.
 *
 * @param options.damaged runs for such a record.
 * @param options.appending the record being appended, which need not be decoded again; undefined in a replay.
 */
export function transitions(options: {
  damaged: (handle: string, error: FsError) => void;
  appending: () => Record | undefined;
}): Apply {
  /** Chunks of which a record of the replay had no effect, until one puts something else in the place of the replica. */
  const behind = new Set<string>();
  return (transaction, bytes, _sequence, data) => {
    const appending = options.appending();
    const { handle, kind } = appending ?? decodeMessage(Record, bytes);
    assert(kind !== undefined, () => `a journal record of chunk ${handle} has no kind`);
    if (REPLACING.has(kind.$case)) behind.delete(handle);
    // Of what is appended somebody waits for the effect: where there can be none, it fails.
    if (appending === undefined && behind.has(handle) && kind.$case !== 'quarantineEnded') return;
    try {
      applyKind({ transaction, handle }, kind, data);
    } catch (error) {
      if (!isFsError(error, 'DAMAGED')) throw error;
      if (appending === undefined) behind.add(handle);
      transaction.remove(commitPointKey(handle));
      options.damaged(handle, error);
    }
  };
}

/** They build on nothing that was there of the replica. */
const REPLACING: ReadonlySet<RecordKind['$case']> = new Set(['cloned', 'quarantined']);

function applyKind(target: Target, kind: RecordKind, data: Uint8Array | undefined): void {
  const { transaction, handle } = target;
  switch (kind.$case) {
    case 'uploadStored':
      uploadStored(target, kind.value, data);
      break;
    case 'created':
      created(target, kind.value);
      break;
    case 'staged':
      staged(target, kind.value, data);
      break;
    case 'committed':
      commit(target, kind.value.committedSequence);
      break;
    case 'promised':
      promised(target, kind.value);
      break;
    case 'viewTaken':
      viewTaken(target, kind.value);
      break;
    case 'sealed':
      change(target, { isSealed: true });
      break;
    case 'cut':
      cut(target, kind.value);
      break;
    case 'summed':
      summed(target, kind.value);
      break;
    case 'settled':
      settled(target, kind.value.sequence);
      break;
    case 'movedToFile':
      movedToFile(target, kind.value);
      break;
    case 'cloned':
      cloned(target, kind.value, data);
      break;
    case 'quarantined':
      quarantined(target, kind.value);
      break;
    case 'quarantineEnded':
      transaction.remove(quarantineKey(kind.value.atMs, handle));
      transaction.remove(quarantineDataKey(kind.value.atMs, handle));
      break;
    case 'corruptFound':
      corruptFound(target, kind.value.block);
      break;
    case 'operationsForgotten':
      for (const operation of kind.value.operations) {
        const key = Buffer.from(operation.buffer, operation.byteOffset, operation.length).toString('latin1');
        transaction.remove(operationKey(handle, '', 0).slice(0, -8) + key);
      }
      for (const client of kind.value.clients) writeClient(transaction, handle, client);
  }
}

interface Target {
  readonly transaction: StateTransaction;
  readonly handle: string;
}

function existing({ transaction, handle }: Target): ReplicaState {
  const replica = readReplica(transaction, handle);
  assert(replica !== undefined, () => `a journal record of chunk ${handle}, which is not here`);
  return replica;
}

function change(target: Target, changes: Partial<ReplicaState>): void {
  writeReplica(target.transaction, target.handle, Object.assign(existing(target), changes));
}

function promised(target: Target, { promisedVersion, isRemoved }: Value<'promised'>): void {
  const before = existing(target);
  const keptVersion = before.isRemoved ? before.keptVersion : Math.max(before.promisedVersion, before.version);
  change(target, { promisedVersion, isRemoved, keptVersion: isRemoved ? keptVersion : 0, isLearner: false });
}

function uploadStored(target: Target, value: Value<'uploadStored'>, data: Uint8Array | undefined): void {
  const { transaction, handle } = target;
  const { version, members, uploadId, length, firstBlock, blockChecksums, isInFile } = value;
  const before = readReplica(transaction, handle);
  if (before !== undefined) readCommitPoint(transaction, handle); // one that is damaged stays so
  const known = before ?? ReplicaState.fromPartial({ version, promisedVersion: version });
  assert(known.summedSequence === 0, () => `an upload to chunk ${handle}, which was mutated`);
  const kept = firstBlock === 0 ? [] : readChecksums(transaction, handle).slice(0, firstBlock);
  assert(kept.length === firstBlock, () => `chunk ${handle}: checksums from block ${firstBlock}, ${kept.length} known`);
  writeReplica(transaction, handle, { ...known, members, uploadId, isInFile, summedLength: length });
  writeCommitPoint(transaction, handle, { sequence: 0, length });
  writeChecksums(transaction, handle, [...kept, ...blockChecksums]);
  if (!isInFile) transaction.put(dataKey(handle), new Uint8Array(data ?? []));
  // A first block that came alone and synced is in the index: it is in the file too now.
  else if (firstBlock > 0 && !known.isInFile) transaction.remove(dataKey(handle));
}

function created({ transaction, handle }: Target, { members }: Value<'created'>): void {
  writeReplica(transaction, handle, ReplicaState.fromPartial({ members }));
  writeCommitPoint(transaction, handle, { sequence: 0, length: 0 });
  writeChecksums(transaction, handle, []);
}

function staged(target: Target, { mutation, committedSequence }: Value<'staged'>, data: Uint8Array | undefined): void {
  const { transaction, handle } = target;
  assert(mutation !== undefined && data !== undefined, () => `chunk ${handle}: a staged mutation without its bytes`);
  commit(target, committedSequence);
  const { sequence, offset, number, client, atMs } = mutation;
  writeMutation(transaction, handle, { mutation, bytes: data });
  if (number === 0) return;
  const owner = Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1');
  const entry = { client: owner, number, sequence, offset, length: data.length, atMs };
  writeOperationEntry(transaction, handle, entry);
}

function commit({ transaction, handle }: Target, sequence: number): void {
  if (sequence <= readCommitPoint(transaction, handle).sequence) return;
  const last = readMutation(transaction, handle, sequence);
  assert(last !== undefined, () => `chunk ${handle}: mutation ${sequence} is committed and was not staged`);
  writeCommitPoint(transaction, handle, { sequence, length: last.mutation.lengthAfter });
}

function viewTaken(target: Target, value: Value<'viewTaken'>): void {
  const { version, term, view, committedSequence, isSealed, keepsStaged } = value;
  commit(target, committedSequence);
  change(target, { version, term, view, isSealed, promisedVersion: version, isRemoved: false, keptVersion: 0 });
  if (keepsStaged) return;
  const { transaction, handle } = target;
  const dropped = [...readMutations(transaction, handle, committedSequence)].map(({ mutation }) => mutation);
  for (const { sequence, client, number } of dropped) {
    transaction.remove(mutationKey(handle, sequence));
    if (number === 0) continue;
    const owner = Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1');
    const key = operationKey(handle, owner, number);
    if (readOperation(transaction, key, handle)?.sequence === sequence) transaction.remove(key);
  }
}

/** In a chunk file the bytes above stay, summed and invisible: mutations cover them, or fill what they skip with zeros. */
function cut(target: Target, { length }: Value<'cut'>): void {
  const { transaction, handle } = target;
  readCommitPoint(transaction, handle); // one that is damaged stays so
  if (existing(target).isInFile) {
    writeCommitPoint(transaction, handle, { sequence: 0, length });
    return;
  }
  const bytes = new Uint8Array(soundData(target).subarray(0, length));
  writeCommitPoint(transaction, handle, { sequence: 0, length });
  change(target, { summedLength: length });
  transaction.put(dataKey(handle), bytes);
  writeChecksums(transaction, handle, bytes.length === 0 ? [] : [crc32c(bytes)]);
}

function summed(target: Target, { sequence, length, blocks, blockChecksums }: Value<'summed'>): void {
  const { transaction, handle } = target;
  commit(target, sequence);
  const checksums = readChecksums(transaction, handle);
  change(target, { summedSequence: sequence, summedLength: length });
  for (const [index, block] of blocks.entries()) checksums[block] = blockChecksums[index]!;
  writeChecksums(transaction, handle, checksums);
}

function settled(target: Target, sequence: number): void {
  const { transaction, handle } = target;
  commit(target, sequence); // the journal may not have been told yet, and its bytes are about to leave the state
  const replica = existing(target);
  if (replica.isInFile) {
    assert(replica.summedSequence >= sequence, () => `chunk ${handle}: settled to ${sequence} before it was summed`);
    change(target, { settledSequence: sequence });
  } else {
    const bytes = patchData(target, replica.settledSequence, sequence);
    const changes = { settledSequence: sequence, summedSequence: sequence, summedLength: bytes.length };
    change(target, changes);
    transaction.put(dataKey(handle), bytes);
    writeChecksums(transaction, handle, bytes.length === 0 ? [] : [crc32c(bytes)]);
  }
  for (let at = replica.settledSequence + 1; at <= sequence; at += 1) transaction.remove(mutationKey(handle, at));
}

/**
 * The value of the index, which gets a new checksum next: a bit that flipped in it must not be summed with it. Valid until
 * the next call on the state.
 *
 * @throws FsError DAMAGED
 */
function soundData({ transaction, handle }: Target): Uint8Array {
  const [checksum] = readChecksums(transaction, handle);
  const bytes = transaction.get(dataKey(handle)) ?? NO_BYTES;
  if (checksum === undefined ? bytes.length === 0 : checksum === crc32c(bytes)) return bytes;
  throw new FsError('DAMAGED', `the bytes of chunk ${handle} in the index do not match their checksum`);
}

/** The value of the index with the mutations above `after` up to `through` in it. */
function patchData(target: Target, after: number, through: number): Uint8Array {
  const { transaction, handle } = target;
  const last = readMutation(transaction, handle, through);
  assert(last !== undefined, () => `chunk ${handle}: mutation ${through} is settled and was not staged`);
  const bytes = new Uint8Array(last.mutation.lengthAfter);
  bytes.set(soundData(target));
  for (let sequence = after + 1; sequence <= through; sequence += 1) {
    const stored = readMutation(transaction, handle, sequence);
    assert(stored !== undefined, () => `chunk ${handle}: mutation ${sequence} is settled and was not staged`);
    bytes.set(stored.bytes, stored.mutation.offset);
  }
  return bytes;
}

function movedToFile(target: Target, { sequence, length, blockChecksums }: Value<'movedToFile'>): void {
  const { transaction, handle } = target;
  commit(target, sequence);
  const { settledSequence } = existing(target);
  const places = { summedSequence: sequence, settledSequence: sequence, summedLength: length };
  change(target, { isInFile: true, ...places });
  writeChecksums(transaction, handle, blockChecksums);
  transaction.remove(dataKey(handle));
  for (let at = settledSequence + 1; at <= sequence; at += 1) transaction.remove(mutationKey(handle, at));
}

function cloned(target: Target, value: Value<'cloned'>, data: Uint8Array | undefined): void {
  const { transaction, handle } = target;
  const { version, length, sequence, blockChecksums, isInFile, operations, clients } = value;
  removeReplica(target);
  const places = { summedSequence: sequence, settledSequence: sequence, summedLength: length };
  const replica = ReplicaState.fromPartial({ version, promisedVersion: version, isLearner: true, isInFile, ...places });
  writeReplica(transaction, handle, replica);
  writeCommitPoint(transaction, handle, { sequence, length });
  writeChecksums(transaction, handle, blockChecksums);
  if (!isInFile) transaction.put(dataKey(handle), new Uint8Array(data ?? []));
  for (const { client, number, result } of operations) {
    assert(result !== undefined, () => `chunk ${handle}: a cloned operation without its result`);
    const owner = Buffer.from(client.buffer, client.byteOffset, client.length).toString('latin1');
    writeOperationEntry(transaction, handle, { client: owner, number, ...result });
  }
  for (const client of clients) writeClient(transaction, handle, client);
}

function quarantined(target: Target, { atMs, reason }: Value<'quarantined'>): void {
  const { transaction, handle } = target;
  const { isInFile, version, length } = asFarAsReadable(target);
  const kept = encodeMessage(QuarantinedReplica, { atMs, reason, isInFile, version, length });
  const key = quarantineKey(atMs, handle);
  transaction.put(key, sealValue(key, kept));
  if (!isInFile) keepData(target, atMs);
  removeReplica(target);
}

/** What cannot be read is not kept. */
function keepData({ transaction, handle }: Target, atMs: number): void {
  try {
    transaction.put(quarantineDataKey(atMs, handle), readData(transaction, handle));
  } catch (error) {
    if (!isFsError(error, 'DAMAGED')) throw error;
  }
}

function corruptFound(target: Target, block: number): void {
  const { corruptBlocks } = existing(target);
  if (!corruptBlocks.includes(block))
    change(target, { corruptBlocks: [...corruptBlocks, block].sort((a, b) => a - b) });
}

/** What is to be removed may be what cannot be read. */
function asFarAsReadable(target: Target): { isInFile: boolean; version: number; length: number } {
  const { transaction, handle } = target;
  try {
    const { isInFile, version } = existing(target);
    return { isInFile, version, length: readCommitPoint(transaction, handle).length };
  } catch (error) {
    if (!isFsError(error, 'DAMAGED')) throw error;
    return { isInFile: !hasData(target), version: 0, length: 0 };
  }
}

function hasData({ transaction, handle }: Target): boolean {
  try {
    return transaction.get(dataKey(handle)) !== undefined;
  } catch (error) {
    if (!isFsError(error, 'DAMAGED')) throw error;
    return true;
  }
}

/** By their keys alone: damaged entries go too. */
function removeReplica({ transaction, handle }: Target): void {
  removePrefix(transaction, operationKey(handle, '', 0).slice(0, -8));
  removePrefix(transaction, mutationKey(handle, 0).slice(0, -8));
  for (const key of [replicaKey, commitPointKey, checksumsKey, dataKey]) transaction.remove(key(handle));
}

const REMOVED_AT_ONCE = 64; // values come along, and one may hold a frame's data

function removePrefix(transaction: StateTransaction, prefix: Key): void {
  const end = afterPrefix(prefix);
  assert(end !== undefined, () => 'a prefix of a replica begins with its kind');
  for (;;) {
    const page = transaction.range(prefix, end, REMOVED_AT_ONCE);
    for (const { key } of page) transaction.remove(key);
    if (page.length < REMOVED_AT_ONCE) return;
  }
}

const NO_BYTES = new Uint8Array(0);
