/** A thread that runs the seeds it is given, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed, type SeedOptions } from './run-seed.ts';

const options = workerData as SeedOptions;
parentPort!.on('message', async (seed: number) => {
  parentPort!.postMessage(await runSeed(seed, options));
});
