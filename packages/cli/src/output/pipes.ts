import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

/** Copies a stream to its end; resolves, with the number of bytes, when the last byte is stored. */
export async function pipeInto(from: Readable, to: Writable): Promise<number> {
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

/** As `pipeInto` for standard output, which stays open. A reader that went away (`| head`) is no failure. */
export async function pipeToStdout(from: Readable): Promise<void> {
  try {
    await pipeline(from, process.stdout, { end: false });
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE')
      throw syscall === 'write' ? new Error(`${message} to standard output`, { cause: error }) : error;
    from.destroy();
    await finished(from).catch(() => undefined); // destroyed by us
  }
}
