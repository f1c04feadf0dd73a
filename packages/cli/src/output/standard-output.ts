/**
 * Standard output of commands that print piece by piece. A reader that is slower slows the command, one that went away
 * (`| head`) ends it quietly, and one that stands still does not keep Ctrl-C from ending it.
 */

import { EXIT_FAILED } from '../exit-codes.ts';

/** Thrown where a command prints when nobody reads any more. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

let failure: Error | undefined;
let isWatched = false;

/**
 * Resolves when the data is taken.
 *
 * @throws OutputClosed  the reader went away.
 * @throws the reason of `signal` when it aborts first.
 */
export async function writeStdout(data: string | Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  watch();
  if (failure !== undefined) throw failure;
  if (process.stdout.write(data)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = () => {
      process.stdout.removeListener('drain', settle);
      process.stdout.removeListener('error', settle);
      signal.removeEventListener('abort', settle);
      if (failure !== undefined) reject(failure);
      else if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    process.stdout.once('drain', settle);
    process.stdout.once('error', settle);
    signal.addEventListener('abort', settle);
  });
}

/** An error may come long after the write that it is about, when nobody waits: the next write tells it. */
function watch(): void {
  if (isWatched) return;
  isWatched = true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    failure ??=
      error.code === 'EPIPE'
        ? new OutputClosed('nobody reads the output any more')
        : new Error(`${error.message} to standard output`, { cause: error });
  });
}

/** For what is printed at once, help and examples: a failure is one line, where nobody waits for it. */
export function printOrFail(text: string): void {
  process.stdout.removeListener('error', tellFailure);
  process.stdout.on('error', tellFailure);
  process.stdout.write(text);
}

function tellFailure(error: NodeJS.ErrnoException): void {
  process.stdout.removeListener('error', tellFailure);
  process.stdout.on('error', () => undefined);
  if (error.code === 'EPIPE') return;
  process.stderr.write(`cairn: ${error.message} to standard output\n`);
  process.exitCode = EXIT_FAILED;
}
