/**
 * The loop between handlers and the operation log: a handler decides on a transaction, what it wrote becomes one record,
 * and its answer leaves when all it wrote and all it saw is durable (design: docs/architecture.md, "One shape").
 */
import { bytesToKey, keyToBytes } from '@cairnfs/base';
import type { Ledger, StateTransaction } from '@cairnfs/storage';
import type { Decisions } from './context.ts';
import { LogRecord } from './gen/cairn/master/v1/state.ts';
import { StateCache } from './state/state-cache.ts';
import { Transaction } from './state/transaction.ts';

export class LedgerDecisions implements Decisions {
  readonly #ledger: Ledger;
  readonly #cache = new StateCache();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  read(): Transaction {
    return new Transaction(this.#ledger.view(), this.#cache);
  }

  settled(transaction: Transaction): Promise<void> | undefined {
    const sequence = transaction.readSequence;
    return sequence <= this.#ledger.durableSequence ? undefined : this.#ledger.whenDurable(sequence);
  }

  async perform<T>(operation: string, decide: (transaction: Transaction) => T): Promise<T> {
    const transaction = this.read();
    let result: T;
    try {
      result = decide(transaction);
    } catch (error) {
      // A refusal tells of what was seen: it must not overtake it.
      await this.settled(transaction);
      throw error;
    }
    const written = this.append(operation, transaction);
    const sequence = Math.max(written, transaction.readSequence);
    if (sequence > this.#ledger.durableSequence) await this.#ledger.whenDurable(sequence);
    return result;
  }

  /** Logs what the transaction wrote; 0 when it wrote nothing. */
  append(operation: string, transaction: Transaction): number {
    if (transaction.changes.size === 0) return 0;
    const changes = [...transaction.changes].map(([key, value]) => ({ key: keyToBytes(key), value }));
    const sequence = this.#ledger.append(LogRecord.encode({ operation, changes }).finish());
    transaction.appended(sequence);
    return sequence;
  }
}

/** Records hold their effects, so applying one is nothing but writing them. */
export function applyRecord(state: StateTransaction, record: Uint8Array): void {
  for (const { key, value } of LogRecord.decode(record).changes) {
    if (value === undefined) state.remove(bytesToKey(key));
    else state.put(bytesToKey(key), value);
  }
}
