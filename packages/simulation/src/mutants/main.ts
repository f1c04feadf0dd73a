/** `npm run simulate:mutants`. Exit 0: every mutant was caught. 1: some were not. 2: wrong usage. 128 + N: ended by signal N. */
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { toError } from '@cairnfs/base';
import { MutatedCopy } from './mutated-copy.ts';
import { type Options, parseOptions, profileFor, seedFor, simulatorArguments, USAGE } from './options.ts';
import { killAllGroups } from './process-groups.ts';
import { formatLine, Tally } from './tally.ts';
import { untilCaught } from './until-caught.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

async function main(): Promise<number> {
  let options: Options | 'help';
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`simulate:mutants: ${toError(error).message}\nsee "npm run simulate:mutants -- --help"`);
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
  // However this process ends, short of being killed.
  process.once('exit', () => {
    killAllGroups();
    copy.remove();
  });
  for (const mutant of mutants) {
    const { name } = mutant;
    const firstSeed = Number(seedFor(options, mutant));
    let line: string;
    try {
      const args = simulatorArguments(options, mutant);
      const outcome = await copy.with(mutant, () => untilCaught(copy.root, args, firstSeed));
      const { by, schedules } = outcome;
      const isNew = by !== undefined && (await isCleanWithout(by, firstSeed + schedules - 1));
      line = tally.judge(name, outcome, isNew);
    } catch (error) {
      // The others are no worse for it.
      line = tally.notRun(name, toError(error));
    }
    console.log(formatLine(name, profileFor(options, mutant), line));
  }
  console.log(tally.format());
  return tally.isAllCaught ? 0 : 1;
}

/** Does the schedule that found a mutant pass on the code as it is? */
async function isCleanWithout(by: string, seed: number): Promise<boolean> {
  const profile = by.slice(0, by.indexOf(','));
  const { by: failure } = await untilCaught(ROOT, ['--schedule', `${profile}:${seed}`, '--workers', '1'], seed);
  return failure === undefined;
}

process.exitCode = await main();
