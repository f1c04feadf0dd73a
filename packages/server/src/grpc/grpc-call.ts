/** One gRPC call as our handlers see it. */
import { type Address, type Clock, FsError } from '@cairnfs/base';
import { CALL_DEADLINE_MS_MAX, type CallContext, type ReceivedData } from '@cairnfs/protocol';

/** What all four sorts of calls have in common. */
export interface SurfaceCall {
  readonly cancelled: boolean;
  getPeer(): string;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

export class GrpcCall implements CallContext {
  readonly deadlineMs: number;
  readonly peer: Address;
  readonly data: ReceivedData | undefined;
  #controller: AbortController | undefined;
  #reason: FsError | undefined;
  #wake: (() => void) | undefined;

  constructor(call: SurfaceCall, clock: Clock, data?: ReceivedData) {
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

  /** Why the caller no longer waits; undefined while it does. */
  get abortReason(): FsError | undefined {
    return this.#reason;
  }

  /** Runs `wake` when the call is aborted, or at once when it already is; only the last one given is kept. */
  onAbort(wake: () => void): void {
    if (this.#reason === undefined) this.#wake = wake;
    else wake();
  }

  /** gRPC does not tell a cancelled call from a lost connection. */
  #abort(isLate: boolean): void {
    if (this.#reason !== undefined) return;
    this.#reason = isLate
      ? new FsError('DEADLINE_EXCEEDED', 'the time the caller gave this call is over')
      : new FsError('CANCELLED', 'the caller cancelled the call, or its connection was lost');
    this.#controller?.abort(this.#reason);
    this.#wake?.();
  }
}

function timeLeftMs(call: SurfaceCall, clock: Clock): number {
  const deadline = call.getDeadline(); // calendar time, as the server computed it on arrival
  return Number(deadline) - clock.wallMs();
}
