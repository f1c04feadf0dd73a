/** One mutation on its way through the primary, from its arrival to its answer. */
import { FsError } from '@cairnfs/base';
import type { MutateReply, PooledBytes } from '@cairnfs/protocol';
import type { Operation } from './operation-table.ts';

export interface MutationRequest {
  readonly handle: string;
  readonly version: number;
  /** Undefined for an append: the primary chooses. */
  readonly writeAt: number | undefined;
  readonly bytes: Uint8Array;
  /** CRC32C of `bytes`, verified. */
  readonly checksum: number;
  /** Where the bytes live; undefined for memory that is left to the garbage collector. */
  readonly memory: PooledBytes | undefined;
  readonly operation: Operation | undefined;
  /** The chunk may not grow past this. */
  readonly capacity: number;
  readonly deadlineMs: number;
}

type Answer = { readonly resolve: (reply: MutateReply) => void; readonly reject: (error: FsError) => void };

export class MutationCall {
  readonly request: MutationRequest;
  /** Where it was staged last. */
  offset = 0;
  sequence = 0;
  /** The first caller, and those whose retry joined it. */
  readonly #answers: Answer[];

  /** Holds the bytes until it is settled: under a new view they may have to be staged again. */
  constructor(request: MutationRequest, answer: Answer) {
    this.request = request;
    this.#answers = [answer];
    request.memory?.retain();
  }

  get byteCount(): number {
    return this.request.bytes.length;
  }

  /** A retry of the same operation gets the same answer. */
  join(call: MutationCall): void {
    this.#answers.push(...call.#answers.splice(0));
    call.request.memory?.release();
  }

  succeed(reply: Omit<MutateReply, 'repeatedOperation'>): void {
    for (const [index, { resolve }] of this.#take().entries()) resolve({ repeatedOperation: index > 0, ...reply });
  }

  /** Answered from the operation table. */
  repeat(reply: Omit<MutateReply, 'repeatedOperation'>): void {
    for (const { resolve } of this.#take()) resolve({ repeatedOperation: true, ...reply });
  }

  fail(error: FsError): void {
    for (const { reject } of this.#take()) reject(error);
  }

  #take(): Answer[] {
    this.request.memory?.release();
    return this.#answers.splice(0);
  }
}

/** Staged somewhere, acknowledged nowhere. */
export function outcomeUnknown(handle: string, why: string): FsError {
  return new FsError(
    'DEADLINE_EXCEEDED',
    `chunk ${handle}: ${why} before the mutation was acknowledged, so it may be applied or not; ` +
      'retry with the same operation number on this chunk',
  );
}
