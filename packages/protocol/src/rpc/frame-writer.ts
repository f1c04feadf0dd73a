/**
 * Gathers the frames of one tick and hands them to the connection as one write. Headers, messages and small data of
 * many frames lie one after another in a slab; large messages and bulk data go out from where they are.
 *
 * Invariant: a slab is written again only after every write that showed part of it to the connection was sent.
 */
import { assert, type Clock, type Connection } from '@cairnfs/base';
import { FRAME_HEADER_BYTES, type FrameKind, PREFACE, PREFACE_BYTES, writeFrameHeader } from './frame.ts';
import type { DataPart } from './types.ts';

type Kind = (typeof FrameKind)[keyof typeof FrameKind];

export interface OutgoingFrame {
  readonly kind: Kind;
  readonly requestId: number;
  readonly method: number;
  readonly value: number;
}

const SLAB_BYTES = 64 * 1024;
/** Of a connection's first slab: most connections never have more than that in one tick. */
const FIRST_SLAB_BYTES = 8 * 1024;
/** Messages and data up to this are copied into the slab: cheaper than sending them as a buffer of their own. */
const COPIED_BYTES_MAX = FIRST_SLAB_BYTES;
/** Slabs kept for reuse by one connection. */
const FREE_SLABS_MAX = 4;

/** Handed to the connection without waiting for the end of the tick, so that what has left is known bit by bit. */
const FLUSHED_BYTES_MIN = 1024 * 1024;

const NO_MESSAGE = new Uint8Array(0);

export class FrameWriter {
  readonly #clock: Clock;
  readonly #connection: Connection;
  #slab = new Slab(FIRST_SLAB_BYTES);
  /** Where the part of the slab begins that is not yet in #buffers. */
  #runStart = 0;
  readonly #freeSlabs: Slab[] = [];

  // The frames of this tick.
  #buffers: Uint8Array[] = [];
  #slabs: Slab[] = [];
  #sent: (() => void)[] = [];
  #pendingBytes = 0;
  /** Of all frames so far. */
  #writtenBytes = 0;
  #flushCount = 0;
  #flushing = false;
  #ended = false;

  constructor(clock: Clock, connection: Connection) {
    this.#clock = clock;
    this.#connection = connection;
  }

  /** Bytes accepted and not yet taken by the kernel. */
  get unsentBytes(): number {
    return this.#pendingBytes + this.#connection.queuedBytes;
  }

  /** Bytes taken by the kernel since the beginning: whether the peer takes any shows by it. */
  get takenBytes(): number {
    return this.#writtenBytes - this.unsentBytes;
  }

  /** `sent` runs once the frame that is written next, and those that leave with it, have left, or the connection closed. */
  whenSent(sent: () => void): void {
    assert(!this.#ended, 'what is sent of an ended connection was asked for');
    this.#sent.push(sent);
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Changes when frames to come will leave later than those before. */
  get flushCount(): number {
    return this.#flushCount;
  }

  /** The first bytes of a framed connection; before any frame. */
  writePreface(): void {
    this.#makeRoom(PREFACE_BYTES);
    const slab = this.#slab;
    for (let index = 0; index < PREFACE_BYTES; index += 1) slab.bytes[slab.end + index] = PREFACE.charCodeAt(index);
    slab.end += PREFACE_BYTES;
    this.#queued(PREFACE_BYTES);
  }

  /** `data.sent` runs once the data was sent or the connection closed. Lengths are the caller's to check. */
  write(frame: OutgoingFrame, message: Uint8Array = NO_MESSAGE, data?: DataPart): void {
    if (this.#ended) {
      data?.sent?.();
      return;
    }
    const messageBytes = message.length;
    const dataBytes = data === undefined ? undefined : lengthOf(data.buffers);
    const fields = {
      kind: frame.kind,
      requestId: frame.requestId,
      method: frame.method,
      value: frame.value,
      messageBytes,
      dataBytes,
      dataChecksum: data?.checksum ?? 0,
    };
    this.#makeRoom(FRAME_HEADER_BYTES);
    const slab = this.#slab;
    writeFrameHeader(slab.bytes, slab.view, slab.end, fields, message);
    slab.end += FRAME_HEADER_BYTES;
    this.#append(message);
    if (data !== undefined) {
      for (const buffer of data.buffers) this.#append(buffer);
      if (data.sent !== undefined) this.#sent.push(data.sent);
    }
    this.#queued(FRAME_HEADER_BYTES + messageBytes + (dataBytes ?? 0));
  }

  /** Sends what this tick gathered without waiting for its end. */
  flush(): void {
    if (this.#ended) return;
    this.#endRun();
    if (this.#buffers.length === 0) return;
    const buffers = this.#buffers;
    const slabs = this.#slabs;
    const sent = this.#sent;
    this.#buffers = [];
    this.#slabs = [];
    this.#sent = [];
    this.#pendingBytes = 0;
    this.#flushCount += 1;
    this.#connection.write(buffers, () => {
      for (const slab of slabs) this.#release(slab);
      for (const callback of sent) callback();
    });
  }

  /** The connection is gone: what was not handed to it is given up. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const sent = this.#sent;
    this.#buffers = [];
    this.#sent = [];
    this.#pendingBytes = 0;
    for (const callback of sent) callback();
  }

  #queued(byteCount: number): void {
    this.#pendingBytes += byteCount;
    this.#writtenBytes += byteCount;
    if (this.#pendingBytes >= FLUSHED_BYTES_MIN) this.flush();
    if (this.#flushing || this.#pendingBytes === 0) return;
    this.#flushing = true;
    this.#clock.soon(this.#flushSoon);
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length > COPIED_BYTES_MAX) {
      this.#endRun();
      this.#buffers.push(bytes);
      return;
    }
    this.#makeRoom(bytes.length);
    this.#slab.bytes.set(bytes, this.#slab.end);
    this.#slab.end += bytes.length;
  }

  readonly #flushSoon = (): void => {
    this.#flushing = false;
    this.flush();
  };

  /** Puts what was written to the slab since the last run behind the buffers to send. */
  #endRun(): void {
    const slab = this.#slab;
    if (this.#runStart === slab.end) return;
    this.#buffers.push(slab.bytes.subarray(this.#runStart, slab.end));
    this.#runStart = slab.end;
    if (this.#slabs.at(-1) === slab) return;
    slab.unsentWrites += 1;
    this.#slabs.push(slab);
  }

  #makeRoom(byteCount: number): void {
    if (this.#slab.end + byteCount <= this.#slab.bytes.length) return;
    this.#endRun();
    this.#slab = this.#freeSlabs.pop() ?? new Slab(SLAB_BYTES);
    this.#runStart = 0;
  }

  #release(slab: Slab): void {
    slab.unsentWrites -= 1;
    assert(slab.unsentWrites >= 0, 'slab released more often than written');
    if (slab.unsentWrites > 0) return;
    if (slab === this.#slab) {
      if (this.#runStart !== slab.end) return; // frames of this tick lie in it
      slab.end = 0;
      this.#runStart = 0;
    } else if (slab.bytes.length === SLAB_BYTES && this.#freeSlabs.length < FREE_SLABS_MAX) {
      slab.end = 0;
      this.#freeSlabs.push(slab);
    }
  }
}

class Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  end = 0;
  /** Writes under way that show part of it. */
  unsentWrites = 0;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }
}

export function lengthOf(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total;
}
