/** Calls under way at the client: one answer (`UnaryCall`), or items pulled with credit (`StreamCall`). */
import { assert, FsError } from '@cairnfs/base';
import { ErrorDetail } from '../gen/cairn/v1/common.ts';
import { STREAM_CREDIT_INITIAL } from '../limits.ts';
import { fromErrorDetail } from './error-detail.ts';
import type { DataPart, Method, ReceivedData, Reply } from './types.ts';
import { decodeMessage } from './wire.ts';

/** What a connection knows of a call. Every call is settled once: by `succeeded`, `end` or `failed`. */
export interface ClientCall {
  readonly method: Method<unknown, unknown>;
  /** Set when the request is sent. */
  requestId: number;
  /** Infinity while nobody waits (a stream between two items). */
  deadlineMs: number;
  /** What the server is told: milliseconds it may take. */
  serverTimeMs(nowMs: number): number;
  /** The encoded request and its data, until they are sent. */
  outgoing: { message: Uint8Array; data: DataPart | undefined } | undefined;
  /** The answer of a unary call, or an item of a stream. Takes over the reference of `data`. False: not this call's kind. */
  answered(isItem: boolean, message: Uint8Array, data: ReceivedData | undefined): boolean;
  end(): boolean;
  failed(error: FsError): void;
  /** Whether the call is over for the connection after a frame. */
  readonly isOver: boolean;
}

/** What a stream asks of the channel that carries it. */
export interface StreamCarrier {
  nowMs(): number;
  /** The call's deadline is sooner than it was. */
  watch(call: ClientCall): void;
  grant(call: ClientCall, credit: number): void;
  cancel(call: ClientCall): void;
}

export function errorOfMessage(message: Uint8Array): FsError {
  try {
    return fromErrorDetail(ErrorDetail.decode(message));
  } catch (error) {
    return new FsError('BAD_FRAME', 'an error frame does not decode', { cause: error });
  }
}

export class UnaryCall<S> implements ClientCall {
  readonly method: Method<unknown, S>;
  requestId = 0;
  readonly deadlineMs: number;
  outgoing: ClientCall['outgoing'];
  isOver = false;
  readonly #resolve: (reply: Reply<S>) => void;
  readonly #reject: (error: FsError) => void;
  /** Unhooks the caller's signal. */
  settled: (() => void) | undefined;

  constructor(options: {
    method: Method<unknown, S>;
    deadlineMs: number;
    resolve: (reply: Reply<S>) => void;
    reject: (error: FsError) => void;
  }) {
    this.method = options.method;
    this.deadlineMs = options.deadlineMs;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
  }

  serverTimeMs(nowMs: number): number {
    return this.deadlineMs - nowMs;
  }

  answered(isItem: boolean, message: Uint8Array, data: ReceivedData | undefined): boolean {
    if (isItem) {
      data?.memory.release();
      return false;
    }
    let decoded: S;
    try {
      decoded = decodeMessage(this.method.response, message);
    } catch (error) {
      data?.memory.release();
      this.failed(undecodable(this.method.name, error));
      return true;
    }
    this.isOver = true;
    this.settled?.();
    this.#resolve({ message: decoded, data });
    return true;
  }

  end(): boolean {
    return false;
  }

  failed(error: FsError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.settled?.();
    this.#reject(error);
  }
}

/** Items wait here, at most as many as there is credit; credit goes back when two were taken. */
const CREDIT_BATCH = STREAM_CREDIT_INITIAL / 2;

export class StreamCall<S> implements ClientCall, AsyncIterator<Reply<S>> {
  readonly method: Method<unknown, S>;
  requestId = 0;
  deadlineMs: number;
  outgoing: ClientCall['outgoing'];
  isOver = false;
  settled: (() => void) | undefined;
  readonly #carrier: StreamCarrier;
  readonly #timeoutMs: number;
  readonly #serverTimeMs: number;
  readonly #items: Reply<S>[] = [];
  #creditLeft = STREAM_CREDIT_INITIAL;
  #taken = 0;
  #error: FsError | undefined;
  #waiting: { resolve: (result: IteratorResult<Reply<S>>) => void; reject: (error: FsError) => void } | undefined;

  constructor(options: {
    method: Method<unknown, S>;
    timeoutMs: number;
    serverTimeMs: number;
    carrier: StreamCarrier;
  }) {
    this.method = options.method;
    this.#carrier = options.carrier;
    this.#timeoutMs = options.timeoutMs;
    this.#serverTimeMs = options.serverTimeMs;
    this.deadlineMs = this.#carrier.nowMs() + this.#timeoutMs;
  }

  serverTimeMs(): number {
    return this.#serverTimeMs;
  }

  // ---- From the connection ----

  answered(isItem: boolean, message: Uint8Array, data: ReceivedData | undefined): boolean {
    if (!isItem || this.#creditLeft === 0) {
      data?.memory.release();
      return false;
    }
    this.#creditLeft -= 1;
    let item: Reply<S>;
    try {
      item = { message: decodeMessage(this.method.response, message), data };
    } catch (error) {
      data?.memory.release();
      this.#carrier.cancel(this);
      this.failed(undecodable(this.method.name, error));
      return true;
    }
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.#waiting === undefined) {
      this.#items.push(item);
      return true;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#tookOne();
    waiting.resolve({ done: false, value: item });
    return true;
  }

  end(): boolean {
    this.isOver = true;
    this.settled?.();
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
    return true;
  }

  /** Items that arrived before it are still handed out. */
  failed(error: FsError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.settled?.();
    if (this.#waiting === undefined) this.#error = error;
    else this.#waiting.reject(error);
    this.#waiting = undefined;
  }

  // ---- To the caller ----

  next(): Promise<IteratorResult<Reply<S>>> {
    assert(this.#waiting === undefined, () => `an item of ${this.method.name} is asked for while another is awaited`);
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#tookOne();
      return Promise.resolve({ done: false, value: item });
    }
    if (this.isOver) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.deadlineMs = this.#carrier.nowMs() + this.#timeoutMs;
      this.#carrier.watch(this);
    });
  }

  return(): Promise<IteratorResult<Reply<S>>> {
    if (!this.isOver) {
      this.#carrier.cancel(this);
      this.failed(new FsError('CANCELLED', `the caller ended ${this.method.name} early`));
    }
    this.#error = undefined;
    for (const item of this.#items.splice(0)) item.data?.memory.release();
    return Promise.resolve({ done: true, value: undefined });
  }

  #tookOne(): void {
    this.#taken += 1;
    if (this.#taken < CREDIT_BATCH || this.isOver) return;
    this.#creditLeft += this.#taken;
    this.#carrier.grant(this, this.#taken);
    this.#taken = 0;
  }
}

function undecodable(method: string, cause: unknown): FsError {
  return new FsError('BAD_FRAME', `the answer of ${method} does not decode`, { cause });
}
