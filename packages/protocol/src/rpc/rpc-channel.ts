/**
 * Calls to one address over one connection at a time, which is made when a call needs it.
 *
 * Invariants: a call is sent at most once; it is settled once, at the latest at its deadline; one that was never sent
 * fails with CONNECTION_REFUSED, NAME_UNRESOLVED or FOREIGN_PROTOCOL, so that its caller knows. After a refused
 * connection no other is tried before a pause.
 */
import {
  type Address,
  type Clock,
  FsError,
  isFsError,
  type Log,
  type Network,
  onAbort,
  type Random,
  toError,
  toFsError,
} from '@cairnfs/base';
import {
  CALL_DEADLINE_MS_MAX,
  CHANNEL_OPEN_CALLS_MAX,
  CHANNEL_QUEUED_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  CONNECTION_IDLE_MS,
  FRAME_DATA_BYTES_MAX,
  FRAME_MESSAGE_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  RECONNECT_PAUSE_MS_MAX,
  RECONNECT_PAUSE_MS_MIN,
} from '../limits.ts';
import type { BufferPool } from './buffer-pool.ts';
import { type ClientCall, StreamCall, type StreamCarrier, UnaryCall } from './client-call.ts';
import { ClientConnection } from './client-connection.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import { lengthOf } from './frame-writer.ts';
import type { CallOptions, Method, Reply, RpcChannel } from './types.ts';
import { encodeMessage } from './wire.ts';

export interface ChannelOptions {
  readonly address: Address;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
  readonly buffers: BufferPool;
  readonly isServer: boolean;
  /** The owner closed it. */
  readonly closed: () => void;
}

type State =
  | { kind: 'idle' }
  | { kind: 'connecting' } // the network, then the handshake
  | { kind: 'open'; connection: ClientConnection }
  | { kind: 'pausing'; untilMs: number; error: FsError }
  | { kind: 'closed'; reason: FsError };

export class Channel implements RpcChannel, StreamCarrier {
  readonly address: Address;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #sweep: DeadlineSweep;
  #state: State = { kind: 'idle' };
  /** In its handshake, while connecting. */
  #shaking: ClientConnection | undefined;
  /**
   * Calls not yet sent, and until when on the wall clock they may be: it goes on while the machine sleeps, and their deadlines
   * do not. What a caller found may still be asked when it made the call must not be sent hours later. One that is set forward
   * costs a try.
   */
  readonly #waiting = new Map<ClientCall, number>();
  #waitingBytes = 0;
  #refusalCount = 0;
  #usedAtMs = 0;
  /** What its connections are known by at the server. */
  readonly #series: Uint8Array;
  #connectionCount = 0;

  constructor(options: ChannelOptions) {
    this.address = options.address;
    this.#options = options;
    this.#clock = options.clock;
    this.#series = options.random.bytes(SERIES_NAME_BYTES);
    this.#sweep = new DeadlineSweep(options.clock, (nowMs) => this.#expire(nowMs));
  }

  /** No call is under way or waits, and no connection is open. */
  get isUnused(): boolean {
    return (this.#state.kind === 'idle' || this.#state.kind === 'pausing') && this.#waiting.size === 0;
  }

  call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q, options: CallOptions): Promise<Reply<S>> {
    return new Promise((resolve, reject) => {
      const nowMs = this.#clock.nowMs();
      const call = new UnaryCall<S>({
        method,
        deadlineMs: nowMs + Math.min(options.timeoutMs, CALL_DEADLINE_MS_MAX),
        resolve,
        reject,
      });
      this.#begin(call, method, request, options, nowMs);
    });
  }

  stream<Q, S>(method: Method<Q, S> & { stream: 'server' }, request: Q, options: CallOptions): AsyncIterable<Reply<S>> {
    return {
      [Symbol.asyncIterator]: () => {
        const call = new StreamCall<S>({
          method,
          timeoutMs: Math.min(options.timeoutMs, CALL_DEADLINE_MS_MAX),
          serverTimeMs: CALL_DEADLINE_MS_MAX,
          carrier: this,
        });
        this.#begin(call, method, request, options, this.#clock.nowMs());
        return call;
      },
    };
  }

  close(reason?: FsError): void {
    const error = reason ?? new FsError('CANCELLED', `the channel to ${this.address} was closed`);
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed', reason: error };
    this.#sweep.stop();
    this.#failWaiting(error);
    this.#shaking?.close();
    if (state.kind === 'open') state.connection.shut(error);
    this.#options.closed();
  }

  // ---- StreamCarrier ----

  nowMs(): number {
    return this.#clock.nowMs();
  }

  watch(call: ClientCall): void {
    this.#sweep.note(call.deadlineMs);
  }

  grant(call: ClientCall, credit: number): void {
    if (this.#state.kind === 'open') this.#state.connection.grant(call, credit);
  }

  cancel(call: ClientCall): void {
    if (this.#waiting.has(call)) this.#giveUp(call);
    else if (this.#state.kind === 'open') this.#state.connection.cancel(call);
  }

  // ---- Starting calls ----

  /** Sends the request or has it wait for a connection; what refuses it settles the call. */
  #begin<Q, S>(
    call: UnaryCall<S> | StreamCall<S>,
    method: Method<Q, S>,
    request: Q,
    options: CallOptions,
    nowMs: number,
  ): void {
    try {
      call.outgoing = { message: this.#prepare(method, request, options), data: options.data };
      if (options.signal !== undefined) call.settled = this.#hook(call, options.signal);
      this.#start(call, nowMs);
    } catch (error) {
      call.failed(toFsError(error));
      options.data?.sent?.();
    }
  }

  /** Checks the request and encodes it. */
  #prepare<Q, S>(method: Method<Q, S>, request: Q, options: CallOptions): Uint8Array {
    if (this.#state.kind === 'closed') throw this.#state.reason;
    if (options.signal?.aborted === true) throw cancelled(method.name);
    if (!(options.timeoutMs > 0)) {
      throw new FsError('DEADLINE_EXCEEDED', `no time was left to call ${method.name}; nothing was sent`);
    }
    const message = encoded(method, request);
    const dataBytes = options.data === undefined ? 0 : lengthOf(options.data.buffers);
    if (message.length > FRAME_MESSAGE_BYTES_MAX || dataBytes > FRAME_DATA_BYTES_MAX) {
      throw new FsError(
        'TOO_LARGE',
        `the request of ${method.name} has ${message.length} bytes and ${dataBytes} of data; a frame takes ` +
          `${FRAME_MESSAGE_BYTES_MAX} and ${FRAME_DATA_BYTES_MAX}: send it in parts`,
      );
    }
    const open = this.#state.kind === 'open' ? this.#state.connection : undefined;
    const callCount = this.#waiting.size + (open?.openCallCount ?? 0);
    const queuedBytes = this.#waitingBytes + (open?.unsentBytes ?? 0);
    if (callCount >= CHANNEL_OPEN_CALLS_MAX || queuedBytes > CHANNEL_QUEUED_BYTES_MAX) {
      throw new FsError(
        'OVERLOADED',
        `${callCount} calls and ${queuedBytes} bytes wait for ${this.address}: wait for some to end`,
      );
    }
    return message;
  }

  #start(call: ClientCall, nowMs: number): void {
    this.#usedAtMs = nowMs;
    const state = this.#state;
    if (state.kind === 'open') {
      state.connection.start(call, nowMs);
      this.#sweep.note(Math.min(call.deadlineMs, state.connection.watchMs));
      return;
    }
    if (state.kind === 'pausing' && call.deadlineMs <= state.untilMs) throw state.error;
    this.#waiting.set(call, this.#clock.wallMs() + call.deadlineMs - nowMs);
    this.#waitingBytes += outgoingBytes(call);
    this.#sweep.note(call.deadlineMs);
    if (state.kind === 'pausing') this.#sweep.note(state.untilMs);
    else if (state.kind === 'idle') this.#connect();
  }

  /** Listens to the caller's signal until the returned function runs. */
  #hook(call: ClientCall, signal: AbortSignal): () => void {
    return onAbort(signal, () => {
      this.cancel(call);
      call.failed(cancelled(call.method.name));
    });
  }

  // ---- Connecting ----

  #connect(): void {
    this.#state = { kind: 'connecting' };
    this.#options.network.connect(this.address, CONNECT_TIMEOUT_MS).then(
      (connection) => {
        if (this.#state.kind === 'closed') {
          connection.close();
          return;
        }
        this.#connectionCount += 1;
        const shaking: ClientConnection = new ClientConnection({
          clock: this.#clock,
          buffers: this.#options.buffers,
          isServer: this.#options.isServer,
          place: { name: this.#series, number: this.#connectionCount },
          connection,
          welcomed: () => this.#opened(shaking),
          ended: (error) => this.#ended(error),
        });
        if (this.#state.kind !== 'connecting') return; // already gone
        this.#shaking = shaking;
        this.#sweep.note(this.#clock.nowMs() + HANDSHAKE_TIMEOUT_MS);
      },
      (error: unknown) => {
        if (this.#state.kind === 'closed') return;
        const why = toError(error).message;
        const message = why.includes(this.address) ? why : `cannot connect to ${this.address}: ${why}`;
        const kind = isFsError(error, 'NAME_UNRESOLVED') ? error.kind : 'CONNECTION_REFUSED';
        this.#refused(new FsError(kind, message, { cause: error }));
      },
    );
  }

  #opened(connection: ClientConnection): void {
    this.#shaking = undefined;
    this.#refusalCount = 0;
    this.#state = { kind: 'open', connection };
    const nowMs = this.#clock.nowMs();
    this.#usedAtMs = nowMs;
    // A process that stood still, or a machine that slept, may come by here before its timers do: what is late is not sent.
    this.#expireWaiting(nowMs, `no connection to ${this.address} came about in time`);
    const waiting = [...this.#waiting.keys()];
    this.#waiting.clear();
    this.#waitingBytes = 0;
    for (const call of waiting) connection.start(call, nowMs);
    this.#sweep.note(connection.watchMs);
  }

  #ended(error: FsError): void {
    this.#shaking = undefined;
    if (this.#state.kind === 'closed') return;
    if (this.#state.kind === 'connecting') {
      this.#refused(error);
      return;
    }
    this.#options.log.debug('connection ended', { address: this.address, reason: error.message });
    this.#state = { kind: 'idle' };
  }

  /** No connection came about: everyone who waits for it is told, and the next try has to wait. */
  #refused(error: FsError): void {
    const pauseMs = Math.min(RECONNECT_PAUSE_MS_MIN * 2 ** this.#refusalCount, RECONNECT_PAUSE_MS_MAX);
    const jitter = 0.5 + this.#options.random.uint32() / 2 ** 33;
    this.#refusalCount += 1;
    this.#state = { kind: 'pausing', untilMs: this.#clock.nowMs() + pauseMs * jitter, error };
    this.#failWaiting(error);
  }

  #failWaiting(error: FsError): void {
    for (const call of [...this.#waiting.keys()]) {
      this.#giveUp(call);
      call.failed(error);
    }
  }

  #giveUp(call: ClientCall): void {
    this.#waiting.delete(call);
    this.#waitingBytes -= outgoingBytes(call);
    call.outgoing?.data?.sent?.();
    call.outgoing = undefined;
  }

  // ---- Time ----

  #expire(nowMs: number): number {
    const shakingMs = this.#shaking?.expire(nowMs) ?? Number.POSITIVE_INFINITY;
    const why =
      this.#shaking === undefined
        ? `no connection to ${this.address} came about in time`
        : `${this.address} accepts connections and says nothing: check host and port, and whether that server runs`;
    const earliestMs = Math.min(shakingMs, this.#expireWaiting(nowMs, why));
    const state = this.#state;
    if (state.kind === 'open') return Math.min(earliestMs, this.#expireOpen(state.connection, nowMs));
    if (state.kind !== 'pausing' || this.#waiting.size === 0) return earliestMs;
    if (nowMs < state.untilMs) return Math.min(earliestMs, state.untilMs);
    this.#connect();
    return earliestMs;
  }

  /** Fails what waits for too long by either clock; returns when the next one will. */
  #expireWaiting(nowMs: number, why: string): number {
    const wallMs = this.#clock.wallMs();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [call, untilWallMs] of [...this.#waiting]) {
      if (call.deadlineMs > nowMs && untilWallMs > wallMs) {
        earliestMs = Math.min(earliestMs, call.deadlineMs);
        continue;
      }
      this.#giveUp(call);
      call.failed(new FsError('CONNECTION_REFUSED', why));
    }
    return earliestMs;
  }

  #expireOpen(connection: ClientConnection, nowMs: number): number {
    const earliestMs = connection.expire(nowMs);
    if (connection.openCallCount > 0) return earliestMs;
    const idleAtMs = this.#usedAtMs + CONNECTION_IDLE_MS;
    if (nowMs < idleAtMs) return Math.min(earliestMs, idleAtMs);
    connection.close('idle');
    return Number.POSITIVE_INFINITY;
  }
}

/** No two channels have the same, wherever they are. */
const SERIES_NAME_BYTES = 16;

function outgoingBytes(call: ClientCall): number {
  if (call.outgoing === undefined) return 0;
  const { message, data } = call.outgoing;
  return message.length + (data === undefined ? 0 : lengthOf(data.buffers));
}

function encoded<Q, S>(method: Method<Q, S>, request: Q): Uint8Array {
  try {
    return encodeMessage(method.request, request);
  } catch (error) {
    const message = `the request of ${method.name} holds a value that no message can: ${(error as Error).message}`;
    throw new FsError('INVALID_ARGUMENT', message, { cause: error });
  }
}

function cancelled(method: string): FsError {
  return new FsError('CANCELLED', `the caller cancelled ${method}`);
}
