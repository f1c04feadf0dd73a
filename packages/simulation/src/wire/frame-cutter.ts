/** Cuts what one end of a connection writes into frames again; their raw data is counted and not kept. */
import { assert } from '@cairnfs/base';
import { emptyFrameHeader, FRAME_HEADER_BYTES, PREFACE, parseFrameHeader } from '@cairnfs/protocol';
import { Copies } from '@cairnfs/sim';

export interface CutFrame {
  readonly kind: number;
  readonly requestId: number;
  readonly method: number;
  /** A copy. */
  readonly message: Uint8Array;
  readonly dataBytes: number;
  /** Bytes of the stream up to the end of this frame. */
  readonly end: number;
}

const NO_BYTES = new Uint8Array(0);
const NO_FRAMES: readonly CutFrame[] = [];

export class FrameCutter {
  readonly #copies: Copies;
  readonly #header = emptyFrameHeader();
  /** Of a head that has not come whole. */
  #head = NO_BYTES;
  /** Raw data still to come; none while there is a head. */
  #skip = 0;
  /** Bytes of the stream before those in `#head`. */
  #position = 0;

  /** @param copies where messages are kept; those of many connections may share it. */
  constructor(copies = new Copies()) {
    this.#copies = copies;
  }

  /** Takes the next bytes of the stream. @returns the frames whose heads are whole now. */
  push(bytes: Uint8Array): readonly CutFrame[] {
    const unread = this.#position === 0 && this.#head.length === 0 ? this.#withoutPreface(bytes) : bytes;
    const skipped = Math.min(this.#skip, unread.length);
    this.#skip -= skipped;
    this.#position += skipped;
    if (skipped === unread.length) return NO_FRAMES;
    if (this.#head.length === 0) return this.#cutAll(unread, skipped);
    const joined = Buffer.concat([this.#head, unread]); // a head has no data before it that is to be skipped
    this.#head = NO_BYTES;
    return this.#cutAll(joined, 0);
  }

  /** Frames from `start` on; keeps what begins another one. */
  #cutAll(bytes: Uint8Array, start: number): CutFrame[] {
    const frames: CutFrame[] = [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = start;
    while (at < bytes.length) {
      const frame = this.#cut(bytes, view, at);
      if (frame === undefined) {
        this.#head = new Uint8Array(bytes.subarray(at)); // a copy: `slice` of a Buffer is not
        return frames;
      }
      frames.push(frame);
      const headBytes = FRAME_HEADER_BYTES + frame.message.length;
      const skipped = Math.min(frame.dataBytes, bytes.length - at - headBytes);
      this.#skip = frame.dataBytes - skipped;
      this.#position += headBytes + skipped;
      at += headBytes + skipped;
    }
    return frames;
  }

  #cut(bytes: Uint8Array, view: DataView, at: number): CutFrame | undefined {
    if (bytes.length - at < FRAME_HEADER_BYTES) return undefined;
    const header = this.#header;
    const fault = parseFrameHeader(view, at, header);
    assert(fault === undefined, () => `a process of the simulation sent a bad frame: ${fault}`);
    const { kind, requestId, method, messageBytes, dataBytes } = header;
    const headBytes = FRAME_HEADER_BYTES + messageBytes;
    if (bytes.length - at < headBytes) return undefined;
    const message = this.#copies.of(bytes.subarray(at + FRAME_HEADER_BYTES, at + headBytes));
    return { kind, requestId, method, message, dataBytes, end: this.#position + headBytes + dataBytes };
  }

  /** Only the end that connected sends one, in its first write. */
  #withoutPreface(bytes: Uint8Array): Uint8Array {
    for (let index = 0; index < PREFACE.length; index++) {
      if (bytes[index] !== PREFACE.charCodeAt(index)) return bytes;
    }
    this.#position = PREFACE.length;
    return bytes.subarray(PREFACE.length);
  }
}
