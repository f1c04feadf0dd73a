import type { Clock } from '@cairnfs/base';

/** Waits for `work`, but no longer than that; what is not done by then goes on. @returns whether it is done. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  let end = () => {};
  const isOver = new Promise<false>((resolve) => (end = () => resolve(false)));
  const timer = clock.after(ms, end);
  try {
    return await Promise.race([work.then(() => true), isOver]);
  } finally {
    timer.cancel();
  }
}
