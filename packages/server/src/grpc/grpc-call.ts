/** One gRPC call as our handlers see it. */
import { type Address, type Clock, FsError, type Timer } from '@cairnfs/base';
import {
  ANSWERS_UNTAKEN_MS_MAX,
  type AnswerShare,
  CALL_DEADLINE_MS_MAX,
  type CallContext,
  CallRoom,
  type ReceivedData,
} from '@cairnfs/protocol';

/** What all four sorts of calls have in common. */
export interface SurfaceCall {
  readonly cancelled: boolean;
  getPeer(): string;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** More than pings, and answers to them, are while it is waited. */
const SENT_BY_PINGS_BYTES = 4096;

export interface GrpcCallOptions {
  readonly clock: Clock;
  /** Of the call's connection, in the room for answers. */
  readonly share: AnswerShare;
  /** That the connection has sent: whether its peer takes anything shows by it. */
  readonly sentBytes: () => number;
  /** Ends the connection. */
  readonly drop: (reason: string) => void;
}

export class GrpcCall implements CallContext {
  readonly deadlineMs: number;
  readonly peer: Address;
  readonly data: ReceivedData | undefined;
  #controller: AbortController | undefined;
  #reason: FsError | undefined;
  #wake: (() => void) | undefined;
  readonly #clock: Clock;
  readonly #room: CallRoom;
  readonly #sentBytes: () => number;
  readonly #drop: (reason: string) => void;
  #patience: Timer | undefined;

  constructor(call: SurfaceCall, options: GrpcCallOptions, data?: ReceivedData) {
    const { clock, share, sentBytes, drop } = options;
    this.#clock = clock;
    this.#room = new CallRoom(share);
    this.#sentBytes = sentBytes;
    this.#drop = drop;
    const nowMs = clock.nowMs();
    this.deadlineMs = nowMs + Math.min(timeLeftMs(call, clock), CALL_DEADLINE_MS_MAX);
    this.peer = call.getPeer();
    this.data = data;
    const cancelled = (): void => this.#abort(clock.nowMs() >= this.deadlineMs);
    if (call.cancelled) cancelled();
    else call.on('cancelled', cancelled);
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
    const before = this.#sentBytes();
    this.#patience = this.#clock.after(ANSWERS_UNTAKEN_MS_MAX, () => {
      // The answers of other calls may come first.
      if (this.#sentBytes() - before > SENT_BY_PINGS_BYTES) this.answering();
      else this.#drop(`the peer took nothing of its answers for ${ANSWERS_UNTAKEN_MS_MAX / 1000} s`);
    });
  }

  /** What was handed to the transport has left, or the call is over. */
  answered(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    this.#room.release();
  }

  /** Why the caller no longer waits; undefined while it does. */
  get abortReason(): FsError | undefined {
    return this.#reason;
  }

  /** Runs `wake` when the call is aborted, or at once when it already is; only the last one given is kept. */
  onAbort(wake: () => void): void {
    if (this.#reason === undefined) this.#wake = wake;
    else wake();
  }

  /** gRPC tells of the end of every call so, and does not tell a cancelled call from a lost connection. */
  #abort(isLate: boolean): void {
    if (this.#reason !== undefined) return;
    this.#reason = isLate
      ? new FsError('DEADLINE_EXCEEDED', 'the time the caller gave this call is over')
      : new FsError('CANCELLED', 'the caller cancelled the call, or its connection was lost');
    this.#controller?.abort(this.#reason);
    this.#room.abort(this.#reason);
    if (this.#patience !== undefined) this.answered();
    this.#wake?.();
  }
}

function timeLeftMs(call: SurfaceCall, clock: Clock): number {
  const deadline = call.getDeadline(); // calendar time, as the server computed it on arrival
  return Number(deadline) - clock.wallMs();
}
