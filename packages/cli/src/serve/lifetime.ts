/** When a server process ends: on SIGINT or SIGTERM, and with its supervisor. */
import { Socket } from 'node:net';
import { EXIT_INTERRUPTED } from '../exit-codes.ts';

/** One Ctrl-C may arrive twice, from the terminal and from a program in between; a person presses again later than this. */
const AGAIN_AFTER_MS = 500;

/**
 * The signals that end a process: the first one cleanly, the same one again the hard way. Another one after the first adds
 * nothing: a supervisor whose servers heard the Ctrl-C of their terminal tells them by SIGTERM too.
 */
export class EndSignals {
  readonly #ended = new AbortController();
  readonly #nowMs: () => number;
  readonly #endHard: () => void;
  readonly #heardAtMs = new Map<string, number>();

  constructor({ nowMs, endHard }: { nowMs: () => number; endHard: () => void }) {
    this.#nowMs = nowMs;
    this.#endHard = endHard;
  }

  /** Aborted by the first. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  heard(name: string): void {
    const nowMs = this.#nowMs();
    const beforeMs = this.#heardAtMs.get(name);
    if (beforeMs === undefined) this.#heardAtMs.set(name, nowMs);
    else if (nowMs - beforeMs >= AGAIN_AFTER_MS) this.#endHard();
    this.end(name);
  }

  end(reason: string): void {
    if (!this.#ended.signal.aborted) this.#ended.abort(new Error(reason));
  }
}

/**
 * Aborts on the first SIGINT or SIGTERM, or when standard input closes under `CAIRN_SUPERVISED=1` (the supervisor holds
 * the other end, so its death is seen at once).
 */
export function endOfLife(): AbortSignal {
  const signals = new EndSignals({
    nowMs: () => performance.now(),
    endHard: () => process.exit(EXIT_INTERRUPTED),
  });
  process.on('SIGINT', () => signals.heard('SIGINT'));
  process.on('SIGTERM', () => signals.heard('SIGTERM'));
  if (process.env.CAIRN_SUPERVISED === '1') {
    process.stdin.on('end', () => signals.end('the supervisor is gone'));
    process.stdin.on('error', () => signals.end('the supervisor is gone'));
    process.stdin.resume();
    // It tells of the supervisor's end; it must not keep a server alive that has failed by itself.
    if (process.stdin instanceof Socket) process.stdin.unref();
  }
  return signals.ended;
}

/** Resolves when the signal has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
