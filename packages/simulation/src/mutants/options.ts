/** What `npm run simulate:mutants` was told. */
import { parseArgs } from 'node:util';
import { parseOptions as parseSimulatorOptions } from '../runner/options.ts';
import { profileNamed } from '../schedule/profiles.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

export interface Options {
  /** In the order in which they are tried. */
  readonly mutants: readonly Mutant[];
  /** Instead of those that the mutants name. */
  readonly profile: string | undefined;
  readonly seed: string | undefined;
  /** For the simulator, whatever the mutant. */
  readonly passedOn: readonly string[];
  /** Only prints the mutants. */
  readonly isList: boolean;
}

const SCHEDULES_MAX = 20_000;

export const USAGE = `usage: npm run simulate:mutants -- [--only TEXT] [--profile NAME] [--seed S] [--schedules N] [--minutes M] [--workers N]
       npm run simulate:mutants -- [--only TEXT] --list

Puts small defects into a copy of the code, one at a time, and runs the simulator until it finds each. The schedule that
found one is run without it as well: where that fails too, nothing was shown.

  --only TEXT     mutants whose name has the text
  --profile NAME  run schedules of this profile instead of the one that each mutant names
  --seed S        of the first schedule (1, or what the mutant names)
  --schedules N   give up on a mutant after so many (${SCHEDULES_MAX})
  --minutes M     begin no more schedules of a mutant when its first one began M minutes ago (no limit)
  --workers N     processes (2)
  --list          print the mutants and run none
  -h, --help      print this

Exit code 0: every mutant was caught. 1: some were not, or could not be run. 2: wrong usage. 130: ended by Ctrl-C.
docs/mutants.md tells more.`;

/**
 * @returns `help` when the usage is asked for.
 * @throws Error  with a message for the one who typed it: before anything is built.
 */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: '' },
      profile: { type: 'string' },
      seed: { type: 'string' },
      schedules: { type: 'string', default: String(SCHEDULES_MAX) },
      minutes: { type: 'string' },
      workers: { type: 'string', default: '2' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const { only, profile, seed, schedules, minutes, workers } = values;
  const mutants = MUTANTS.filter(({ name }) => name.includes(only));
  if (mutants.length === 0) throw new Error(`--only ${only}: no mutant has this in its name; --list prints them`);
  const passedOn = ['--schedules', schedules, '--workers', workers];
  if (minutes !== undefined) passedOn.push('--minutes', minutes);
  const options = { mutants, profile, seed, passedOn, isList: values.list };
  // The simulator's rules, and its words.
  for (const mutant of mutants)
    parseSimulatorOptions(simulatorArguments(options, mutant), { nowMs: 0, environment: {} });
  // It knows one that is no profile of schedules.
  const other = profile?.split(',').find((name) => profileNamed(name) === undefined);
  if (other !== undefined) throw new Error(`--profile ${other}: it runs no schedules`);
  return options;
}

/** What the simulator is told so that it finds the mutant. */
export function simulatorArguments(options: Omit<Options, 'mutants' | 'isList'>, mutant: Mutant): string[] {
  return ['--profile', profileFor(options, mutant), `--seed=${seedFor(options, mutant)}`, ...options.passedOn];
}

export function profileFor({ profile }: Pick<Options, 'profile'>, mutant: Mutant): string {
  return profile ?? mutant.profile ?? 'default';
}

export function seedFor({ seed }: Pick<Options, 'seed'>, mutant: Mutant): string {
  return seed ?? String(mutant.seed ?? 1);
}
