/** `npm run chaos`. Exit 0: no violation. 1: some, or the run broke off. 2: wrong usage. 128 and its number: a signal. */
import { mkdtempSync, renameSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { complaint } from '@cairnfs/simulation';
import { type RunResult, runChaos } from './chaos-run.ts';
import { findLeftovers, removeLeftovers } from './leftovers.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { nameOfThisRun } from './run-name.ts';
import { formatSummary, formatViolation } from './summary.ts';
import { VirtualNetwork } from './virtual-network.ts';

async function main(): Promise<number> {
  let options: Options | 'help';
  try {
    options = parseOptions(process.argv.slice(2), { nowMs: Date.now() });
  } catch (error) {
    console.error(complaint('chaos', error));
    return 2;
  }
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  sweep();
  return options.isSweep ? 0 : run(options);
}

function sweep(): void {
  const left = findLeftovers();
  const { pids, namespaces, folders } = left;
  if (pids.length + namespaces.length + folders.length === 0) return;
  const counts = `${pids.length} processes, ${namespaces.length} network namespaces, ${folders.length} folders`;
  console.log(`removing what earlier runs left: ${counts}`);
  removeLeftovers(left);
}

async function run({ seed, minutes, wantsNetwork }: Options): Promise<number> {
  const runName = nameOfThisRun();
  const folder = mkdtempSync(join(tmpdir(), `${runName}-`));
  // Whatever ends this process, short of being killed, leaves nothing behind.
  process.on('exit', () => removeLeftovers(findLeftovers((name) => name === runName)));
  const missing = wantsNetwork ? VirtualNetwork.whatIsMissing(runName) : 'not wanted';
  const interrupted = new AbortController();
  let exitCode: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (exitCode !== undefined) process.exit(exitCode);
      exitCode = 128 + constants.signals[signal];
      console.log(`${signal}: ending`);
      interrupted.abort(new Error(signal));
    });
  }
  console.log(`seed ${seed}, ${minutes} minutes of faults in ${folder}`);
  console.log(missing === undefined ? 'with partitions of the network' : `without partitions: ${missing}`);
  const startMs = performance.now();
  let result: RunResult;
  try {
    result = await runChaos({
      seed,
      durationMs: minutes * 60_000,
      runName,
      folder,
      hasNetwork: missing === undefined,
      tell: (line) => console.log(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(7)} s  ${line}`),
      signal: interrupted.signal,
    });
  } catch (error) {
    if (exitCode !== undefined) return exitCode;
    console.error(error);
    console.error(`seed ${seed}: the run broke off; its files are in ${keep(folder, seed)}`);
    return 1;
  }
  for (const violation of result.violations) console.log(formatViolation(seed, violation));
  console.log(formatSummary(result));
  if (result.violations.length === 0) return 0;
  console.log(`seed ${seed}: logs, histories and data are in ${keep(folder, seed)}`);
  return 1;
}

/** Under a name that no sweep takes. */
function keep(folder: string, seed: number): string {
  const kept = join(tmpdir(), `cairn-chaos-kept-${seed}-${process.pid}`);
  renameSync(folder, kept);
  return kept;
}

process.exitCode = await main();
