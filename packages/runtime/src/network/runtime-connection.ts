/**
 * A TCP connection as a `Connection`. Sending: all buffers queued before the current callback and its promises end go
 * to the kernel in one `writev`; one batch is under way at a time, and what is queued meanwhile makes up the next.
 */
import type { Socket } from 'node:net';
import {
  type Address,
  assert,
  type Connection,
  concatBytes,
  type FsError,
  formatAddress,
  type Receiver,
} from '@cairnfs/base';
import { GATHER_BYTES_MAX, KEEP_ALIVE_DELAY_MS, SEND_BATCH_BYTES_MAX, WRITEV_BUFFERS_MAX } from '../limits.ts';
import type { LentReads } from './lent-reads.ts';
import { networkError } from './network-error.ts';

interface Write {
  readonly buffers: readonly Uint8Array[];
  readonly length: number;
  readonly sent: (() => void) | undefined;
}

export class RuntimeConnection implements Connection {
  readonly peer: Address;
  readonly #socket: Socket;
  readonly #reads: LentReads;
  #receiver: Receiver | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: FsError | undefined;
  #isPaused = false;
  #queue: Write[] = [];
  #batch: Write[] = [];
  #queuedBytes = 0;
  #isSendScheduled = false;

  /**
   * @param socket connected, paused, constructed with the `onread` of `reads`.
   */
  constructor(socket: Socket, reads: LentReads, peer: Address) {
    this.peer = peer;
    this.#socket = socket;
    this.#reads = reads;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.on('error', (error) => {
      this.#error ??= networkError(`The connection to ${peer} broke`, error);
    });
    // The peer closed: a connection is open both ways or not at all.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#finish());
  }

  /** Runs when the connection is gone. */
  onClose(callback: () => void): void {
    this.#socket.on('close', callback);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(buffers: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state === 'closed') {
      if (sent !== undefined) setImmediate(sent);
      return;
    }
    let length = 0;
    for (const buffer of buffers) length += buffer.length;
    this.#queue.push({ buffers, length, sent });
    this.#queuedBytes += length;
    this.#scheduleSend();
  }

  receive(receiver: Receiver): void {
    assert(this.#receiver === undefined, () => `the connection to ${this.peer} has a receiver already`);
    this.#receiver = receiver;
    this.#reads.setReceiver(receiver);
    if (this.#state === 'closed') setImmediate(() => receiver.closed(this.#error));
    else setImmediate(() => this.#startReading());
  }

  pause(): void {
    this.#isPaused = true;
    this.#reads.pause();
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#receiver !== undefined) setImmediate(() => this.#startReading());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#error = undefined;
    this.#reads.stop();
    this.#socket.destroy();
  }

  #startReading(): void {
    if (this.#isPaused || this.#state !== 'open') return;
    if (this.#reads.start()) this.#socket.resume();
  }

  #scheduleSend(): void {
    if (this.#isSendScheduled || this.#batch.length > 0) return;
    this.#isSendScheduled = true;
    // A tick asked for by a microtask runs when no microtask is left: after all promises of this callback.
    queueMicrotask(() => process.nextTick(() => this.#send()));
  }

  #send(): void {
    this.#isSendScheduled = false;
    if (this.#state !== 'open' || this.#queue.length === 0) return;
    this.#batch = this.#takeBatch();
    const pieces = gather(this.#batch);
    const last = pieces.pop() ?? new Uint8Array(0);
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.write(last, (error) => {
      // With an error, 'close' follows, and settles the batch.
      if (!error) this.#batchSent();
    });
    this.#socket.uncork();
  }

  #takeBatch(): Write[] {
    let length = 0;
    let bufferCount = 0;
    let count = 0;
    for (; count < this.#queue.length; count++) {
      const write = this.#queue[count]!;
      const isFull =
        length + write.length > SEND_BATCH_BYTES_MAX || bufferCount + write.buffers.length > WRITEV_BUFFERS_MAX;
      if (count > 0 && isFull) break;
      length += write.length;
      bufferCount += write.buffers.length;
    }
    return this.#queue.splice(0, count);
  }

  #batchSent(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (const { length } of batch) this.#queuedBytes -= length;
    for (const { sent } of batch) sent?.();
    if (this.#queue.length > 0) this.#scheduleSend();
    else if (this.#isOpen()) this.#receiver?.drained();
  }

  /** The handle is closed by now, so the kernel reads none of the buffers any more. */
  #finish(): void {
    this.#state = 'closed';
    this.#reads.stop();
    const unsent = [...this.#batch, ...this.#queue];
    this.#batch = [];
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { sent } of unsent) sent?.();
    this.#receiver?.closed(this.#error);
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }
}

export function peerOf(socket: Socket): Address {
  return formatAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 });
}

/** The buffers of all writes in order, small neighbours copied together. */
function gather(writes: readonly Write[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flushSmall = () => {
    if (small.length > 0) pieces.push(small.length === 1 ? small[0]! : concatBytes(small));
    small = [];
  };
  for (const { buffers } of writes) {
    for (const buffer of buffers) {
      if (buffer.length === 0) continue;
      if (buffer.length < GATHER_BYTES_MAX) {
        small.push(buffer);
      } else {
        flushSmall();
        pieces.push(buffer);
      }
    }
  }
  flushSmall();
  return pieces;
}
