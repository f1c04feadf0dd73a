/** One connection of a channel: handshake, requests out, answers to their calls, liveness. */
import { type Clock, type Connection, FsError } from '@cairnfs/base';
import { Hello } from '../gen/cairn/v1/common.ts';
import { CHANNEL_QUEUED_BYTES_MAX, HANDSHAKE_TIMEOUT_MS, PING_AFTER_SILENCE_MS, PONG_TIMEOUT_MS } from '../limits.ts';
import type { BufferPool } from './buffer-pool.ts';
import { type ClientCall, errorOfMessage } from './client-call.ts';
import type { PlaceInSeries } from './connection-series.ts';
import { type FrameHeader, FrameKind, mayBeginServer, PROTOCOL_VERSION, PROTOCOL_VERSION_LOWEST } from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { isWelcome } from './handshake.ts';
import type { ReceivedData } from './types.ts';
import { closedUnheard } from './wrong-peer.ts';

export interface ClientConnectionOptions {
  readonly clock: Clock;
  readonly buffers: BufferPool;
  readonly isServer: boolean;
  readonly place: PlaceInSeries;
  readonly connection: Connection;
  readonly welcomed: () => void;
  /** Once. `error` says why, and by its code whether requests may have been sent. */
  readonly ended: (error: FsError) => void;
}

const UINT32_MAX = 2 ** 32 - 1;
/** Of an answer in another protocol. */
const ANSWER_BYTES_SHOWN = 60;
const ANSWER_BYTES_IN_HEX = 8;

export class ClientConnection implements FrameSink {
  readonly #options: ClientConnectionOptions;
  readonly #clock: Clock;
  readonly #peer: string;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #calls = new Map<number, ClientCall>();
  readonly #handshakeDeadlineMs: number;
  #lastRequestId = 0;
  #welcomed = false;
  #hasHeard = false;
  #isClosedHere = false;
  #refusal: FsError | undefined;
  /** When silence began: the last arrival, or the first call after it when none was open. */
  #silentSinceMs: number;
  /** A request left after the last arrival. It is awaited also when its caller is not there any more. */
  #isAwaiting = false;
  #pingedAtMs: number | undefined;

  constructor(options: ClientConnectionOptions) {
    const { clock, connection, buffers, isServer: fromServer, place } = options;
    this.#options = options;
    this.#clock = clock;
    this.#peer = connection.peer;
    this.#silentSinceMs = clock.nowMs();
    this.#handshakeDeadlineMs = this.#silentSinceMs + HANDSHAKE_TIMEOUT_MS;
    this.#writer = new FrameWriter(clock, connection);
    this.#reader = new FrameReader({
      connection,
      pool: buffers,
      sink: this,
      preface: '',
      faultOfFirst: (bytes) => this.#faultOfFirst(bytes),
    });
    this.#writer.writePreface();
    const hello = Hello.encode({
      version: PROTOCOL_VERSION,
      lowestVersion: PROTOCOL_VERSION_LOWEST,
      fromServer,
      series: place.name,
      number: place.number,
    }).finish();
    this.#writer.write({ kind: FrameKind.hello, requestId: 0, method: 0, value: 0 }, hello);
  }

  get openCallCount(): number {
    return this.#calls.size;
  }

  get unsentBytes(): number {
    return this.#writer.unsentBytes;
  }

  /** Sends the request. The connection has been welcomed. */
  start(call: ClientCall, nowMs: number): void {
    if (this.#calls.size === 0 && !this.#isAwaiting) this.#silentSinceMs = Math.max(this.#silentSinceMs, nowMs);
    this.#isAwaiting = true;
    const requestId = this.#nextRequestId();
    call.requestId = requestId;
    this.#calls.set(requestId, call);
    const { message, data } = call.outgoing!;
    call.outgoing = undefined;
    const value = Math.max(1, Math.ceil(call.serverTimeMs(nowMs)));
    this.#writer.write({ kind: FrameKind.request, requestId, method: call.method.id, value }, message, data);
  }

  /** Forgets the call and tells the server that nobody waits for its answer. */
  cancel(call: ClientCall): void {
    if (this.#calls.get(call.requestId) !== call) return;
    this.#calls.delete(call.requestId);
    this.#writer.write({ kind: FrameKind.cancel, requestId: call.requestId, method: call.method.id, value: 0 });
  }

  grant(call: ClientCall, credit: number): void {
    if (this.#calls.get(call.requestId) !== call) return;
    this.#writer.write({ kind: FrameKind.credit, requestId: call.requestId, method: call.method.id, value: credit });
  }

  /** Expires what is due; returns when to look again. */
  expire(nowMs: number): number {
    if (!this.#welcomed) {
      if (nowMs >= this.#handshakeDeadlineMs) this.close(`no welcome within ${HANDSHAKE_TIMEOUT_MS} ms`);
      return this.#handshakeDeadlineMs;
    }
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const call of this.#calls.values()) {
      if (call.deadlineMs > nowMs) {
        earliestMs = Math.min(earliestMs, call.deadlineMs);
        continue;
      }
      this.cancel(call);
      call.failed(new FsError('DEADLINE_EXCEEDED', `${call.method.name} at ${this.#peer} did not answer in time`));
    }
    // Calls may all be given up sooner than silence is noticed; the next ones would wait for nothing as well.
    const isSilent = this.#calls.size > 0 || this.#isAwaiting;
    return isSilent ? Math.min(earliestMs, this.#checkLiveness(nowMs)) : earliestMs;
  }

  /** When `expire` has to look at the connection itself, at the latest, given that a call was just started. */
  get watchMs(): number {
    return this.#silentSinceMs + PING_AFTER_SILENCE_MS;
  }

  close(reason?: string): void {
    this.#isClosedHere = true;
    this.#reader.close(reason);
  }

  /** Closes on behalf of the caller: what is open fails with `error`. */
  shut(error: FsError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.failed(error);
    this.#reader.close();
  }

  // ---- FrameSink ----

  frame(header: FrameHeader, message: Uint8Array, data: ReceivedData | undefined): void {
    const { kind, requestId } = header;
    if (kind === FrameKind.response || kind === FrameKind.item) {
      this.#answer(requestId, kind === FrameKind.item, message, data);
      return;
    }
    data?.memory.release(); // no other kind from a server carries any
    if (!this.#welcomed) this.#handshake(kind, message);
    else if (kind === FrameKind.error) this.#fail(requestId, errorOfMessage(message));
    else if (kind === FrameKind.end) this.#end(requestId);
    else if (kind === FrameKind.ping) this.#pong(requestId);
    else if (kind !== FrameKind.pong) this.close(`a server may not send frames of kind ${kind}`);
  }

  alive(): void {
    this.#hasHeard = true;
    this.#silentSinceMs = this.#clock.nowMs();
    this.#pingedAtMs = undefined;
    this.#isAwaiting = false;
  }

  drained(): void {
    // Callers are bounded by calls and bytes; nobody waits for room.
  }

  ended(reason: string | undefined): void {
    this.#writer.end();
    const why = reason ?? 'the server closed the connection';
    const error = this.#welcomed
      ? new FsError('CONNECTION_LOST', `the connection to ${this.#peer} was lost: ${why}`)
      : (this.#refusal ??
        new FsError(
          'CONNECTION_REFUSED',
          `${this.#peer} does not answer like a CairnFS server: ${why}; check host and port`,
          { details: this.#isClosedHere || this.#hasHeard ? {} : closedUnheard() },
        ));
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.failed(error);
    this.#options.ended(error);
  }

  // ---- Frames ----

  /** A peer that is no server of ours shows it by what it says first, and is told apart from one that is just not there. */
  #faultOfFirst(bytes: Uint8Array): string | undefined {
    if (mayBeginServer(bytes)) return undefined;
    const message = `what listens at ${this.#peer} is not a CairnFS server: it answers ${quoteAnswer(bytes)}; check host and port`;
    this.#refusal = new FsError('FOREIGN_PROTOCOL', message);
    return message;
  }

  #handshake(kind: number, message: Uint8Array): void {
    if (kind === FrameKind.error) {
      this.#refusal = errorOfMessage(message);
      this.close(this.#refusal.message);
      return;
    }
    if (!isWelcome(kind, message)) {
      this.close('its first frame is not a welcome to a version spoken here');
      return;
    }
    this.#welcomed = true;
    this.#options.welcomed();
  }

  #answer(requestId: number, isItem: boolean, message: Uint8Array, data: ReceivedData | undefined): void {
    const call = this.#calls.get(requestId);
    if (call === undefined || !this.#welcomed) {
      data?.memory.release(); // cancelled, or too late
      if (!this.#welcomed) this.close('its first frame is not a welcome');
      return;
    }
    if (!isItem) this.#calls.delete(requestId);
    if (call.answered(isItem, message, data)) return;
    const error = new FsError('BAD_FRAME', `${this.#peer} answered ${call.method.name} against the protocol`);
    call.failed(error);
    this.close(error.message);
  }

  #fail(requestId: number, error: FsError): void {
    const call = this.#calls.get(requestId);
    this.#calls.delete(requestId);
    call?.failed(error);
  }

  #end(requestId: number): void {
    const call = this.#calls.get(requestId);
    if (call === undefined) return;
    this.#calls.delete(requestId);
    if (call.end()) return;
    call.failed(new FsError('BAD_FRAME', `${this.#peer} ended ${call.method.name} without an answer`));
  }

  #pong(requestId: number): void {
    this.#writer.write({ kind: FrameKind.pong, requestId, method: 0, value: 0 });
    if (this.#writer.unsentBytes > 2 * CHANNEL_QUEUED_BYTES_MAX) this.close('the server pings and takes no answers');
  }

  #checkLiveness(nowMs: number): number {
    if (this.#pingedAtMs !== undefined) {
      const deadlineMs = this.#pingedAtMs + PONG_TIMEOUT_MS;
      if (nowMs >= deadlineMs) this.close(`no pong within ${PONG_TIMEOUT_MS} ms`);
      return deadlineMs;
    }
    const pingAtMs = this.#silentSinceMs + PING_AFTER_SILENCE_MS;
    if (nowMs < pingAtMs) return pingAtMs;
    this.#pingedAtMs = nowMs;
    this.#writer.write({ kind: FrameKind.ping, requestId: 0, method: 0, value: 0 });
    return nowMs + PONG_TIMEOUT_MS;
  }

  /** Counts round; an id still open after 2^32 calls is skipped. */
  #nextRequestId(): number {
    do {
      this.#lastRequestId = this.#lastRequestId === UINT32_MAX ? 1 : this.#lastRequestId + 1;
    } while (this.#calls.has(this.#lastRequestId));
    return this.#lastRequestId;
  }
}

/** Text as its first line, anything else as bytes. */
function quoteAnswer(bytes: Uint8Array): string {
  const [line = ''] = Buffer.from(bytes.subarray(0, ANSWER_BYTES_SHOWN)).toString('latin1').split(/\r?\n/);
  if (/^[\x20-\x7e]+$/.test(line)) return `'${line}'`;
  return `the bytes ${Buffer.from(bytes.subarray(0, ANSWER_BYTES_IN_HEX)).toString('hex')}`;
}
