/**
 * The shapes of the RPC layer, shared by its client and server half and by every handler. Handlers are written once
 * against these and know no transport: the framed protocol calls them, and so does gRPC (`runtime`).
 */
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Address, FsError } from '@cairnfs/base';
import type { PooledBytes } from './pooled-bytes.ts';

/** What ts-proto generates for a message. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): { finish(): Uint8Array };
  decode(input: BinaryReader | Uint8Array): T;
}

/** One method of the framed protocol. `id` is its number on the wire, never reused. */
export interface Method<Request, Response> {
  readonly id: number;
  readonly name: string; // 'Master.Stat'
  readonly stream: 'none' | 'server';
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

/** A message and the raw data beside it. */
export interface Payload<T> {
  readonly message: T;
  readonly data?: DataPart;
}

/** Raw data of one frame: buffers sent one after another, and the CRC32C over all of them. */
export interface DataPart {
  readonly buffers: readonly Uint8Array[];
  readonly checksum: number;
  /** Runs once when the buffers may be reused: sent, or given up. */
  readonly sent?: () => void;
}

/** Raw data that arrived with a frame. The RPC layer has *not* verified `checksum` unless the method's handler says so. */
export interface ReceivedData {
  /** Exactly the frame's data. Lives until `memory` is released for the last time. */
  readonly bytes: Uint8Array;
  /** CRC32C the sender states. Verify (`verifyData`) before use; block checksums may be combined into it instead. */
  readonly checksum: number;
  /** One reference is the receiver's. The server releases a request's when its handler settles; a caller of `call` releases a reply's. */
  readonly memory: PooledBytes;
}

export interface CallContext {
  /** On this process's monotonic clock; never later than `CALL_DEADLINE_MS_MAX` from arrival. */
  readonly deadlineMs: number;
  /** Aborts when the caller cancelled, its connection closed, or the deadline passed. Made when first asked for. */
  readonly signal: AbortSignal;
  readonly peer: Address;
  readonly data: ReceivedData | undefined;
  /**
   * Takes memory for the answer, before it is made, until it has left: whoever answers with more than some KiB asks. So what
   * peers have asked for and do not take is bounded. Until it has answered, it asks no other server for what needs room there.
   *
   * @returns undefined when there is room; otherwise it resolves when there is, and rejects when the call is aborted before.
   */
  room(bytes: number): Promise<void> | undefined;
}

/** May answer synchronously: then the reply joins the batch of this tick. Throws `FsError` to refuse. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Payload<Response> | Promise<Payload<Response>>;

/** Items are pulled one by one as the receiver's credit allows. */
export type ServerStreamHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => AsyncIterable<Payload<Response>>;

/** The framed server side: register handlers, then feed it connections. */
export interface RpcRouter {
  handle<Q, S>(method: Method<Q, S> & { stream: 'none' }, handler: UnaryHandler<Q, S>): void;
  handleStream<Q, S>(method: Method<Q, S> & { stream: 'server' }, handler: ServerStreamHandler<Q, S>): void;
}

export interface CallOptions {
  /** From now; the server learns it. Required: no call waits for ever. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly data?: DataPart;
}

export interface Reply<T> {
  readonly message: T;
  readonly data: ReceivedData | undefined;
}

/**
 * Calls to one address. Connects when first used, again after a loss (with a pause that grows), and fails the calls
 * that were under way with `CONNECTION_LOST`: it never repeats a call by itself, because only the caller knows whether
 * that is safe.
 */
export interface RpcChannel {
  readonly address: Address;
  call<Q, S>(method: Method<Q, S> & { stream: 'none' }, request: Q, options: CallOptions): Promise<Reply<S>>;
  /** Pulls items with credit; ending the iteration early cancels the call. `timeoutMs` bounds the wait for each item. */
  stream<Q, S>(method: Method<Q, S> & { stream: 'server' }, request: Q, options: CallOptions): AsyncIterable<Reply<S>>;
  /** Fails what is under way with `CANCELLED`. */
  close(reason?: FsError): void;
}

/** Channels by address, shared by everyone in the process who talks to it; idle ones are closed. */
export interface RpcPool {
  /** Never throws: where there is no room for another address, calls of the channel fail with `OVERLOADED`. */
  channel(address: Address): RpcChannel;
  close(): void;
}
