import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CommandContext } from '../command.ts';

/** Copies to its end; resolves, with the number of bytes, when the last byte is stored. */
export async function pipeInto(from: AsyncIterable<Uint8Array>, to: Writable): Promise<number> {
  let bytes = 0;
  await pipeline(
    from,
    async function* count(pieces: AsyncIterable<Uint8Array>) {
      for await (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    },
    to,
  );
  return bytes;
}

/** To standard output, no faster than it takes them. @throws OutputClosed  the reader went away. */
export async function writePieces(context: CommandContext, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces) await context.write(piece);
}

/** What `input` yields, until `signal` aborts: then it ends at once with the reason, also while nothing comes. */
export async function* interruptible<T>(input: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const iterator = input[Symbol.asyncIterator]();
  let isDone = false;
  try {
    while (!isDone) {
      const result = await orAborted(iterator.next(), signal);
      if (result.done === true) isDone = true;
      else yield result.value;
    }
  } finally {
    // It may hang in its last step, so nobody waits for it.
    if (!isDone) iterator.return?.()?.catch(() => undefined);
  }
}

/** One listener at a time: on a promise for the whole input every step would leave something behind. */
function orAborted<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    step.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
