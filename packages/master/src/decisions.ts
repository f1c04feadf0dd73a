/**
 * The loop between handlers and the operation log: a handler decides on a transaction, what it wrote becomes one record,
 * and its answer leaves when all it wrote and all it saw is durable (design: docs/architecture.md, "One shape").
 */
import type { Ledger } from '@cairnfs/storage';
import type { Decisions } from './context.ts';
import type { LogRecords } from './log-records.ts';
import { StateCache } from './state/state-cache.ts';
import { Transaction } from './state/transaction.ts';

export class LedgerDecisions implements Decisions {
  readonly #ledger: Ledger;
  readonly #records: LogRecords;
  readonly #cache = new StateCache();

  constructor(ledger: Ledger, records: LogRecords) {
    this.#ledger = ledger;
    this.#records = records;
  }

  read(): Transaction {
    return new Transaction(this.#ledger.view(), this.#cache);
  }

  settled(transaction: Transaction): Promise<void> | undefined {
    const sequence = transaction.readSequence;
    return sequence <= this.#ledger.durableSequence ? undefined : this.#ledger.whenDurable(sequence);
  }

  find<T>(transaction: Transaction, find: (transaction: Transaction) => T): T | Promise<never> {
    try {
      return find(transaction);
    } catch (refusal) {
      const settled = this.settled(transaction);
      if (settled === undefined) throw refusal;
      return settled.then(() => {
        throw refusal;
      });
    }
  }

  async perform<T>(operation: string, decide: (transaction: Transaction) => T): Promise<T> {
    const decided = this.#decide(operation, decide);
    await this.#untilDurable(decided.sequence);
    if ('refusal' in decided) throw decided.refusal;
    return decided.result;
  }

  async propose<T>(operation: string, decide: (transaction: Transaction) => T): Promise<T> {
    const decided = this.#decide(operation, decide);
    if ('result' in decided) return decided.result;
    await this.#untilDurable(decided.sequence);
    throw decided.refusal;
  }

  /** Decides and appends in one step. A refusal tells of what was seen, so it carries a sequence number too. */
  #decide<T>(operation: string, decide: (transaction: Transaction) => T): Decided<T> {
    const transaction = this.read();
    let result: T;
    try {
      result = decide(transaction);
    } catch (refusal) {
      return { refusal, sequence: transaction.readSequence };
    }
    const written = this.append(operation, transaction);
    return { result, sequence: Math.max(written, transaction.readSequence) };
  }

  #untilDurable(sequence: number): Promise<void> | undefined {
    return sequence > this.#ledger.durableSequence ? this.#ledger.whenDurable(sequence) : undefined;
  }

  /** Logs what the transaction wrote; 0 when it wrote nothing. */
  append(operation: string, transaction: Transaction): number {
    if (transaction.changes.size === 0) return 0;
    const sequence = this.#records.append(this.#ledger, operation, transaction.changes);
    transaction.appended(sequence);
    return sequence;
  }
}

/** The answer may leave when the journal is durable up to `sequence`. */
type Decided<T> = { readonly sequence: number } & ({ readonly result: T } | { readonly refusal: unknown });
