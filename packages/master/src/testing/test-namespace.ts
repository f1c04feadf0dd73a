/** A master's namespace over a real ledger on simulated disks, without chunkservers. */
import { FsError, ProcessCalendar } from '@cairnfs/base';
import { type Attributes, CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { Simulation } from '@cairnfs/sim';
import { type Ledger, openLedger } from '@cairnfs/storage';
import { beginIncarnation } from '../bootstrap.ts';
import { LedgerDecisions } from '../decisions.ts';
import { LogRecords } from '../log-records.ts';
import { attributesOf } from '../namespace/attributes.ts';
import type { ChangeContext } from '../namespace/change-calls.ts';
import { RECLAIM_START, reclaimStep } from '../namespace/destroy.ts';
import { resolvePath } from '../namespace/resolve.ts';
import type { Transaction } from '../state/transaction.ts';

export class TestNamespace {
  readonly simulation = new Simulation({ seed: 1 });
  #ledger: Ledger | undefined;
  decisions!: LedgerDecisions;
  calendar!: ProcessCalendar;
  #reclaimed = RECLAIM_START;
  wallMs = 1_000_000;

  static async start(): Promise<TestNamespace> {
    const namespace = new TestNamespace();
    await namespace.restart();
    return namespace;
  }

  /** As after a power failure: only what was synced is left. */
  async crash(): Promise<void> {
    this.simulation.host('master').crash({ unsynced: 'lose' });
    await this.restart();
  }

  async restart(): Promise<void> {
    const seams = this.simulation.host('master').start();
    this.calendar = new ProcessCalendar(seams.clock);
    await this.simulation.run(async () => {
      const records = new LogRecords();
      this.#ledger = await openLedger(seams, {
        directory: 'data',
        format: { name: 'master', version: 1 },
        apply: records.apply,
      });
      this.decisions = new LedgerDecisions(this.#ledger, records);
      this.#reclaimed = RECLAIM_START;
      await beginIncarnation(this.decisions, seams, CHUNK_BYTES_MAX);
    });
  }

  /** Decides, and waits until it is durable. */
  do<T>(decide: (transaction: Transaction, change: ChangeContext) => T): Promise<T> {
    this.wallMs += 1;
    const change = {
      ...{ wallMs: this.wallMs, deletedMs: this.wallMs },
      ...{ replication: 3, garbageDueMs: this.wallMs + 1000 },
    };
    return this.simulation.run(this.decisions.perform('test', (transaction) => decide(transaction, change)));
  }

  /** Takes detached trees apart: all of them, or so many steps. */
  async reclaim(stepsMax = Number.MAX_SAFE_INTEGER): Promise<void> {
    for (let steps = 0; steps < stepsMax; steps += 1) {
      const { isMore, position } = await this.do((transaction) => reclaimStep(transaction, this.#reclaimed, 0));
      this.#reclaimed = position;
      if (!isMore) return;
    }
  }

  read<T>(look: (transaction: Transaction) => T): T {
    return look(this.decisions.read());
  }

  stat(path: string): Attributes {
    return this.read((transaction) => {
      const { id, inode } = resolvePath(transaction, path);
      return attributesOf(id, inode);
    });
  }

  exists(path: string): boolean {
    try {
      this.stat(path);
      return true;
    } catch (error) {
      if (error instanceof FsError && error.kind === 'NOT_FOUND') return false;
      throw error;
    }
  }
}
