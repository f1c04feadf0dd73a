/** `npm run simulate:mutants`. Exit 0: every mutant was caught. 1: some were not. 2: wrong usage. 128 + N: ended by signal N. */
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { toError } from '@cairnfs/base';
import { complaint } from '../runner/read-arguments.ts';
import { formatName, type ScheduleName } from '../runner/schedule-names.ts';
import { MutatedCopy } from './mutated-copy.ts';
import { type Options, parseOptions, profileFor, seedFor, simulatorArguments, USAGE } from './options.ts';
import { killAllGroups } from './process-groups.ts';
import { formatKept, formatLine, Tally } from './tally.ts';
import { untilCaught } from './until-caught.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

async function main(): Promise<number> {
  let options: Options | 'help';
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(complaint('simulate:mutants', error));
    return 2;
  }
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  if (!options.isList) return tryAll(options);
  for (const mutant of options.mutants) {
    console.log(formatLine(mutant.name, profileFor(options, mutant), mutant.defect));
  }
  return 0;
}

async function tryAll(options: Options): Promise<number> {
  const { mutants } = options;
  const tally = new Tally(mutants.map(({ name }) => name));
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.log(`\n${signal}\n${tally.format()}`);
      process.exit(128 + constants.signals[signal]);
    });
  }
  const copy = new MutatedCopy(ROOT);
  let kept: string | undefined;
  // However this process ends, short of being killed.
  process.once('exit', () => {
    killAllGroups();
    if (kept === undefined) copy.remove();
  });
  for (const mutant of mutants) {
    const { name } = mutant;
    const firstSeed = Number(seedFor(options, mutant));
    let line: string;
    try {
      const args = simulatorArguments(options, mutant);
      const find = () => untilCaught(copy.root, args, firstSeed);
      const outcome = await copy.with(mutant, find, { stays: options.isKept });
      const { failed } = outcome;
      const isNew = failed !== undefined && (await isCleanWithout(failed));
      line = tally.judge(name, outcome, isNew);
      if (options.isKept) kept = formatKept(copy.root, failed);
    } catch (error) {
      // The others are no worse for it.
      line = tally.notRun(name, toError(error));
    }
    console.log(formatLine(name, profileFor(options, mutant), line));
  }
  console.log(tally.format());
  if (kept !== undefined) console.log(kept);
  return tally.isAllCaught ? 0 : 1;
}

/** Does the schedule that found a mutant pass on the code as it is? */
async function isCleanWithout(name: ScheduleName): Promise<boolean> {
  const { failed } = await untilCaught(ROOT, ['--schedule', formatName(name), '--workers', '1'], name.seed);
  return failed === undefined;
}

process.exitCode = await main();
