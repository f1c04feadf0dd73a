/**
 * Cuts the byte stream of one connection into frames. It lends the connection the memory to read into: heads (header
 * and message) gather in a buffer of 64 KiB, many to a read; raw data lands in its own buffer, where it stays.
 *
 * Invariants: bytes once handed out are never written again, because decoded `bytes` fields are views of them, so a
 * full buffer is left to the garbage collector and not reused. Memory follows what arrived intact: data memory is
 * taken only after the checksum of its head held.
 */
import type { Connection, Receiver } from '@cairnfs/base';
import { FRAME_DATA_BYTES_MAX } from '../limits.ts';
import type { BufferPool } from './buffer-pool.ts';
import { emptyFrameHeader, FRAME_HEADER_BYTES, type FrameHeader, headIsIntact, parseFrameHeader } from './frame.ts';
import { PooledBytes } from './pooled-bytes.ts';
import type { ReceiveBudget, ReceiveWait } from './receive-budget.ts';
import type { ReceivedData } from './types.ts';

export interface FrameSink {
  /** The sink owns one reference of `data.memory`. `header` is valid during the call; `message` stays. */
  frame(header: FrameHeader, message: Uint8Array, data: ReceivedData | undefined): void;
  /** Something arrived, whole frame or not. */
  alive(): void;
  drained(): void;
  /** The connection is gone, or (`reason`) the stream cannot be trusted and was closed. Once; nothing follows. */
  ended(reason: string | undefined): void;
}

/** An idle connection costs no more than the first buffer. */
const FIRST_BUFFER_BYTES = 8 * 1024;
const BUFFER_BYTES = 64 * 1024;
/** After bulk data only the next head is read here, so that the data behind it goes straight to its own memory. */
const BULK_HEAD_BYTES = 512;
const BULK_DATA_BYTES_MIN = 64 * 1024;
/** Messages up to here are not counted: as many as calls may be open, they are a few MiB. */
const MESSAGE_SHARED_BYTES = 4 * 1024;

export class FrameReader implements Receiver {
  readonly #connection: Connection;
  readonly #pool: BufferPool;
  readonly #sink: FrameSink;
  readonly #budget: ReceiveBudget | undefined;
  /** Frames are counted and never wait for room in the budget. */
  isUrgent = false;
  readonly #header: FrameHeader = emptyFrameHeader();

  // Heads: bytes from #start to #end of #bytes are read and not yet taken apart.
  #bytes: Uint8Array;
  #view: DataView;
  #start = 0;
  #end = 0;
  /** Bytes the connection must open with, before the first frame. */
  #preface: string;
  /** Until the first frame is whole. */
  #faultOfFirst: ((bytes: Uint8Array) => string | undefined) | undefined;

  // Raw data of the frame whose head is at #start, while it is arriving.
  #data: PooledBytes | undefined;
  #dataFilled = 0;
  /** Bytes between the head and the next frame that were moved to #data. */
  #carried = 0;
  #lentData = false;
  #afterBulk = false;

  /** Memory taken from the budget for the frame whose head is at #start. */
  #hasReserved = false;
  #reservedMessage = 0;
  #reservedData = 0;
  #waiting: ReceiveWait | undefined;

  #parsing = false;
  #paused = false;
  #ended = false;

  /**
   * @param preface what the peer sends first, ASCII; empty for none.
   * @param faultOfFirst what is wrong with the first bytes, as far as they are there: closes the connection before a whole
   * frame came.
   * @param budget counts the memory of frames. That of a frame's data ends with its last holder, that of its message
   * (`messageMemory`) when the sink says so.
   */
  constructor(options: {
    connection: Connection;
    pool: BufferPool;
    sink: FrameSink;
    preface: string;
    faultOfFirst?: (bytes: Uint8Array) => string | undefined;
    budget?: ReceiveBudget;
  }) {
    this.#connection = options.connection;
    this.#pool = options.pool;
    this.#sink = options.sink;
    this.#budget = options.budget;
    this.#preface = options.preface;
    this.#faultOfFirst = options.faultOfFirst;
    this.#bytes = allocate(FIRST_BUFFER_BYTES);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#connection.receive(this);
  }

  /** No frame is delivered until `resume`, also none that is already here. */
  pause(): void {
    if (this.#paused || this.#ended) return;
    this.#paused = true;
    this.#connection.pause();
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    this.#readOn();
  }

  #readOn(): void {
    this.#parse();
    if (!this.#paused && this.#waiting === undefined && !this.#ended) this.#connection.resume();
  }

  /** Closes the connection; the sink hears `ended`. */
  close(reason?: string): void {
    this.#finish(reason);
    this.#connection.close();
  }

  // ---- Receiver ----

  buffer(): Uint8Array {
    this.#lentData = this.#data !== undefined && this.#dataFilled < this.#header.dataBytes;
    if (this.#lentData) return this.#data!.bytes.subarray(this.#dataFilled, this.#header.dataBytes);
    const wanted = this.#wantedBytes();
    this.#makeRoom(wanted);
    const until = this.#afterBulk
      ? Math.min(this.#end + Math.max(wanted, BULK_HEAD_BYTES), this.#bytes.length)
      : this.#bytes.length;
    return this.#bytes.subarray(this.#end, until);
  }

  received(length: number): void {
    if (this.#ended) return;
    this.#sink.alive();
    if (this.#lentData) this.#dataFilled += length;
    else this.#end += length;
    this.#parse();
  }

  drained(): void {
    if (!this.#ended) this.#sink.drained();
  }

  closed(error?: Error): void {
    this.#finish(error?.message);
  }

  // ---- Taking apart ----

  #parse(): void {
    if (this.#parsing) return; // resumed from within a frame: the loop below goes on
    this.#parsing = true;
    try {
      if (this.#preface !== '' && !this.#parsePreface()) return;
      if (this.#faultOfFirst !== undefined && !this.#checkFirst(this.#faultOfFirst)) return;
      while (!this.#paused && this.#waiting === undefined && !this.#ended && this.#parseFrame());
    } finally {
      this.#parsing = false;
    }
  }

  /** Compares what is there of the preface; false while it is incomplete or once it is wrong. */
  #parsePreface(): boolean {
    const count = Math.min(this.#end - this.#start, this.#preface.length);
    for (let index = 0; index < count; index += 1) {
      if (this.#bytes[this.#start + index] !== this.#preface.charCodeAt(index)) {
        this.close('the peer does not speak the framed protocol');
        return false;
      }
    }
    if (count < this.#preface.length) return false;
    this.#start += count;
    this.#preface = '';
    return true;
  }

  #checkFirst(faultOf: (bytes: Uint8Array) => string | undefined): boolean {
    const fault = faultOf(this.#bytes.subarray(this.#start, this.#end));
    return fault === undefined || this.#refuse(fault);
  }

  /** Delivers one frame; false when it is not all there yet. */
  #parseFrame(): boolean {
    const header = this.#header;
    if (this.#data === undefined) {
      const available = this.#end - this.#start;
      if (available < FRAME_HEADER_BYTES) return false;
      const fault = parseFrameHeader(this.#view, this.#start, header);
      if (fault !== undefined) return this.#refuse(`bad frame header: ${fault}`);
      if (this.#budget !== undefined && !this.#hasRoom(this.#budget, header)) return false;
      if (available < FRAME_HEADER_BYTES + header.messageBytes) return false;
      if (!headIsIntact(this.#bytes, this.#start, header)) return this.#refuse('bad frame header: wrong checksum');
      if (header.hasData) this.#beginData();
    }
    if (this.#data !== undefined && this.#dataFilled < header.dataBytes) return false;
    this.#deliver();
    return true;
  }

  /** Takes what the frame will hold; when it has to wait, the connection is not read until then. */
  #hasRoom(budget: ReceiveBudget, header: FrameHeader): boolean {
    if (this.#hasReserved) return true;
    const message = messageMemory(header);
    const data = dataMemory(header);
    const bytes = message + data;
    if (bytes > 0 && !this.isUrgent) {
      this.#waiting = budget.reserve(bytes, () => {
        this.#waiting = undefined;
        this.#reserved(message, data);
        if (!this.#paused) this.#readOn();
      });
      if (this.#waiting !== undefined) {
        this.#connection.pause();
        return false;
      }
    } else if (bytes > 0) {
      budget.take(bytes);
    }
    this.#reserved(message, data);
    return true;
  }

  #reserved(message: number, data: number): void {
    this.#hasReserved = true;
    this.#reservedMessage = message;
    this.#reservedData = data;
  }

  /** Takes memory for the data and moves the part of it that was read along with the head. */
  #beginData(): void {
    const { messageBytes, dataBytes } = this.#header;
    const dataStart = this.#start + FRAME_HEADER_BYTES + messageBytes;
    const here = Math.min(this.#end - dataStart, dataBytes);
    this.#data = this.#takeData(dataBytes);
    this.#data.bytes.set(this.#bytes.subarray(dataStart, dataStart + here));
    this.#dataFilled = here;
    // What is left in #bytes: the head, still to be delivered, then whatever follows the data.
    if (dataStart + here < this.#end) this.#carried = here;
    else {
      this.#carried = 0;
      this.#end = dataStart;
    }
  }

  /** The data's part of what was taken from the budget goes back with the last reference. */
  #takeData(dataBytes: number): PooledBytes {
    const memory = this.#pool.take(dataBytes);
    const budget = this.#budget;
    if (budget === undefined) return memory;
    const taken = this.#reservedData;
    this.#reservedData = 0;
    const release = (): void => {
      memory.release();
      budget.release(taken);
    };
    return new PooledBytes(memory.bytes, release, memory.isReused);
  }

  #deliver(): void {
    const header = this.#header;
    this.#faultOfFirst = undefined;
    this.#hasReserved = false; // the message's part is the sink's from here on
    this.#reservedMessage = 0;
    const messageStart = this.#start + FRAME_HEADER_BYTES;
    const messageEnd = messageStart + header.messageBytes;
    const message = this.#bytes.subarray(messageStart, messageEnd);
    this.#start = messageEnd + this.#carried;
    const memory = this.#data;
    this.#data = undefined;
    this.#carried = 0;
    this.#dataFilled = 0;
    this.#afterBulk = header.dataBytes >= BULK_DATA_BYTES_MIN;
    if (memory === undefined) {
      this.#sink.frame(header, message, undefined);
      return;
    }
    const bytes = memory.bytes.length === header.dataBytes ? memory.bytes : memory.bytes.subarray(0, header.dataBytes);
    this.#sink.frame(header, message, { bytes, checksum: header.dataChecksum, memory });
  }

  #refuse(reason: string): false {
    this.close(reason);
    return false;
  }

  // ---- Memory ----

  /** Bytes still missing before the head at #start can be taken apart; at least 1. */
  #wantedBytes(): number {
    const available = this.#end - this.#start;
    if (this.#preface !== '' || available < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
    return Math.max(1, FRAME_HEADER_BYTES + this.#view.getUint32(this.#start, true) - available);
  }

  /** Makes room for `wanted` bytes at #end: in this buffer, or in a new one that starts with what is unparsed. */
  #makeRoom(wanted: number): void {
    const room = this.#bytes.length - this.#end;
    if (room >= wanted && room >= Math.min(this.#bytes.length, BUFFER_BYTES) / 8) return;
    const unparsed = this.#bytes.subarray(this.#start, this.#end);
    const bytes = allocate(Math.max(BUFFER_BYTES, unparsed.length + wanted));
    bytes.set(unparsed);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = 0;
    this.#end = unparsed.length;
  }

  #finish(reason: string | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#data?.release();
    this.#data = undefined;
    this.#waiting?.cancel();
    this.#waiting = undefined;
    this.#budget?.release(this.#reservedMessage + this.#reservedData);
    this.#reservedMessage = 0;
    this.#reservedData = 0;
    this.#sink.ended(reason);
  }
}

/** What a frame's message counts in a budget: small ones share the buffer of the connection. */
export function messageMemory({ messageBytes }: FrameHeader): number {
  return messageBytes > MESSAGE_SHARED_BYTES ? messageBytes : 0;
}

/** As the pool hands it out. */
function dataMemory({ hasData, dataBytes }: FrameHeader): number {
  if (!hasData) return 0;
  return dataBytes > BULK_DATA_BYTES_MIN ? FRAME_DATA_BYTES_MAX : dataBytes;
}

/** Not zeroed. A plain array: its views are made several times faster than those of a `Buffer`. */
function allocate(byteCount: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(byteCount).buffer);
}
