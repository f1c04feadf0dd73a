/**
 * Protobuf messages to bytes and back, as frames carry them. Same bytes as the library makes; these only take the shorter
 * way where messages are small and 64-bit numbers are, as sizes, offsets and versions mostly are.
 */
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Codec } from './types.ts';

const UINT32_MAX = 2 ** 32 - 1;
/** A writer keeps its buffer for the next message; one that grew beyond this is dropped. */
const KEPT_BUFFER_BYTES_MAX = 64 * 1024;

class MessageWriter extends BinaryWriter {
  /** Varints of 64 and 32 bits look the same below 2^32; the library's way for 64 goes through `BigInt`. */
  override uint64(value: string | number | bigint): this {
    if (typeof value === 'number' && value >= 0 && value <= UINT32_MAX) return this.uint32(value);
    return super.uint64(value);
  }
}

/** Bytes of a varint that this reads by itself: up to 2^49. */
const SHORT_VARINT_BYTES = 7;

class MessageReader extends BinaryReader {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#bytes = bytes;
  }

  /** The generated code makes a number of the text. */
  override uint64(): bigint | string {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < SHORT_VARINT_BYTES; count += 1) {
      const byte = this.#bytes[this.pos + count];
      if (byte === undefined) break; // cut short: the library says so
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.pos += count + 1;
        return String(value);
      }
      scale *= 128;
    }
    return super.uint64();
  }
}

let writer = new MessageWriter();

export function encodeMessage<T>(codec: Codec<T>, message: T): Uint8Array {
  const taken = writer;
  try {
    const bytes = codec.encode(message, taken).finish();
    if (bytes.length > KEPT_BUFFER_BYTES_MAX) writer = new MessageWriter();
    return bytes;
  } catch (error) {
    writer = new MessageWriter(); // the old one holds half a message
    throw error;
  }
}

/** `bytes` fields of the message are views of `bytes`. */
export function decodeMessage<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.decode(new MessageReader(bytes));
}
