/** One gRPC call as our handlers see it. */
import { type Address, type Clock, FsError, type Timer } from '@cairnfs/base';
import { CALL_DEADLINE_MS_MAX, type CallContext, CallRoom, type ReceivedData } from '@cairnfs/protocol';
import { AnswerPatience, type AnswerPatienceOptions } from './answer-patience.ts';
import { isCallOver } from './underlying-call.ts';

/** What all four sorts of calls have in common. */
export interface SurfaceCall {
  readonly cancelled: boolean;
  getPeer(): string;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

export interface GrpcCallOptions extends AnswerPatienceOptions {
  /** Ends the call, whose time is over; `isUntaken` while an answer is with the transport. */
  readonly endLate: (reason: FsError, isUntaken: boolean) => void;
}

export class GrpcCall implements CallContext {
  readonly deadlineMs: number;
  readonly peer: Address;
  readonly data: ReceivedData | undefined;
  #controller: AbortController | undefined;
  #reason: FsError | undefined;
  #wake: (() => void) | undefined;
  readonly #room: CallRoom;
  readonly #patience: AnswerPatience;
  readonly #endLate: (reason: FsError, isUntaken: boolean) => void;
  readonly #isOver: () => boolean;
  #deadline: Timer | undefined;

  constructor(call: SurfaceCall, options: GrpcCallOptions, data?: ReceivedData) {
    const { clock, share } = options;
    this.#room = new CallRoom(share);
    this.#patience = new AnswerPatience(options);
    this.#endLate = options.endLate;
    this.#isOver = () => call.cancelled || isCallOver(call);
    const leftMs = Math.min(timeLeftMs(call, clock), CALL_DEADLINE_MS_MAX);
    this.deadlineMs = clock.nowMs() + leftMs;
    this.peer = call.getPeer();
    this.data = data;
    const ended = (): void => this.#end(clock.nowMs() >= this.deadlineMs);
    if (this.#isOver()) {
      ended();
      return;
    }
    call.on('cancelled', ended);
    if (leftMs <= 0) this.#expire();
    else this.#deadline = clock.after(leftMs, () => this.#expire());
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  room(bytes: number): Promise<void> | undefined {
    return this.#reason === undefined ? this.#room.take(bytes) : Promise.reject(this.#reason);
  }

  /** An answer, or an item of one, is handed to the transport: from now on the peer has to take it. */
  answering(): void {
    if (this.#reason !== undefined) {
      this.answered();
      return;
    }
    this.#patience.begin();
  }

  /** What was handed to the transport has left, or the call is over. */
  answered(): void {
    this.#patience.end();
    this.#room.release();
  }

  /** Why the caller no longer waits; undefined while it does. */
  get abortReason(): FsError | undefined {
    return this.#reason;
  }

  /** Runs `wake` when the call has ended, or at once when it was aborted already; only the last one given is kept. */
  onEnd(wake: () => void): void {
    if (this.#reason === undefined) this.#wake = wake;
    else wake();
  }

  /** Its time is over. What is with the transport holds its room until gRPC tells of the end, unless that has come already. */
  #expire(): void {
    if (this.#reason !== undefined) return;
    if (this.#isOver()) {
      this.#end(true);
      return;
    }
    const isUntaken = this.#patience.isWaiting;
    this.#endLate(this.#abort(true), isUntaken);
  }

  /** gRPC tells of the end of every call so, and does not tell a cancelled call from a lost connection. */
  #end(isLate: boolean): void {
    this.#deadline?.cancel();
    if (this.#reason === undefined) this.#abort(isLate);
    if (this.#patience.isWaiting) this.answered();
    this.#wake?.();
  }

  #abort(isLate: boolean): FsError {
    const reason = isLate
      ? new FsError('DEADLINE_EXCEEDED', 'the time the caller gave this call is over')
      : new FsError('CANCELLED', 'the caller cancelled the call, or its connection was lost');
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#room.abort(reason);
    return reason;
  }
}

function timeLeftMs(call: SurfaceCall, clock: Clock): number {
  const deadline = call.getDeadline(); // calendar time, as the server computed it on arrival
  return Number(deadline) - clock.wallMs();
}
