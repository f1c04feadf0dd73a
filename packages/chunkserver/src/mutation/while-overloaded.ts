/**
 * A call to another chunkserver that has too much to do for the moment, or for which there is no room here: as with
 * mutations (refused-mutations.ts) that is no failure yet, and it is sent again for as long as a silent one is waited for.
 * So is a record of the start that a journal refuses for the moment.
 */
import { type Clock, isFsError } from '@cairnfs/base';
import { STAGE_RETRY_MS } from './limits.ts';

/**
 * @param call sends it once, for `leftMs` at most.
 * @throws FsError as the last try; OVERLOADED when the member had too much to do all of `patienceMs`.
 */
export async function whileOverloaded<T>(
  clock: Clock,
  patienceMs: number,
  call: (leftMs: number) => Promise<T>,
): Promise<T> {
  const untilMs = clock.nowMs() + patienceMs;
  for (;;) {
    try {
      return await call(untilMs - clock.nowMs());
    } catch (error) {
      if (!isFsError(error, 'OVERLOADED') || clock.nowMs() + STAGE_RETRY_MS >= untilMs) throw error;
    }
    await clock.sleep(STAGE_RETRY_MS);
  }
}
