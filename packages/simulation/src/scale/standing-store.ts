/**
 * A real state store under a simulated process. Its writes take real time in which no virtual time passes, so that how
 * fast this machine's disk is changes nothing in the run. The process hears of the end in an event of its own.
 */
import type { Clock, OpenStateStore, StateStore } from '@cairnfs/base';
import type { Simulation } from '@cairnfs/sim';

export interface StandingStore extends StateStore {
  /** Closes it for a process that has ended, which hears of nothing any more. */
  abandon(): Promise<void>;
}

export function openStanding(
  simulation: Simulation,
  clock: Clock,
  open: OpenStateStore,
): (directory: string) => Promise<StandingStore> {
  const standing = async <T>(work: Promise<T>): Promise<T> => {
    const result = await simulation.standStill(work);
    await new Promise<void>((resolve) => clock.soon(resolve));
    return result;
  };
  return async (directory) => {
    const store = await standing(open(directory));
    return {
      get: (key) => store.get(key),
      load: (key) => store.get(key),
      range: (start, end, limit) => store.range(start, end, limit),
      write: (changes) => standing(store.write(changes)),
      flushed: () => standing(store.flushed()),
      sizeBytes: () => store.sizeBytes(),
      close: () => standing(store.close()),
      abandon: () => simulation.standStill(store.close()),
    };
  };
}
