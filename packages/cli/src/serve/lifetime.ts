/** When a server process ends: on SIGINT or SIGTERM, and with its supervisor. */
import { Socket } from 'node:net';

/**
 * Aborts on the first SIGINT or SIGTERM, or when standard input closes under `CAIRN_SUPERVISED=1` (the supervisor holds
 * the other end, so its death is seen at once). A second signal ends the process the hard way.
 */
export function endOfLife(): AbortSignal {
  const controller = new AbortController();
  const end = (signal: string) => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error(signal));
  };
  process.on('SIGINT', () => end('SIGINT'));
  process.on('SIGTERM', () => end('SIGTERM'));
  if (process.env.CAIRN_SUPERVISED === '1') {
    process.stdin.on('end', () => controller.abort(new Error('the supervisor is gone')));
    process.stdin.on('error', () => controller.abort(new Error('the supervisor is gone')));
    process.stdin.resume();
    // It tells of the supervisor's end; it must not keep a server alive that has failed by itself.
    if (process.stdin instanceof Socket) process.stdin.unref();
  }
  return controller.signal;
}

/** Resolves when the signal has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
