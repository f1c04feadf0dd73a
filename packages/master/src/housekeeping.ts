/** What the master does by itself about the namespace: bounded steps, one after another, each a decision of its own. */

import { FsError, type Key, type Timer, toError } from '@cairnfs/base';
import { decodeMessage } from '@cairnfs/protocol';
import type { MasterContext, SafeMode } from './context.ts';
import { Dirent } from './gen/cairn/master/v1/state.ts';
import {
  HOUSEKEEPING_INTERVAL_MS,
  OPERATION_SWEEPS_PER_ROUND,
  RECLAIM_STEP,
  RECLAIM_STEPS_PER_ROUND,
} from './limits.ts';
import { detach, garbageDueMs, RECLAIM_START, type ReclaimPosition, reclaimStep } from './namespace/destroy.ts';
import { unlink } from './namespace/links.ts';
import { sweepOperations } from './namespace/operations.ts';
import { inodeOf } from './namespace/resolve.ts';
import { trashNameBefore } from './namespace/trash.ts';
import { direntKey, direntRange, TRASH_INODE } from './state/keys.ts';
import type { Transaction } from './state/transaction.ts';
import type { UploadCalls } from './upload/upload-calls.ts';

/** Work done in steps, with where the next step starts: behind what the last ones did, and from the front at the end. */
interface Work<P> {
  readonly operation: string;
  readonly stepsPerRound: number;
  readonly step: (transaction: Transaction, position: P) => { isMore: boolean; position: P };
  position: P;
}

export class Housekeeping {
  readonly #context: MasterContext;
  readonly #uploads: UploadCalls;
  readonly #safeMode: SafeMode;
  readonly #expiry: Work<Key>;
  readonly #reclaiming: Work<ReclaimPosition>;
  readonly #forgetting: Work<string>;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(context: MasterContext, uploads: UploadCalls, safeMode: SafeMode) {
    this.#context = context;
    this.#uploads = uploads;
    this.#safeMode = safeMode;
    this.#expiry = {
      operation: 'expireTrash',
      stepsPerRound: RECLAIM_STEPS_PER_ROUND,
      step: (transaction, from) => this.#expireTrash(transaction, from),
      position: TRASH_START,
    };
    this.#reclaiming = {
      operation: 'reclaim',
      stepsPerRound: RECLAIM_STEPS_PER_ROUND,
      step: (transaction, position) => reclaimStep(transaction, position, garbageDueMs(this.#context)),
      position: RECLAIM_START,
    };
    this.#forgetting = {
      operation: 'forgetOperations',
      stepsPerRound: OPERATION_SWEEPS_PER_ROUND,
      step: (transaction, from) => {
        const position = sweepOperations(transaction, from, (atMs) => this.#context.calendar.ageMs(atMs));
        return { isMore: position !== '', position };
      },
      position: '',
    };
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
      await this.#perform(this.#expiry);
      await this.#perform(this.#reclaiming);
      await this.#perform(this.#forgetting);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // OVERLOADED or NO_SPACE: nothing was changed, and the next round tries again.
      this.#context.seams.log.warn('housekeeping was put off', { error });
    }
  }

  /** Steps until one says that nothing is left; each is a decision of its own, so that requests come in between. */
  async #perform<P>(work: Work<P>): Promise<void> {
    for (let count = 0; count < work.stepsPerRound && !this.#isStopped; count += 1) {
      const { isMore, position } = await this.#context.decisions.perform(work.operation, (transaction) =>
        work.step(transaction, work.position),
      );
      work.position = position; // only now: a step that was refused is done again
      if (!isMore) return;
      // A step that wrote nothing waited for nothing.
      await new Promise<void>((resolve) => this.#context.seams.clock.soon(resolve));
    }
  }

  /** Takes what has been in the trash for long enough out of it. */
  #expireTrash(transaction: Transaction, from: Key): { isMore: boolean; position: Key } {
    const { calendar, config, seams } = this.#context;
    const wallMs = seams.clock.wallMs();
    // A calendar that is far ahead by mistake, from some time on or until it is set right, does not empty the trash.
    const nowMs = Math.min(calendar.nowMs(), wallMs);
    const end = direntKey(TRASH_INODE, trashNameBefore(nowMs - config.trashKeepMs));
    const expired = transaction.range({ start: from, end }, RECLAIM_STEP);
    for (const { value } of expired) {
      const id = decodeMessage(Dirent, value).inode;
      const found = { id, inode: inodeOf(transaction, id) };
      unlink(transaction, found, wallMs);
      detach(transaction, found);
    }
    const isMore = expired.length === RECLAIM_STEP;
    return { isMore, position: isMore ? `${expired.at(-1)!.key}\0` : TRASH_START };
  }
}

const TRASH_START = direntRange(TRASH_INODE).start;
