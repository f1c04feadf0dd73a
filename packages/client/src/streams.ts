/** Adapters to Node's streams. */
import { Readable, Writable } from 'node:stream';
import { PIECE_BYTES } from './limits.ts';

/** Reads ahead by itself, so the stream's own buffer stays small. */
export function readableOf(pieces: AsyncGenerator<Uint8Array>): Readable {
  return Readable.from(pieces, { objectMode: false, highWaterMark: PIECE_BYTES });
}

/**
 * A stream whose bytes `store` takes piece by piece. `finish` is emitted when they are all stored; a stream that is
 * destroyed before its end makes `store` fail.
 */
export function writableTo(store: (pieces: AsyncIterable<Uint8Array>) => Promise<unknown>): Writable {
  const queue: { piece: Uint8Array; taken: (error?: Error | null) => void }[] = [];
  let isEnded = false;
  let failure: Error | undefined;
  let wake: () => void = () => {};

  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) {
        // Taken at once: the copy below is what the upload keeps, the caller may go on with the buffer.
        next.taken();
        yield next.piece;
      } else if (failure !== undefined) throw failure;
      else if (isEnded) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  let storing: Promise<unknown> | undefined;
  const start = () => {
    if (storing !== undefined) return;
    storing = store(pieces());
    storing.catch((error: Error) => {
      failure ??= error;
      for (const { taken } of queue.splice(0)) taken(error);
      stream.destroy(error);
    });
  };
  const stream = new Writable({
    highWaterMark: PIECE_BYTES,
    write(chunk: Uint8Array, _encoding, taken) {
      start();
      if (failure !== undefined) {
        taken(failure);
        return;
      }
      // The stream's user owns the buffer again once it is taken, while the upload may have to send it twice.
      queue.push({ piece: Uint8Array.prototype.slice.call(chunk), taken });
      wake();
    },
    final(done) {
      start();
      isEnded = true;
      wake();
      storing!.then(() => done(), done);
    },
    destroy(error, done) {
      failure ??= error ?? (isEnded ? undefined : new Error('the stream was destroyed before its end'));
      wake();
      done(error);
    },
  });
  return stream;
}
