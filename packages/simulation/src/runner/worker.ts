/** A thread that runs the seeds it is given, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './run-seed.ts';

const { profile } = workerData as { profile: string };
parentPort!.on('message', async (seed: number) => {
  parentPort!.postMessage(await runSeed(seed, profile));
});
