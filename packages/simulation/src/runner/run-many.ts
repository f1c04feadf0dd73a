/** Runs seeds on several threads until there are none left or the time is over. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { SeedOptions, SeedReport } from './run-seed.ts';

/**
 * For the threads. A schedule leaves much short-lived garbage and little that lasts, and usual heaps begin small: they
 * would collect everything many times a schedule, a sixth of all work. And a run passes through so much code that the
 * compiler is busy with it for hundreds of schedules: with less inlined it has less to do. Sizes of heaps are in MiB.
 */
const V8_FLAGS = [
  '--min-semi-space-size=16',
  '--max-semi-space-size=32',
  '--initial-old-space-size=512',
  '--max-inlined-bytecode-size=150',
  '--max-inlined-bytecode-size-cumulative=250',
];

export interface ManyOptions {
  readonly seed: number;
  readonly schedules: number;
  readonly run: SeedOptions;
  readonly workers: number;
  /** No seed is begun once it answers true. */
  readonly isOver: () => boolean;
  readonly report: (report: SeedReport) => void;
}

export async function runMany(options: ManyOptions): Promise<void> {
  const { seed, schedules, workers } = options;
  for (const flag of V8_FLAGS) setFlagsFromString(flag);
  let begun = 0;
  const nextSeed = () => (begun < schedules && !options.isOver() ? seed + begun++ : undefined);
  await Promise.all(Array.from({ length: Math.min(workers, schedules) }, () => work(options, nextSeed)));
}

function work({ run, report }: ManyOptions, nextSeed: () => number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: run });
    const next = () => {
      const seed = nextSeed();
      if (seed === undefined) void worker.terminate().then(() => resolve());
      else worker.postMessage(seed);
    };
    worker.on('message', (done: SeedReport) => {
      report(done);
      next();
    });
    worker.on('error', reject);
    next();
  });
}
