/**
 * One accepted connection: handshake, requests to handlers, answers back.
 *
 * Invariants: every request is answered once, or nobody waits for it any more; a request's data is released when its
 * handler settles; a stream never sends beyond its credit; what is open and unsent stays within the limits, because
 * past them the connection is not read, bulk answers wait for room before they are made, and a peer that takes none ends.
 */
import { assert, type Clock, type Connection, FsError, type Log } from '@cairnfs/base';
import {
  CALL_DEADLINE_MS_MAX,
  CONNECTION_IDLE_MS,
  FRAME_DATA_BYTES_MAX,
  FRAME_MESSAGE_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  SERVER_UNSENT_BYTES_SHORT,
  STREAM_CREDIT_MAX,
} from '../limits.ts';
import type { AnswerRoom } from './answer-room.ts';
import { AnswersSent } from './answers-sent.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { ConnectionSeries, PlaceInSeries } from './connection-series.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import { encodeErrorDetail } from './error-detail.ts';
import { FRAME_HEADER_BYTES, type FrameHeader, FrameKind, PREFACE } from './frame.ts';
import { FrameReader, type FrameSink, messageMemory } from './frame-reader.ts';
import { FrameWriter, lengthOf, type OutgoingFrame } from './frame-writer.ts';
import { judgeHello } from './handshake.ts';
import type { MethodEntry, MethodTable } from './method-table.ts';
import type { ReceiveBudget } from './receive-budget.ts';
import { refusalOf, type ServerLoad } from './refusal.ts';
import type { RpcServerLimits } from './rpc-server.ts';
import { sendItems } from './send-items.ts';
import { ServerCall } from './server-call.ts';
import type { DataPart, Payload, ReceivedData } from './types.ts';
import { decodeMessage, encodeMessage } from './wire.ts';

export interface ServerConnectionOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RpcServerLimits;
  readonly buffers: BufferPool;
  /** Of all connections together. */
  readonly budget: ReceiveBudget;
  readonly room: AnswerRoom;
  readonly load: ServerLoad;
  readonly methods: MethodTable;
  /** Shared by the connections of a server; each adds to it. */
  readonly traffic: Traffic;
  readonly connection: Connection;
  readonly series: ConnectionSeries<ServerConnection>;
  readonly reportUnexpected: (method: string, error: unknown) => void;
  readonly ended: () => void;
}

/** Bytes of whole frames. */
export interface Traffic {
  receivedBytes: number;
  sentBytes: number;
}

/** The client closes after half of it; this is for peers that vanished. */
const SILENCE_MS_MAX = 2 * CONNECTION_IDLE_MS;

export class ServerConnection implements FrameSink {
  readonly #options: ServerConnectionOptions;
  readonly #clock: Clock;
  readonly #peer: string;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #answers: AnswersSent;
  readonly #sweep: DeadlineSweep;
  readonly #calls = new Map<number, ServerCall>();
  readonly #handshakeDeadlineMs: number;
  #aliveAtMs: number;
  #welcomed = false;
  #place: PlaceInSeries | undefined;
  /** Told that no version suits both, or that there are too many; closed as soon as that has left. */
  #refused = false;
  #ended = false;
  #streamCount = 0;
  /** Data of requests under way. */
  #openDataBytes = 0;
  #overloaded = false;

  constructor(options: ServerConnectionOptions) {
    const { clock, connection, buffers } = options;
    this.#options = options;
    this.#clock = clock;
    this.#peer = connection.peer;
    this.#aliveAtMs = clock.nowMs();
    this.#handshakeDeadlineMs = this.#aliveAtMs + HANDSHAKE_TIMEOUT_MS;
    this.#writer = new FrameWriter(clock, connection);
    this.#answers = new AnswersSent(clock, this.#writer, options.room);
    this.#sweep = new DeadlineSweep(clock, (nowMs) => this.#expire(nowMs));
    this.#sweep.note(this.#handshakeDeadlineMs);
    this.#reader = new FrameReader({ connection, pool: buffers, sink: this, preface: PREFACE, budget: options.budget });
  }

  close(reason?: string): void {
    this.#reader.close(reason);
  }

  // ---- FrameSink ----

  frame(header: FrameHeader, message: Uint8Array, data: ReceivedData | undefined): void {
    this.#options.traffic.receivedBytes += FRAME_HEADER_BYTES + message.length + (data?.bytes.length ?? 0);
    if (header.kind === FrameKind.request && this.#welcomed) {
      this.#request(header, message, data);
      return;
    }
    this.#options.budget.release(messageMemory(header));
    data?.memory.release(); // no other kind from a client carries any
    if (!this.#welcomed) this.#handshake(header, message);
    else if (header.kind === FrameKind.cancel) this.#cancel(header.requestId);
    else if (header.kind === FrameKind.credit) this.#grant(header);
    else if (header.kind === FrameKind.ping) this.#send(FrameKind.pong, header.requestId, 0);
    else if (header.kind !== FrameKind.pong) this.close(`a client may not send frames of kind ${header.kind}`);
  }

  alive(): void {
    this.#aliveAtMs = this.#clock.nowMs();
  }

  drained(): void {
    this.#relax();
  }

  ended(reason: string | undefined): void {
    this.#ended = true;
    if (this.#place !== undefined) this.#options.series.ended(this.#place, this);
    this.#sweep.stop();
    if (reason !== undefined) this.#options.log.debug('connection ended', { peer: this.#peer, reason });
    const lost = new FsError('CONNECTION_LOST', `the connection to ${this.#peer} ended${reason ? `: ${reason}` : ''}`);
    for (const call of this.#calls.values()) call.abort(lost);
    this.#writer.end(); // gives room to others, but to no call that was just aborted
    this.#options.ended();
  }

  // ---- Handshake ----

  #handshake({ kind }: FrameHeader, message: Uint8Array): void {
    const { limits, load } = this.#options;
    const verdict = judgeHello(kind, message, this.#peer, load.connectionCount() > limits.connectionsMax);
    if (verdict.kind === 'noHello') {
      this.close('the first frame is not a hello');
    } else if (verdict.kind === 'refused') {
      this.#send(FrameKind.error, 0, 0, encodeErrorDetail(verdict.error));
      this.#writer.flush();
      this.#refused = true;
      this.#sweep.note(this.#clock.nowMs());
    } else if (!this.#options.series.begun(verdict.place, this)) {
      this.close('its client goes on over another connection');
    } else {
      this.#place = verdict.place;
      this.#welcomed = true;
      this.#reader.isUrgent = verdict.fromServer;
      this.#send(FrameKind.welcome, 0, 0, verdict.welcome);
      this.#sweep.note(this.#aliveAtMs + SILENCE_MS_MAX);
    }
  }

  // ---- Requests ----

  #request(header: FrameHeader, message: Uint8Array, data: ReceivedData | undefined): void {
    const entry = this.#options.methods.find(header.method);
    const nowMs = this.#clock.nowMs();
    const call = new ServerCall({
      requestId: header.requestId,
      method: header.method,
      startedMs: nowMs,
      deadlineMs: nowMs + Math.min(header.value, CALL_DEADLINE_MS_MAX),
      peer: this.#peer,
      data,
      messageMemory: messageMemory(header),
      watchDeadline: this.#watchDeadline,
      answers: this.#answers.share,
    });
    const refusal = refusalOf(call, entry, {
      server: this.#options,
      isIdInUse: this.#calls.has(call.requestId),
      isOfServer: this.#reader.isUrgent,
      streamCount: this.#streamCount,
    });
    if (refusal !== undefined || entry === undefined) {
      this.#answerError(call, refusal);
      this.#free(call);
      entry?.record(0, refusal);
      return;
    }
    let request: unknown;
    try {
      request = decodeMessage(entry.method.request, message);
    } catch (error) {
      const fault = new FsError('BAD_FRAME', `the request of ${entry.method.name} does not decode`, { cause: error });
      this.#settle(call, entry, fault, undefined);
      return;
    }
    if (entry.stream === undefined) this.#callUnary(call, entry, request);
    else void this.#runStream(call, entry, request);
  }

  #callUnary(call: ServerCall, entry: MethodEntry, request: unknown): void {
    let result: Payload<unknown> | Promise<Payload<unknown>>;
    try {
      result = entry.unary!(request, call);
    } catch (error) {
      this.#settle(call, entry, error, undefined);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#settle(call, entry, undefined, result);
      return;
    }
    this.#open(call);
    result.then(
      (payload) => this.#close(call, entry, undefined, payload),
      (error: unknown) => this.#close(call, entry, error ?? new Error('rejected without a reason'), undefined),
    );
  }

  #open(call: ServerCall): void {
    this.#calls.set(call.requestId, call);
    this.#options.load.callCount += 1;
    const { openCallsMax, openStreamsMax } = this.#options.limits;
    assert(this.#calls.size <= openCallsMax + openStreamsMax, () => `${this.#calls.size} calls are open`);
    this.#openDataBytes += call.data?.bytes.length ?? 0;
    this.#restrain();
  }

  /** The end of a call that was open. */
  #close(call: ServerCall, entry: MethodEntry, error: unknown, payload: Payload<unknown> | undefined): void {
    this.#calls.delete(call.requestId);
    this.#options.load.callCount -= 1;
    this.#openDataBytes -= call.data?.bytes.length ?? 0;
    this.#settle(call, entry, error, payload);
    this.#relax();
  }

  /** Answers, releases the request's data and counts. */
  #settle(call: ServerCall, entry: MethodEntry, error: unknown, payload: Payload<unknown> | undefined): void {
    let failure = error;
    if (call.abortReason !== undefined) payload?.data?.sent?.();
    else if (payload !== undefined) failure = this.#answer(call, entry, FrameKind.response, payload);
    if (failure !== undefined) {
      this.#options.reportUnexpected(entry.method.name, failure);
      if (call.abortReason === undefined) this.#answerError(call, failure);
    }
    this.#free(call);
    entry.record(this.#clock.nowMs() - call.startedMs, failure);
  }

  /** What the request held in memory, and what was taken for an answer that did not come. */
  #free(call: ServerCall): void {
    const { data, messageMemory: bytes } = call;
    call.releaseRoom();
    data?.memory.release();
    if (bytes > 0) this.#options.budget.release(bytes);
  }

  /** Writes a response or item; returns the error instead when it does not fit a frame. */
  #answer(call: ServerCall, entry: MethodEntry, kind: 2 | 5, payload: Payload<unknown>): unknown {
    const { requestId, method } = call;
    try {
      const message = encodeMessage(entry.method.response, payload.message);
      const dataBytes = payload.data === undefined ? 0 : lengthOf(payload.data.buffers);
      if (message.length > FRAME_MESSAGE_BYTES_MAX || dataBytes > FRAME_DATA_BYTES_MAX) {
        throw new FsError(
          'TOO_LARGE',
          `the answer of ${entry.method.name} has ${message.length} bytes and ${dataBytes} of data: ask for less`,
        );
      }
      this.#send(kind, requestId, method, message, payload.data, call.handOverRoom());
      return undefined;
    } catch (error) {
      payload.data?.sent?.();
      return error;
    }
  }

  #answerError(call: ServerCall, error: unknown): void {
    this.#send(FrameKind.error, call.requestId, call.method, encodeErrorDetail(error));
  }

  // ---- Streams ----

  async #runStream(call: ServerCall, entry: MethodEntry, request: unknown): Promise<void> {
    this.#open(call);
    this.#streamCount += 1;
    this.#sweep.note(call.deadlineMs);
    let failure: unknown;
    try {
      const send = (item: Payload<unknown>): unknown => this.#answer(call, entry, FrameKind.item, item);
      failure = await sendItems(call, entry.stream!(request, call)[Symbol.asyncIterator](), send);
      if (failure === undefined && call.abortReason === undefined) {
        this.#send(FrameKind.end, call.requestId, call.method);
      }
    } catch (error) {
      failure = error ?? new Error('rejected without a reason');
    }
    this.#streamCount -= 1;
    this.#close(call, entry, failure, undefined);
  }

  #grant(header: FrameHeader): void {
    const call = this.#calls.get(header.requestId);
    if (call === undefined) return; // it ended while the credit was on its way
    if (call.credit + header.value > STREAM_CREDIT_MAX) this.close(`credit of ${header.value} items`);
    else call.grant(header.value);
  }

  #cancel(requestId: number): void {
    this.#calls.get(requestId)?.abort(new FsError('CANCELLED', 'the caller cancelled the call'));
  }

  // ---- Time and pressure ----

  readonly #watchDeadline = (call: ServerCall): void => this.#sweep.note(call.deadlineMs);

  #expire(nowMs: number): number {
    if (!this.#welcomed) {
      if (!this.#refused && nowMs < this.#handshakeDeadlineMs) return this.#handshakeDeadlineMs;
      this.close(this.#refused ? 'refused' : `no hello within ${HANDSHAKE_TIMEOUT_MS} ms`);
      return Number.POSITIVE_INFINITY;
    }
    let earliestMs = this.#aliveAtMs + SILENCE_MS_MAX;
    if (earliestMs <= nowMs) {
      if (this.#calls.size === 0) {
        this.close('silent');
        return Number.POSITIVE_INFINITY;
      }
      earliestMs = nowMs + SILENCE_MS_MAX;
    }
    const fault = this.#answers.faultOfPeer(nowMs);
    if (fault !== undefined) {
      this.#options.log.info('connection closed', { peer: this.#peer, reason: fault });
      this.close(fault);
      return Number.POSITIVE_INFINITY;
    }
    earliestMs = Math.min(earliestMs, this.#answers.lookAtMs);
    for (const call of this.#calls.values()) {
      const isStream = this.#options.methods.find(call.method)?.stream !== undefined;
      if (call.abortReason !== undefined || !(call.isWatched || isStream)) continue;
      if (call.deadlineMs > nowMs) {
        earliestMs = Math.min(earliestMs, call.deadlineMs);
        continue;
      }
      const error = new FsError('DEADLINE_EXCEEDED', 'the time the caller gave this call is over');
      this.#answerError(call, error);
      call.abort(error);
    }
    return earliestMs;
  }

  /** @param roomBytes what was taken for it in the room for answers. */
  #send(
    kind: OutgoingFrame['kind'],
    requestId: number,
    method: number,
    message?: Uint8Array,
    data?: DataPart,
    roomBytes = 0,
  ): void {
    const dataBytes = data === undefined ? 0 : lengthOf(data.buffers);
    const bytes = FRAME_HEADER_BYTES + (message?.length ?? 0) + dataBytes;
    this.#options.traffic.sentBytes += bytes;
    if (this.#answers.count(bytes, roomBytes)) this.#sweep.note(this.#answers.lookAtMs);
    this.#writer.write({ kind, requestId, method, value: 0 }, message, data);
    this.#restrain();
  }

  /** Stops reading when too much is open or unsent. */
  #restrain(): void {
    if (this.#overloaded || this.#ended || this.#pressure() < 1) return;
    this.#overloaded = true;
    this.#reader.pause();
  }

  /** Reads on when half of the room is free again. */
  #relax(): void {
    if (!this.#overloaded || this.#ended || this.#pressure() > 0.5) return;
    this.#overloaded = false;
    this.#reader.resume();
  }

  /** The limit that is used most, as a ratio. Streams wait for credit that is still to be read, so they do not count. */
  #pressure(): number {
    const { limits, room } = this.#options;
    const { openCallsMax, openDataBytesMax, unsentBytesMax } = limits;
    return Math.max(
      (this.#calls.size - this.#streamCount) / openCallsMax,
      this.#openDataBytes / openDataBytesMax,
      this.#writer.unsentBytes / (room.isFull ? Math.min(unsentBytesMax, SERVER_UNSENT_BYTES_SHORT) : unsentBytesMax),
    );
  }
}
