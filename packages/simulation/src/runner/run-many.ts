/** Runs schedules on several threads until there are none left. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { SeedOptions, SeedReport } from './run-seed.ts';
import type { ScheduleName } from './schedule-names.ts';

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
  /** The next one to run; undefined: no more. */
  readonly next: () => ScheduleName | undefined;
  readonly run: Omit<SeedOptions, 'profile'>;
  readonly workers: number;
  readonly report: (report: SeedReport) => void;
}

/** What is being run: those that never end are found here. */
export type Running = ReadonlySet<ScheduleName>;

export function runMany(options: ManyOptions): { readonly running: Running; readonly ended: Promise<void> } {
  for (const flag of V8_FLAGS) setFlagsFromString(flag);
  const running = new Set<ScheduleName>();
  const threads = Array.from({ length: options.workers }, () => work(options, running));
  return { running, ended: Promise.all(threads).then(() => undefined) };
}

function work({ next, run, report }: ManyOptions, running: Set<ScheduleName>): Promise<void> {
  return new Promise((resolve, reject) => {
    let current = next();
    if (current === undefined) {
      resolve();
      return;
    }
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: run });
    const begin = (name: ScheduleName) => {
      current = name;
      running.add(name);
      worker.postMessage(name);
    };
    worker.on('message', (done: SeedReport) => {
      running.delete(current!);
      report(done);
      const following = next();
      if (following === undefined) void worker.terminate().then(() => resolve());
      else begin(following);
    });
    worker.on('error', (cause) => {
      const { profile, seed } = current!;
      const again = `npm run simulate -- --schedule ${profile}:${seed}`;
      reject(new Error(`seed ${seed}, ${profile}: the thread that ran it ended: ${again}`, { cause }));
    });
    begin(current);
  });
}
