/** Cuts what one end of a connection writes into frames again; their raw data is counted and not kept. */
import { assert } from '@cairnfs/base';
import { emptyFrameHeader, FRAME_HEADER_BYTES, PREFACE, parseFrameHeader } from '@cairnfs/protocol';

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

export class FrameCutter {
  readonly #header = emptyFrameHeader();
  /** Of a head that has not come whole. */
  #head = new Uint8Array(0);
  /** Raw data still to come. */
  #skip = 0;
  /** Bytes of the stream before those in `#head`. */
  #position = 0;

  /** Takes the next bytes of the stream. @returns the frames whose heads are whole now. */
  push(bytes: Uint8Array): CutFrame[] {
    const frames: CutFrame[] = [];
    let rest = this.#position === 0 && this.#head.length === 0 ? this.#withoutPreface(bytes) : bytes;
    for (;;) {
      const skipped = Math.min(this.#skip, rest.length);
      this.#skip -= skipped;
      this.#position += skipped;
      rest = rest.subarray(skipped);
      if (rest.length === 0) return frames;
      if (this.#head.length > 0) {
        rest = Buffer.concat([this.#head, rest]);
        this.#head = new Uint8Array(0);
      }
      const frame = this.#cut(rest);
      if (frame === undefined) {
        this.#head = new Uint8Array(rest); // a copy: `slice` of a Buffer is not
        return frames;
      }
      frames.push(frame);
      const headBytes = FRAME_HEADER_BYTES + frame.message.length;
      this.#position += headBytes;
      this.#skip = frame.dataBytes;
      rest = rest.subarray(headBytes);
    }
  }

  #cut(bytes: Uint8Array): CutFrame | undefined {
    if (bytes.length < FRAME_HEADER_BYTES) return undefined;
    const header = this.#header;
    const fault = parseFrameHeader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, header);
    assert(fault === undefined, () => `a process of the simulation sent a bad frame: ${fault}`);
    const { kind, requestId, method, messageBytes, dataBytes } = header;
    const headBytes = FRAME_HEADER_BYTES + messageBytes;
    if (bytes.length < headBytes) return undefined;
    const message = new Uint8Array(bytes.subarray(FRAME_HEADER_BYTES, headBytes));
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
