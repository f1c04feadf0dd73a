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

/** A process that ended in the middle of a schedule. */
export interface Death {
  readonly name: ScheduleName;
  /** The signal, or the exit code. */
  readonly by: string;
}

export class ManyRuns {
  readonly #options: ManyOptions;
  readonly #running = new Set<ScheduleName>();
  readonly #workers = new Set<ChildProcess>();
  #death: Death | undefined;
  #isStopped = false;
  /** When no process is left: there is no schedule left to run, `stop` was called, or one of them died. */
  readonly ended: Promise<void>;

  constructor(options: ManyOptions) {
    this.#options = options;
    // One that runs without end would go on after this process.
    const killAll = () => this.#killAll();
    process.once('exit', killAll);
    const all = Promise.all(Array.from({ length: options.workers }, () => this.#work()));
    this.ended = all.then(() => void process.off('exit', killAll));
  }

  /** What has begun and has no report: those that never end are found here. */
  get running(): readonly ScheduleName[] {
    return [...this.#running];
  }

  /** The first one; the others were stopped because of it. */
  get death(): Death | undefined {
    return this.#death;
  }

  /** What runs has no report any more. */
  stop(): void {
    this.#isStopped = true;
    this.#killAll();
  }

  #killAll(): void {
    for (const worker of this.#workers) worker.kill('SIGKILL');
  }

  /** One process, until there is nothing left for it. */
  #work(): Promise<void> {
    const { next, run, report } = this.#options;
    let current = next();
    if (current === undefined) return Promise.resolve();
    const execArgv = [...process.execArgv, ...V8_FLAGS];
    const worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [JSON.stringify(run)], { execArgv });
    this.#workers.add(worker);
    const begin = (name: ScheduleName) => {
      current = name;
      this.#running.add(name);
      worker.send(name);
    };
    worker.on('message', (done: SeedReport) => {
      if (this.#isStopped) return;
      this.#running.delete(current!);
      report(done);
      current = next();
      if (current === undefined) worker.disconnect();
      else begin(current);
    });
    return new Promise((resolve) => {
      const end = (by: string) => {
        this.#workers.delete(worker);
        if (current !== undefined && !this.#isStopped) {
          this.#death = { name: current, by };
          this.stop();
        }
        resolve();
      };
      worker.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      worker.on('error', ({ message }) => {
        // One that began and has died cannot be sent anything either: its exit tells.
        if (worker.pid === undefined) end(message);
      });
      begin(current!);
    });
  }
}
