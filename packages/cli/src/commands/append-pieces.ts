/**
 * What `append` reads, cut into what is appended at once: whole lines, as many as fit, soon after they arrived. A line that
 * has not ended goes with what ends it, at the end of the input, or when the command is interrupted: nothing read is lost.
 */
import type { Readable } from 'node:stream';

export interface PieceLimits {
  /** One append of so many bytes stays in one piece; a longer line does not. */
  readonly bytesMax: number;
  /** A line waits no longer than this for others to go with it. */
  readonly pauseMs: number;
}

const NEWLINE = 10;

/** @throws the reason of `signal` when it aborts, after the last of what was read. */
export async function* appendPieces(
  input: Readable,
  signal: AbortSignal,
  { bytesMax, pauseMs }: PieceLimits,
): AsyncGenerator<Buffer, void, void> {
  const changes = new Changes(input, signal);
  let gathered: Buffer[] = [];
  let length = 0;
  /** When the oldest whole line is to be appended. */
  let dueMs: number | undefined;
  const take = (most: number): Buffer => {
    const all = Buffer.concat(gathered);
    const newline = all.lastIndexOf(NEWLINE, most - 1);
    const end = newline < 0 ? most : newline + 1;
    gathered = end < all.length ? [all.subarray(end)] : [];
    length = all.length - end;
    dueMs = undefined;
    return all.subarray(0, end);
  };
  try {
    for (;;) {
      // To its end even when interrupted: what the stream holds has arrived.
      const data = length < bytesMax ? (input.read() as Buffer | null) : null;
      if (data !== null) {
        gathered.push(data);
        length += data.length;
        if (dueMs === undefined && data.includes(NEWLINE)) dueMs = performance.now() + pauseMs;
      }
      if (length >= bytesMax) yield take(bytesMax);
      else if (dueMs !== undefined && performance.now() >= dueMs) yield take(length);
      else if (data === null && changes.isOver) break;
      else if (data === null) await changes.next(dueMs === undefined ? undefined : dueMs - performance.now());
    }
    if (length > 0) yield Buffer.concat(gathered);
    if (changes.error !== undefined) throw changes.error;
    signal.throwIfAborted();
  } finally {
    changes.close();
    input.destroy();
  }
}

/** That there may be more to read, or that nothing follows. */
class Changes {
  error: Error | undefined;
  readonly #input: Readable;
  readonly #signal: AbortSignal;
  #hasEnded = false;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(input: Readable, signal: AbortSignal) {
    this.#input = input;
    this.#signal = signal;
    input.on('readable', this.#changed).on('end', this.#ended).on('close', this.#ended).on('error', this.#failed);
    signal.addEventListener('abort', this.#changed);
  }

  get isOver(): boolean {
    return this.#hasEnded || this.#signal.aborted;
  }

  /** The next change since the last call, or the end of the time. */
  async next(ms: number | undefined): Promise<void> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, Math.max(0, ms));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#hasChanged = false;
    this.#wake = undefined;
  }

  close(): void {
    // What fails from here on, as by closing, concerns nobody: the listener for errors stays.
    this.#input.off('readable', this.#changed).off('end', this.#ended).off('close', this.#ended);
    this.#signal.removeEventListener('abort', this.#changed);
  }

  readonly #changed = (): void => {
    this.#hasChanged = true;
    this.#wake?.();
  };

  readonly #ended = (): void => {
    this.#hasEnded = true;
    this.#changed();
  };

  readonly #failed = (error: Error): void => {
    this.error ??= error;
    this.#ended();
  };
}
