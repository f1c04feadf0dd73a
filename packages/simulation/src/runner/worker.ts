/** A thread that runs the schedules it is given, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed, type SeedOptions } from './run-seed.ts';
import type { ScheduleName } from './schedule-names.ts';

/** Of a stack trace in a report. */
const STACK_FRAMES = 20;

const run = workerData as Omit<SeedOptions, 'profile'>;
parentPort!.on('message', async ({ profile, seed }: ScheduleName) => {
  const options = { ...run, profile };
  // Runs are full of errors that somebody expects, and the stack trace costs more than the error. Only a seed that
  // fails, or cannot be run, is run again with them, and shrunk.
  Error.stackTraceLimit = 0;
  const report = await runSeed(seed, { ...options, shrinkMs: 0 }).catch(() => undefined);
  if (report?.violations.length === 0) {
    parentPort!.postMessage(report);
    return;
  }
  Error.stackTraceLimit = STACK_FRAMES;
  parentPort!.postMessage(await runSeed(seed, options));
});
