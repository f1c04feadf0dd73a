/**
 * Plans of a single chunk, kept in memory alone: most files are small, and their plan promises nothing that their one record,
 * written when they are confirmed, does not say again. A crash forgets such a plan: the client begins anew, and what was
 * stored by then is found to be an orphan. An upload that lasts, because it is renewed or gets another chunk, is logged then.
 *
 * A plan is dropped with the record that writes its chunk: from then on the state alone says what became of the upload. To
 * lose one is never wrong, so nothing waits for that record to be durable.
 */
import type { Chunk, Upload } from '../gen/cairn/master/v1/state.ts';
import type { Transaction } from '../state/transaction.ts';

export interface UploadPlan {
  readonly upload: Readonly<Upload>;
  readonly handle: string;
  readonly chunk: Readonly<Chunk>;
}

export class UploadPlans {
  readonly #byUpload = new Map<string, UploadPlan>();
  readonly #byHandle = new Map<string, UploadPlan>();

  add(uploadId: string, plan: UploadPlan): void {
    this.#byUpload.set(uploadId, plan);
    this.#byHandle.set(plan.handle, plan);
  }

  find(uploadId: string): UploadPlan | undefined {
    return this.#byUpload.get(uploadId);
  }

  /** The chunk as the state has it, or as it is planned. */
  chunk(transaction: Transaction, handle: string): Readonly<Chunk> | undefined {
    return transaction.chunk(handle) ?? this.#byHandle.get(handle)?.chunk;
  }

  /** Those whose handles lie behind `after` and up to `through`, or behind `after` alone. */
  *behind(after: string, through: string | undefined): Generator<UploadPlan> {
    for (const plan of this.#byHandle.values()) {
      if (plan.handle > after && (through === undefined || plan.handle <= through)) yield plan;
    }
  }

  /** Whether a chunk is to be stored on the server. */
  countsOn(server: number): boolean {
    for (const { chunk } of this.#byHandle.values()) if (chunk.members.includes(server)) return true;
    return false;
  }

  /** Its chunk has been written. */
  drop(uploadId: string): void {
    const plan = this.#byUpload.get(uploadId);
    if (plan === undefined) return;
    this.#byUpload.delete(uploadId);
    this.#byHandle.delete(plan.handle);
  }
}
