/**
 * The records of the operation log: the name of the operation and the changed keys with their new values, so applying one
 * is nothing but writing them. One being appended is applied as it is, one of a replay is decoded first.
 */
import { bytesToKey, type Key, keyToBytes } from '@cairnfs/base';
import { decodeMessage, encodeMessage, MasterMethods } from '@cairnfs/protocol';
import type { Ledger, StateTransaction } from '@cairnfs/storage';
import { LogRecord } from './gen/cairn/master/v1/state.ts';

/**
 * Operations that a full disk still takes, from the journal's reserve: what deletes, what cutting a file needs of the views
 * of its chunks, and what a start needs so that there is a cluster to delete in.
 */
const TAKEN_WHEN_FULL: ReadonlySet<string> = new Set([
  MasterMethods.delete.name,
  ...['expireTrash', 'reclaim', 'forgetOperations', 'garbageCollected', 'abortUpload', 'abandonUpload'],
  ...['truncate', 'releaseLeases', 'chunkSealed', 'chunkClosed', 'viewPending', 'membersBehind'],
  ...['viewConfirmed', 'beginIncarnation', 'serverRegistered', 'serverReadmitted', 'serverForgotten'],
]);

type Changes = ReadonlyMap<Key, Uint8Array | undefined>;

export class LogRecords {
  #appending: Changes | undefined;

  /** The ledger's transition. */
  readonly apply = (state: StateTransaction, record: Uint8Array): void => {
    for (const [key, value] of this.#appending ?? decodeChanges(record)) {
      if (value === undefined) state.remove(key);
      else state.put(key, value);
    }
  };

  /** @returns the record's sequence number. @throws FsError as `Ledger.append` */
  append(ledger: Ledger, operation: string, changes: Changes): number {
    const record: LogRecord = { operation, changes: [] };
    for (const [key, value] of changes) record.changes.push({ key: keyToBytes(key), value });
    const encoded = encodeMessage(LogRecord, record);
    this.#appending = changes;
    try {
      return ledger.append(encoded, undefined, TAKEN_WHEN_FULL.has(operation) ? 'reserve' : 'common');
    } finally {
      this.#appending = undefined;
    }
  }
}

function* decodeChanges(record: Uint8Array): Generator<[Key, Uint8Array | undefined]> {
  for (const { key, value } of decodeMessage(LogRecord, record).changes) yield [bytesToKey(key), value];
}
