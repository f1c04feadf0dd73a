/** One request under way at the server: what its handler sees of it, and whether anyone still waits for the answer. */
import type { Address, FsError } from '@cairnfs/base';
import { STREAM_CREDIT_INITIAL } from '../limits.ts';
import type { AnswerShare } from './answer-room.ts';
import { CallRoom } from './call-room.ts';
import type { CallContext, ReceivedData } from './types.ts';

export class ServerCall implements CallContext {
  readonly requestId: number;
  readonly method: number;
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly peer: Address;
  readonly data: ReceivedData | undefined;
  /** Bytes its message counts in the server's budget. */
  readonly messageMemory: number;
  /** Items a stream may still send. */
  credit = STREAM_CREDIT_INITIAL;
  readonly #watchDeadline: (call: ServerCall) => void;
  readonly #answers: AnswerShare;
  /** Of its answer; most need none. */
  #room: CallRoom | undefined;
  #controller: AbortController | undefined;
  #reason: FsError | undefined;
  #wake: (() => void) | undefined;

  constructor(options: {
    requestId: number;
    method: number;
    startedMs: number;
    deadlineMs: number;
    peer: Address;
    data: ReceivedData | undefined;
    messageMemory: number;
    /** Called once when somebody first asks for the signal: from then on the deadline has to be watched. */
    watchDeadline: (call: ServerCall) => void;
    answers: AnswerShare;
  }) {
    this.requestId = options.requestId;
    this.method = options.method;
    this.startedMs = options.startedMs;
    this.deadlineMs = options.deadlineMs;
    this.peer = options.peer;
    this.data = options.data;
    this.messageMemory = options.messageMemory;
    this.#watchDeadline = options.watchDeadline;
    this.#answers = options.answers;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason === undefined) this.#watchDeadline(this);
      else this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get isWatched(): boolean {
    return (this.#controller !== undefined || this.#room?.isWaiting === true) && this.#reason === undefined;
  }

  room(bytes: number): Promise<void> | undefined {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    this.#room ??= new CallRoom(this.#answers);
    const wait = this.#room.take(bytes);
    if (wait !== undefined) this.#watchDeadline(this);
    return wait;
  }

  /** What was taken for its answer becomes the caller's to release. */
  handOverRoom(): number {
    return this.#room?.handOver() ?? 0;
  }

  /** What was taken for an answer that is not sent. */
  releaseRoom(): void {
    this.#room?.release();
  }

  /** Why nobody waits for the answer any more; undefined while somebody does. */
  get abortReason(): FsError | undefined {
    return this.#reason;
  }

  abort(reason: FsError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#room?.abort(reason);
    this.#wakeUp();
  }

  grant(credit: number): void {
    this.credit += credit;
    this.#wakeUp();
  }

  /** Resolves when there is credit, or the call was aborted. */
  creditGranted(): Promise<void> {
    if (this.credit > 0 || this.#reason !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
