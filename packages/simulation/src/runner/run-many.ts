/** Runs schedules in several processes until there are none left. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedOptions, SeedReport } from './run-seed.ts';
import type { ScheduleName } from './schedule-names.ts';

/**
 * For the processes. A schedule leaves much short-lived garbage and little that lasts, and usual heaps begin small: they
 * would collect everything many times a schedule, a sixth of all work. And a run passes through so much code that the
 * compiler is busy with it for hundreds of schedules: with less inlined it has less to do. Sizes of heaps are in MiB.
 * Threads that collect side by side do more work than one alone, an eighth of a schedule's, and the other cores have
 * schedules of their own. V8 does not survive that one being changed while it runs: so these are processes, not threads.
 */
const V8_FLAGS = [
  '--min-semi-space-size=16',
  '--max-semi-space-size=32',
  '--initial-old-space-size=512',
  '--max-inlined-bytecode-size=150',
  '--max-inlined-bytecode-size-cumulative=250',
  '--single-threaded-gc',
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
  const running = new Set<ScheduleName>();
  const workers = new Set<ChildProcess>();
  // One that runs without end would go on after this process.
  const killAll = (): void => {
    for (const worker of workers) worker.kill('SIGKILL');
  };
  process.once('exit', killAll);
  const ended = Promise.all(Array.from({ length: options.workers }, () => work(options, running, workers)));
  return { running, ended: ended.then(() => void process.off('exit', killAll)) };
}

function work(
  { next, run, report }: ManyOptions,
  running: Set<ScheduleName>,
  workers: Set<ChildProcess>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current = next();
    if (current === undefined) {
      resolve();
      return;
    }
    const execArgv = [...process.execArgv, ...V8_FLAGS];
    const worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [JSON.stringify(run)], { execArgv });
    workers.add(worker);
    const begin = (name: ScheduleName) => {
      current = name;
      running.add(name);
      worker.send(name);
    };
    worker.on('message', (done: SeedReport) => {
      running.delete(current!);
      report(done);
      current = next();
      if (current === undefined) worker.disconnect();
      else begin(current);
    });
    worker.on('exit', (code, signal) => {
      workers.delete(worker);
      if (current === undefined) {
        resolve();
        return;
      }
      const { profile, seed } = current;
      const again = `npm run simulate -- --schedule ${profile}:${seed}`;
      reject(
        new Error(`seed ${seed}, ${profile}: the process that ran it ended (${signal ?? `code ${code}`}): ${again}`),
      );
    });
    begin(current);
  });
}
