/** What the master does by itself about the namespace: bounded steps, one after another, each a decision of its own. */
import type { Timer } from '@cairnfs/base';
import type { MasterContext, SafeMode } from './context.ts';
import { Dirent } from './gen/cairn/master/v1/state.ts';
import { HOUSEKEEPING_INTERVAL_MS, RECLAIM_STEP, RECLAIM_STEPS_PER_ROUND } from './limits.ts';
import { destroy, reclaimStep } from './namespace/destroy.ts';
import { unlink } from './namespace/links.ts';
import { sweepOperations } from './namespace/operations.ts';
import { inodeOf } from './namespace/resolve.ts';
import { trashNameBefore } from './namespace/trash.ts';
import { direntKey, direntRange, TRASH_INODE } from './state/keys.ts';
import type { UploadCalls } from './upload/upload-calls.ts';

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
      this.#running = this.#round().then(() => {
        if (!this.#isStopped) this.start();
      });
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
      await this.#expireTrash();
      for (let step = 0; step < RECLAIM_STEPS_PER_ROUND && !this.#isStopped; step += 1) {
        const isMore = await this.#context.decisions.perform('reclaim', (transaction) =>
          reclaimStep(transaction, this.#garbageDueMs()),
        );
        if (!isMore) break;
      }
      this.#operationsCursor = await this.#context.decisions.perform('forgetOperations', (transaction) =>
        sweepOperations(transaction, this.#operationsCursor, this.#context.seams.clock.wallMs()),
      );
    } catch (error) {
      // OVERLOADED or NO_SPACE: nothing was changed, and the next round tries again.
      this.#context.seams.log.warn('housekeeping was put off', { error });
    }
  }

  /** Destroys what has been in the trash for long enough. */
  async #expireTrash(): Promise<void> {
    const { config, seams } = this.#context;
    await this.#context.decisions.perform('expireTrash', (transaction) => {
      const wallMs = seams.clock.wallMs();
      const { start } = direntRange(TRASH_INODE);
      const end = direntKey(TRASH_INODE, trashNameBefore(wallMs - config.trashKeepMs));
      for (const { value } of transaction.range({ start, end }, RECLAIM_STEP)) {
        const id = Dirent.decode(value).inode;
        const found = { id, inode: inodeOf(transaction, id) };
        unlink(transaction, found, wallMs);
        destroy(transaction, found, this.#garbageDueMs());
      }
    });
  }

  #garbageDueMs(): number {
    return this.#context.seams.clock.wallMs() + this.#context.config.garbageGraceMs;
  }
}
