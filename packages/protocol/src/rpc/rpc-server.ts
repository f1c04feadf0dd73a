/** The server half of the framed protocol: handlers by method, connections by `accept`. */
import { AssertionError, type Clock, type Connection, FsError, type Log } from '@cairnfs/base';
import {
  SERVER_ANSWER_BYTES_MAX,
  SERVER_ANSWER_SHARE_BYTES_MAX,
  SERVER_CALLS_MAX,
  SERVER_CONNECTIONS_MAX,
  SERVER_OPEN_CALLS_MAX,
  SERVER_OPEN_DATA_BYTES_MAX,
  SERVER_OPEN_STREAMS_MAX,
  SERVER_RECEIVED_BYTES_MAX,
  SERVER_UNSENT_BYTES_MAX,
} from '../limits.ts';
import { AnswerRoom, type AnswerShare } from './answer-room.ts';
import { BufferPool } from './buffer-pool.ts';
import { ConnectionSeries } from './connection-series.ts';
import { type MethodStatistics, MethodTable } from './method-table.ts';
import { ReceiveBudget } from './receive-budget.ts';
import { type ServerLoad, tooManyCalls } from './refusal.ts';
import { ServerConnection, type Traffic } from './server-connection.ts';
import type { Method, RpcRouter, ServerStreamHandler, UnaryHandler } from './types.ts';

/** Bounds of one connection, and of all together. */
export interface RpcServerLimits {
  /** Calls of clients under way over all connections; a further one is refused with OVERLOADED. */
  readonly callsMax: number;
  /** Connections; a client beyond is refused with OVERLOADED, at twice as many everybody is closed at once. */
  readonly connectionsMax: number;
  /** Unary calls under way; past it the connection is not read. */
  readonly openCallsMax: number;
  /** Streams under way; a further one is refused with OVERLOADED. */
  readonly openStreamsMax: number;
  /** Request data those calls hold; past it the connection is not read. */
  readonly openDataBytesMax: number;
  /** Response bytes the peer has not taken; past it the connection is not read. */
  readonly unsentBytesMax: number;
  /** Memory that the requests of all connections hold; past it frames of clients wait. */
  readonly receivedBytesMax: number;
  /** Memory that the answers of all connections hold, and those of one; past it bulk answers wait before they are made. */
  readonly answerBytesMax: number;
  readonly answerShareBytesMax: number;
}

/** What the server has answered, as plain numbers. */
export interface RpcStatistics extends Readonly<Traffic> {
  /** One entry for each method handled; calls over other transports count too. */
  readonly methods: readonly MethodStatistics[];
  /** Open now. */
  readonly connectionCount: number;
}

export interface RpcServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<RpcServerLimits>;
  /** Receives the broken invariants (`AssertionError`) that handlers throw. Without it they are logged and answered. */
  readonly fatal?: (error: Error) => void;
  /** Shared with the process's `RpcPool`, so that both draw on the same free buffers. */
  readonly buffers?: BufferPool;
}

export function createRpcServer(options: RpcServerOptions): RpcServer {
  return new RpcServer(options);
}

export class RpcServer implements RpcRouter {
  readonly #options: RpcServerOptions;
  readonly #limits: RpcServerLimits;
  readonly #buffers: BufferPool;
  readonly #budget: ReceiveBudget;
  readonly #room: AnswerRoom;
  readonly #methods = new MethodTable();
  readonly #series = new ConnectionSeries<ServerConnection>();
  readonly #connections = new Set<ServerConnection>();
  readonly #traffic: Traffic = { receivedBytes: 0, sentBytes: 0 };
  readonly #load: ServerLoad = { callCount: 0, connectionCount: () => this.#connections.size };
  #closed = false;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#buffers = options.buffers ?? new BufferPool();
    this.#limits = {
      callsMax: SERVER_CALLS_MAX,
      connectionsMax: SERVER_CONNECTIONS_MAX,
      openCallsMax: SERVER_OPEN_CALLS_MAX,
      openStreamsMax: SERVER_OPEN_STREAMS_MAX,
      openDataBytesMax: SERVER_OPEN_DATA_BYTES_MAX,
      unsentBytesMax: SERVER_UNSENT_BYTES_MAX,
      receivedBytesMax: SERVER_RECEIVED_BYTES_MAX,
      answerBytesMax: SERVER_ANSWER_BYTES_MAX,
      answerShareBytesMax: SERVER_ANSWER_SHARE_BYTES_MAX,
      ...options.limits,
    };
    const { receivedBytesMax, answerBytesMax: bytesMax, answerShareBytesMax: shareBytesMax } = this.#limits;
    this.#budget = new ReceiveBudget(receivedBytesMax);
    this.#room = new AnswerRoom({ bytesMax, shareBytesMax });
  }

  handle<Q, S>(method: Method<Q, S> & { stream: 'none' }, handler: UnaryHandler<Q, S>): void {
    this.#methods.handle(method, handler);
  }

  handleStream<Q, S>(method: Method<Q, S> & { stream: 'server' }, handler: ServerStreamHandler<Q, S>): void {
    this.#methods.handleStream(method, handler);
  }

  /** The handler registered for a method, so that another transport can serve it too. */
  unaryHandler<Q, S>(method: Method<Q, S> & { stream: 'none' }): UnaryHandler<Q, S> | undefined {
    return this.#methods.unaryHandler(method);
  }

  /** Serves a connection whose first bytes, the preface included, are still to be read. */
  accept(connection: Connection): void {
    if (this.#closed || this.#connections.size >= 2 * this.#limits.connectionsMax) {
      connection.close();
      return;
    }
    const served: ServerConnection = new ServerConnection({
      clock: this.#options.clock,
      log: this.#options.log,
      limits: this.#limits,
      buffers: this.#buffers,
      budget: this.#budget,
      room: this.#room,
      load: this.#load,
      methods: this.#methods,
      traffic: this.#traffic,
      connection,
      series: this.#series,
      reportUnexpected: (method, error) => this.#reportUnexpected(method, error),
      ended: () => this.#connections.delete(served),
    });
    this.#connections.add(served);
  }

  /** Memory that requests hold, of all connections. */
  get receivedBytes(): number {
    return this.#budget.heldBytes;
  }

  /** Memory that answers hold until they have left, of all connections. */
  get answerBytes(): number {
    return this.#room.heldBytes;
  }

  /** A share in the room for answers, for a call that another transport brings. */
  answerShare(): AnswerShare {
    return this.#room.share();
  }

  /** Calls under way, of all connections. */
  get callCount(): number {
    return this.#load.callCount;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Since the start. */
  statistics(): RpcStatistics {
    const { receivedBytes, sentBytes } = this.#traffic;
    return { methods: this.#methods.statistics(), receivedBytes, sentBytes, connectionCount: this.connectionCount };
  }

  /**
   * Counts a call that another transport brings, with what its request holds in memory, until the function returned is called.
   *
   * @throws FsError OVERLOADED  as many as there may be are under way.
   */
  admit(requestBytes: number): () => void {
    const { callsMax, receivedBytesMax } = this.#limits;
    const { heldBytes } = this.#budget;
    if (this.#load.callCount >= callsMax) throw tooManyCalls(callsMax);
    if (requestBytes > 0 && heldBytes > 0 && heldBytes + requestBytes > receivedBytesMax) {
      throw new FsError('OVERLOADED', `requests of ${heldBytes} bytes are under way at this server: try again`);
    }
    this.#load.callCount += 1;
    this.#budget.take(requestBytes);
    return () => {
      this.#load.callCount -= 1;
      this.#budget.release(requestBytes);
    };
  }

  /** Counts a call that another transport brought to `unaryHandler`. */
  record(method: { readonly id: number }, durationMs: number, error: unknown): void {
    this.#methods.find(method.id)?.record(durationMs, error);
  }

  /** Closes every connection; the signals of calls under way abort. */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#connections]) connection.close();
  }

  /** What handlers throw that is no refusal: our own mistake. */
  #reportUnexpected(method: string, error: unknown): void {
    if (error instanceof FsError && error.kind !== 'INTERNAL') return;
    this.#options.log.error('handler failed', { method, error });
    if (error instanceof AssertionError) this.#options.fatal?.(error);
  }
}
