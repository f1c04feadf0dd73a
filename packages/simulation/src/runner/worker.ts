/** A thread that runs the seeds it is given, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed, type SeedOptions } from './run-seed.ts';

/** Of a stack trace in a report. */
const STACK_FRAMES = 20;

const options = workerData as SeedOptions;
parentPort!.on('message', async (seed: number) => {
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
