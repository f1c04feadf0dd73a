/** Bytes to be stored, in order, handed out in frames. */
import { FRAME_DATA_BYTES_MAX } from '@cairnfs/protocol';

export interface UploadSource {
  /** As far as it is known beforehand; `next` yields what there is, be it more or less. */
  readonly sizeBytes: number | undefined;
  /** The next at most `length` bytes; fewer only at the end, undefined after it. The buffer stays unchanged until the upload ends. */
  next(length: number): Promise<Uint8Array | undefined>;
  /** Starts over; absent when the bytes come only once. */
  restart?(): Promise<void>;
  /** Nothing more is asked of it, though it may have more: what it holds open is let go. */
  abandon?(): void;
}

export function bufferSource(bytes: Uint8Array): UploadSource {
  let at = 0;
  return {
    sizeBytes: bytes.length,
    async next(length) {
      if (at >= bytes.length) return undefined;
      const piece = bytes.subarray(at, at + length);
      at += piece.length;
      return piece;
    },
    async restart() {
      at = 0;
    },
  };
}

/** Gathers what an iterable yields into frames. A piece that is already a frame passes without copying. */
export function iterableSource(pieces: AsyncIterable<Uint8Array>): UploadSource {
  const iterator = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array | undefined;
  const pull = async () => {
    if (rest !== undefined) return rest;
    const { value, done } = await iterator.next();
    return done ? undefined : value;
  };
  return {
    sizeBytes: undefined,
    async next(length) {
      const parts: Uint8Array[] = [];
      let gathered = 0;
      while (gathered < length) {
        const piece: Uint8Array | undefined = await pull();
        rest = undefined;
        if (piece === undefined) break;
        const taken = piece.subarray(0, length - gathered);
        if (taken.length < piece.length) rest = piece.subarray(taken.length);
        if (taken.length === 0) continue;
        parts.push(taken);
        gathered += taken.length;
      }
      if (parts.length === 0) return undefined;
      return parts.length === 1 ? parts[0]! : joined(parts, gathered);
    },
    abandon() {
      // It may hang in its last step, so nobody waits for it.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}

export const FRAME_BYTES = FRAME_DATA_BYTES_MAX;

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
