/** What is the same for every clock: to sleep is to wait for a timer that a signal may end. */
import { onAbort } from './on-abort.ts';
import type { Clock } from './seams.ts';

/** `Clock.sleep` by the timers of the clock. */
export function sleepOn(clock: Pick<Clock, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    let unhook = () => {};
    const timer = clock.after(delayMs, () => {
      unhook();
      resolve();
    });
    if (signal === undefined) return;
    unhook = onAbort(signal, () => {
      timer.cancel();
      reject(signal.reason);
    });
  });
}
