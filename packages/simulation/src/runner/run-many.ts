/** Runs seeds on several threads until there are none left or the time is over. */
import { Worker } from 'node:worker_threads';
import type { SeedOptions, SeedReport } from './run-seed.ts';

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
