/**
 * gRPC for every language: the services `Master` and `Chunkserver`, answered by the handlers of the framed protocol.
 * Connections come from the shared port, told apart by their first bytes (docs/decisions/0002-two-transports.md).
 */
import type { Socket } from 'node:net';
import { type Address, asBuffer, type Clock, crc32c, FsError, isFsError, type Log } from '@cairnfs/base';
import {
  type AnswerShare,
  type ChunkStreams,
  ChunkserverDataMethods,
  ChunkserverDefinition,
  type Codec,
  MasterDefinition,
  MasterMethods,
  type Method,
  type MutateRequest,
  PooledBytes,
  type ReceivedData,
  type ReplicateChunkRequest,
  type RetrieveChunkRequest,
  type StoreChunkRequest,
  type UnaryHandler,
} from '@cairnfs/protocol';
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { GrpcCall, type SurfaceCall } from './grpc-call.ts';
import { GrpcPeer } from './grpc-peer.ts';
import { CLOSE_GRACE_MS, GRPC_CONNECTIONS_MAX, SERVER_OPTIONS } from './limits.ts';
import { toGrpcStatus } from './status.ts';
import { endLateCall } from './underlying-call.ts';

/** Where handlers are registered: `RpcServer` is one. Asked at each call, so the order of construction does not matter. */
export interface UnaryHandlers {
  unaryHandler<Q, S>(method: Method<Q, S> & { stream: 'none' }): UnaryHandler<Q, S> | undefined;
  /** Counts a call that ended; `error` is what its handler threw. */
  record(method: { readonly id: number }, durationMs: number, error: unknown): void;
  /**
   * Counts a call, and what its request holds in memory, until the function returned is called.
   *
   * @throws FsError OVERLOADED  as many as there may be are under way.
   */
  admit(requestBytes: number): () => void;
  /** For one connection, in the memory that answers may hold. */
  answerShare(): AnswerShare;
}

export interface GrpcServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: UnaryHandlers;
  /** The chunkserver's streaming calls; without them they are UNIMPLEMENTED. */
  readonly chunkStreams?: ChunkStreams;
  /** Open at once. @default GRPC_CONNECTIONS_MAX */
  readonly connectionsMax?: number;
}

export interface GrpcServer {
  /** Serves a socket whose first bytes, the HTTP/2 preface included, can still be read (`unshift` what was). */
  accept(socket: Socket): void;
  /** Lets calls under way end for a moment, then closes every connection. */
  close(): Promise<void>;
}

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const server = new Server(SERVER_OPTIONS);
  const adapter = new Adapter(options);
  const master = MasterDefinition.fullName;
  for (const name of Object.keys(MasterMethods) as (keyof typeof MasterMethods)[]) {
    const definition: Definition = MasterDefinition.methods[name];
    const method: Method<unknown, unknown> & { stream: 'none' } = MasterMethods[name];
    register(server, master, definition, (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) => {
      void adapter.unary(method, call.request, adapter.call(call), answer);
    });
  }
  registerChunkserver(server, adapter, options);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept: (socket) => {
      if (adapter.connected(socket)) injector.injectConnection(socket);
      else socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        injector.drain(CLOSE_GRACE_MS);
        const timer = setTimeout(() => server.forceShutdown(), CLOSE_GRACE_MS);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function registerChunkserver(server: Server, adapter: Adapter, { chunkStreams }: GrpcServerOptions): void {
  const { fullName, methods } = ChunkserverDefinition;
  register(
    server,
    fullName,
    methods.mutate,
    (call: ServerUnaryCall<MutateRequest, unknown>, answer: sendUnaryData<unknown>) => {
      const context = adapter.call(call, dataOf(call.request));
      void adapter.unary(ChunkserverDataMethods.mutateChunk, call.request, context, answer);
    },
  );
  if (chunkStreams === undefined) return;
  const streams = chunkStreams;
  type Answer = sendUnaryData<unknown>;
  register(
    server,
    fullName,
    methods.storeChunk,
    (call: ServerReadableStream<StoreChunkRequest, unknown>, answer: Answer) => {
      const context = adapter.call(call);
      void adapter.answer(methods.storeChunk.name, context, answer, () =>
        streams.storeChunk(requestsOf(call, context), context),
      );
    },
  );
  register(server, fullName, methods.retrieveChunk, (call: ServerWritableStream<RetrieveChunkRequest, unknown>) => {
    const context = adapter.call(call);
    void adapter.send(methods.retrieveChunk.name, call, context, () => streams.retrieveChunk(call.request, context));
  });
  register(server, fullName, methods.replicateChunk, (call: ServerDuplexStream<ReplicateChunkRequest, unknown>) => {
    const context = adapter.call(call);
    const requests = requestsOf(call, context);
    void adapter.send(methods.replicateChunk.name, call, context, () => streams.replicateChunk(requests, context));
  });
}

/** Runs handlers and turns what they return or throw into gRPC's answers. */
class Adapter {
  readonly #options: GrpcServerOptions;
  /** Connections by the name that calls have for their peer. */
  readonly #peers = new Map<Address, GrpcPeer>();

  constructor(options: GrpcServerOptions) {
    this.#options = options;
  }

  /** @returns false when there are as many as there may be. */
  connected(socket: Socket): boolean {
    const { connectionsMax = GRPC_CONNECTIONS_MAX, handlers, log } = this.#options;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    if (this.#peers.size >= connectionsMax) {
      log.info('connection closed', {
        peer,
        reason: `there are ${connectionsMax} over gRPC, the most this server takes`,
      });
      return false;
    }
    const known = new GrpcPeer(socket, handlers.answerShare());
    this.#peers.set(peer, known);
    socket.once('close', () => {
      if (this.#peers.get(peer) === known) this.#peers.delete(peer);
    });
    return true;
  }

  call(call: SurfaceCall, data?: ReceivedData): GrpcCall {
    const { clock, handlers, log } = this.#options;
    const peer = this.#peers.get(call.getPeer());
    const share = peer?.share ?? handlers.answerShare();
    const drop = (reason: string): void => {
      if (peer === undefined || peer.socket.destroyed) return;
      log.info('connection closed', { peer: call.getPeer(), reason });
      peer.socket.destroy();
    };
    const endLate = (reason: FsError, isUntaken: boolean): void => {
      if (!endLateCall(call, reason, isUntaken)) drop('a call of it ended late');
    };
    return new GrpcCall(call, { clock, share, sentBytes: () => peer?.sentBytes ?? 0, drop, endLate }, data);
  }

  unary<Q, S>(
    method: Method<Q, S> & { stream: 'none' },
    request: Q,
    context: GrpcCall,
    answer: sendUnaryData<S>,
  ): Promise<void> {
    const { clock, handlers } = this.#options;
    const startedMs = clock.nowMs();
    return this.answer(method.name, context, answer, async () => {
      const handler = handlers.unaryHandler(method);
      if (handler === undefined) {
        throw new FsError('UNKNOWN_METHOD', `${method.name} is not served here: ask a server of the other role`);
      }
      let failure: unknown;
      try {
        const { message, data } = await handler(request, context);
        data?.sent?.(); // no method of gRPC answers with raw data
        return message;
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        handlers.record(method, clock.nowMs() - startedMs, failure);
      }
    });
  }

  /** One answer: of a unary call or to a client's stream. */
  async answer<S>(name: string, context: GrpcCall, answer: sendUnaryData<S>, run: () => Promise<S>): Promise<void> {
    let leave: (() => void) | undefined;
    try {
      leave = this.#options.handlers.admit(context.data?.bytes.length ?? 0);
      const message = await run();
      context.answering();
      answer(null, message);
    } catch (error) {
      this.#report(name, error);
      context.answered();
      answer(toGrpcStatus(error));
    } finally {
      leave?.();
      context.data?.memory.release();
    }
  }

  /** A stream of answers. Each is taken by the transport before the next is asked for. */
  async send<S>(name: string, call: AnswerStream<S>, context: GrpcCall, run: () => AsyncIterable<S>): Promise<void> {
    let leave: (() => void) | undefined;
    try {
      leave = this.#options.handlers.admit(0);
      for await (const item of run()) {
        if (context.abortReason !== undefined) return;
        await new Promise<void>((resolve) => {
          context.onEnd(resolve);
          context.answering();
          call.write(item, () => resolve());
        });
        context.answered();
        if (context.abortReason !== undefined) return;
      }
      call.end();
    } catch (error) {
      if (context.abortReason === undefined || error !== context.abortReason) this.#report(name, error);
      if (context.abortReason === undefined) call.emit('error', toGrpcStatus(error)); // grpc-js ends the call with it
    } finally {
      leave?.();
      context.answered();
    }
  }

  #report(method: string, error: unknown): void {
    if (isFsError(error) && error.kind !== 'INTERNAL') return;
    this.#options.log.error('handler failed', { method, error });
  }
}

interface AnswerStream<S> {
  write(item: S, written: () => void): boolean;
  end(): void;
  emit(event: 'error', status: unknown): boolean;
}

/** The caller's messages, read only as they are asked for. Leaving the iteration leaves the call open for its answer. */
async function* requestsOf<Q>(call: ServerReadableStream<Q, unknown>, context: GrpcCall): AsyncGenerator<Q> {
  try {
    for await (const request of call.iterator({ destroyOnReturn: false })) yield request as Q;
  } catch (error) {
    throw (
      context.abortReason ?? new FsError('CONNECTION_LOST', `the stream from ${context.peer} broke`, { cause: error })
    );
  }
  if (context.abortReason !== undefined) throw context.abortReason;
}

/** Over gRPC the bytes of a mutation travel inside the message; handlers find them where frames put them. */
function dataOf(request: MutateRequest): ReceivedData {
  const bytes = request.data;
  return { bytes, checksum: request.checksum ?? crc32c(bytes), memory: new PooledBytes(bytes) };
}

// ---- grpc-js's own shapes ----

interface Definition {
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestType: Codec<unknown>;
  readonly responseType: Codec<unknown>;
}

type CallType = 'unary' | 'clientStream' | 'serverStream' | 'bidi';

function register(server: Server, service: string, definition: Definition, handle: unknown): void {
  const { requestStream, responseStream } = definition;
  const type: CallType = requestStream
    ? responseStream
      ? 'bidi'
      : 'clientStream'
    : responseStream
      ? 'serverStream'
      : 'unary';
  const { path, responseSerialize, requestDeserialize } = methodDefinition(service, definition);
  server.register(path, handle as UntypedHandleCall, responseSerialize, requestDeserialize, type);
}

/** A method as grpc-js's servers and clients want it. */
export function methodDefinition(service: string, definition: Definition): MethodDefinition<unknown, unknown> {
  const { requestStream, responseStream, requestType, responseType } = definition;
  return {
    path: `/${service}/${definition.name}`,
    requestStream,
    responseStream,
    requestSerialize: (message) => asBuffer(requestType.encode(message).finish()),
    requestDeserialize: (bytes) => requestType.decode(bytes),
    responseSerialize: (message) => asBuffer(responseType.encode(message).finish()),
    responseDeserialize: (bytes) => responseType.decode(bytes),
  };
}
