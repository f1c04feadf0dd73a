/** What the master does by itself about the namespace: bounded steps, one after another, each a decision of its own. */

import { FsError, type Timer } from '@cairnfs/base';
import { decodeMessage } from '@cairnfs/protocol';
import type { MasterContext, SafeMode } from './context.ts';
import { Dirent } from './gen/cairn/master/v1/state.ts';
import {
  HOUSEKEEPING_INTERVAL_MS,
  OPERATION_SWEEPS_PER_ROUND,
  RECLAIM_STEP,
  RECLAIM_STEPS_PER_ROUND,
} from './limits.ts';
import { detach, reclaimStep } from './namespace/destroy.ts';
import { unlink } from './namespace/links.ts';
import { sweepOperations } from './namespace/operations.ts';
import { inodeOf } from './namespace/resolve.ts';
import { trashNameBefore } from './namespace/trash.ts';
import { direntKey, direntRange, TRASH_INODE } from './state/keys.ts';
import type { Transaction } from './state/transaction.ts';
import type { UploadCalls } from './upload/upload-calls.ts';

const toError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

export class Housekeeping {
  readonly #context: MasterContext;
  readonly #uploads: UploadCalls;
  readonly #safeMode: SafeMode;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #operationsCursor = '';

  constructor(context: MasterContext, uploads: UploadCalls, safeMode: SafeMode) {
    this.#context = context;
    this.#uploads = uploads;
    this.#safeMode = safeMode;
  }

  start(): void {
    this.#timer = this.#context.seams.clock.after(HOUSEKEEPING_INTERVAL_MS, () => {
      this.#running = this.#round().then(
        () => {
          if (!this.#isStopped) this.start();
        },
        (error: unknown) => this.#context.seams.fatal(toError(error)),
      );
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #round(): Promise<void> {
    try {
      if (!this.#safeMode.isActive) await this.#uploads.abandonSilent();
      await this.#repeat('expireTrash', RECLAIM_STEPS_PER_ROUND, (transaction) => this.#expireTrash(transaction));
      await this.#repeat('reclaim', RECLAIM_STEPS_PER_ROUND, (transaction) =>
        reclaimStep(transaction, this.#garbageDueMs()),
      );
      await this.#repeat('forgetOperations', OPERATION_SWEEPS_PER_ROUND, (transaction) => {
        const wallMs = this.#context.seams.clock.wallMs();
        this.#operationsCursor = sweepOperations(transaction, this.#operationsCursor, wallMs);
        return this.#operationsCursor !== '';
      });
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // OVERLOADED or NO_SPACE: nothing was changed, and the next round tries again.
      this.#context.seams.log.warn('housekeeping was put off', { error });
    }
  }

  /** Steps until one says that nothing is left; each is a decision of its own, so that requests come in between. */
  async #repeat(operation: string, stepsMax: number, step: (transaction: Transaction) => boolean): Promise<void> {
    for (let count = 0; count < stepsMax && !this.#isStopped; count += 1) {
      const isMore = await this.#context.decisions.perform(operation, step);
      if (!isMore) return;
    }
  }

  /** Takes what has been in the trash for long enough out of it. Answers whether there may be more. */
  #expireTrash(transaction: Transaction): boolean {
    const wallMs = this.#context.seams.clock.wallMs();
    const { start } = direntRange(TRASH_INODE);
    const end = direntKey(TRASH_INODE, trashNameBefore(wallMs - this.#context.config.trashKeepMs));
    const expired = transaction.range({ start, end }, RECLAIM_STEP);
    for (const { value } of expired) {
      const id = decodeMessage(Dirent, value).inode;
      const found = { id, inode: inodeOf(transaction, id) };
      unlink(transaction, found, wallMs);
      detach(transaction, found);
    }
    return expired.length === RECLAIM_STEP;
  }

  #garbageDueMs(): number {
    return this.#context.seams.clock.wallMs() + this.#context.config.garbageGraceMs;
  }
}
