/** Calls to the master about leases, gathered per tick: many chunks are taken and given back in one message. */
import { FsError, toFsError } from '@cairnfs/base';
import { type ChunkView, type LeaseReleased, type LeaseWanted, MasterControlMethods } from '@cairnfs/protocol';
import { LEASES_PER_CALL_MAX, MASTER_CALL_TIMEOUT_MS } from '../mutation/limits.ts';
import type { MutationContext } from '../mutation/mutation-context.ts';

/** A view with the lease on it, counted from `sentAtMs` on this server's clock; or why there is none. */
export type LeaseAnswer =
  | { readonly kind: 'granted'; readonly view: ChunkView; readonly sentAtMs: number }
  | { readonly kind: 'refused'; readonly error: FsError };

interface Wanted extends LeaseWanted {
  readonly answer: (answer: LeaseAnswer) => void;
}

interface Released extends LeaseReleased {
  readonly done: () => void;
}

export class LeaseCalls {
  readonly #context: MutationContext;
  #wanted: Wanted[] = [];
  #released: Released[] = [];
  #isScheduled = false;

  constructor(context: MutationContext) {
    this.#context = context;
  }

  /** `answer` runs once, in a later tick. */
  acquire(wanted: LeaseWanted, answer: (answer: LeaseAnswer) => void): void {
    this.#wanted.push({ ...wanted, answer });
    this.#schedule();
  }

  /** `done` runs when the master has it, or cannot be reached: then the lease ends by time. */
  release(released: LeaseReleased, done: () => void): void {
    this.#released.push({ ...released, done });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#context.clock.soon(() => {
      this.#isScheduled = false;
      const wanted = this.#wanted;
      const released = this.#released;
      this.#wanted = [];
      this.#released = [];
      for (let at = 0; at < released.length; at += LEASES_PER_CALL_MAX) {
        void this.#sendReleased(released.slice(at, at + LEASES_PER_CALL_MAX));
      }
      for (let at = 0; at < wanted.length; at += LEASES_PER_CALL_MAX) {
        void this.#sendWanted(wanted.slice(at, at + LEASES_PER_CALL_MAX));
      }
    });
  }

  async #sendWanted(batch: readonly Wanted[]): Promise<void> {
    const sentAtMs = this.#context.clock.nowMs();
    const wanted = batch.map(({ handle, version }) => ({ handle, version }));
    const views = new Map<string, ChunkView>();
    let failure: FsError | undefined;
    try {
      const reply = await this.#context.master.call(
        MasterControlMethods.acquireLeases,
        { serverId: this.#context.serverId(), session: this.#context.session(), wanted },
        { timeoutMs: MASTER_CALL_TIMEOUT_MS },
      );
      for (const view of reply.message.granted) views.set(view.handle, view);
    } catch (error) {
      failure = toFsError(error);
    }
    for (const { handle, answer } of batch) {
      const view = views.get(handle);
      if (view !== undefined) answer({ kind: 'granted', view, sentAtMs });
      else
        answer({ kind: 'refused', error: failure === undefined ? notPrimary(handle) : unreachable(handle, failure) });
    }
  }

  async #sendReleased(batch: readonly Released[]): Promise<void> {
    const released = batch.map(({ handle, version, committedLength, sequence, lease, changedMs }) => {
      return { handle, version, committedLength, sequence, lease, changedMs };
    });
    try {
      await this.#context.master.call(
        MasterControlMethods.releaseLeases,
        { serverId: this.#context.serverId(), session: this.#context.session(), released },
        { timeoutMs: MASTER_CALL_TIMEOUT_MS },
      );
    } catch (error) {
      const { message } = toFsError(error);
      this.#context.log.warn('leases could not be given back; they end by time', {
        count: batch.length,
        error: message,
      });
    }
    for (const { done } of batch) done();
  }
}

/** Not applied: nothing is staged before a lease is here. */
export function notPrimary(handle: string): FsError {
  return new FsError('NOT_PRIMARY', `chunk ${handle} is not led by this server; look its primary up again`);
}

function unreachable(handle: string, cause: FsError): FsError {
  return new FsError(
    'UNAVAILABLE',
    `the master did not answer the request for the lease of chunk ${handle} (${cause.message}); try again`,
    { cause },
  );
}
