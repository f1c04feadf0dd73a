/** What `npm run simulate:mutants` was told. */
import { SCALE_PROFILE, shown } from '../runner/option-values.ts';
import { parseOptions as parseSimulatorOptions } from '../runner/options.ts';
import { asksForHelp, readArguments, refuse } from '../runner/read-arguments.ts';
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
  /** The copy with the mutant, which then is the only one, is left. */
  readonly isKept: boolean;
}

const SCHEDULES_MAX = 20_000;
const WORKERS = '2';

const OPTIONS = {
  only: { type: 'string' },
  profile: { type: 'string' },
  seed: { type: 'string' },
  schedules: { type: 'string' },
  minutes: { type: 'string' },
  workers: { type: 'string' },
  keep: { type: 'boolean' },
  list: { type: 'boolean' },
} as const;

type Option = keyof typeof OPTIONS;

export const USAGE = `usage: npm run simulate:mutants -- [--only TEXT] [--profile NAME] [--seed S] [--schedules N] [--minutes M] [--workers N]
                                   [--keep]
       npm run simulate:mutants -- [--only TEXT] --list

Puts small defects into a copy of the code, one at a time, and runs the simulator until it finds each. The schedule that
found one is run without it as well: where that fails too, nothing was shown.

  --only TEXT     mutants whose name has the text
  --profile NAME  run schedules of this profile instead of the one that each mutant names
  --seed S        of the first schedule (1, or what the mutant names)
  --schedules N   give up on a mutant after so many (${SCHEDULES_MAX})
  --minutes M     begin no more schedules of a mutant when its first one began M minutes ago (no limit)
  --workers N     processes (${WORKERS})
  --keep          of one mutant: leave the copy with it in the temporary folder, and print what runs the schedule there
                  that found it
  --list          print the mutants and run none
  -h, --help      print this

Exit code 0: every mutant was caught. 1: some were not, or could not be run. 2: wrong usage. 129, 130, 143: ended by SIGHUP,
SIGINT, SIGTERM. docs/mutants.md tells more.`;

/**
 * @returns `help` when the usage is asked for.
 * @throws Error  with a message for the one who typed it: before anything is built.
 */
export function parseOptions(args: readonly string[]): Options | 'help' {
  if (asksForHelp(args)) return 'help';
  const given = readArguments(args, OPTIONS);
  const text = (option: Option) => given.get(option)?.[0];
  const [isList, isKept] = [given.has('list'), given.has('keep')];
  if (isList) {
    const others = (Object.keys(OPTIONS) as Option[]).filter((option) => option !== 'list' && option !== 'only');
    refuse(given, others, '--list, which runs nothing');
  }
  const only = text('only');
  if (only === '') throw new Error("--only '': a part of the names is wanted");
  const mutants = MUTANTS.filter(({ name }) => name.includes(only ?? ''));
  if (mutants.length === 0)
    throw new Error(`--only ${shown(only!)}: no mutant has this in its name; --list prints them`);
  if (isKept && mutants.length > 1) {
    throw new Error(`--keep is of one mutant, and there are ${mutants.length}: --only with the name of one is wanted`);
  }
  const profile = text('profile');
  if (profile?.split(',').includes(SCALE_PROFILE)) {
    throw new Error(`--profile ${shown(profile)}: ${SCALE_PROFILE} runs no schedules`);
  }
  const passedOn = ['--schedules', text('schedules') ?? String(SCHEDULES_MAX), '--workers', text('workers') ?? WORKERS];
  const minutes = text('minutes');
  if (minutes !== undefined) passedOn.push('--minutes', minutes);
  const options = { mutants, profile, seed: text('seed'), passedOn, isList, isKept };
  // The simulator's rules, and its words.
  for (const mutant of mutants)
    parseSimulatorOptions(simulatorArguments(options, mutant), { nowMs: 0, environment: {} });
  return options;
}

/** What the simulator is told so that it finds the mutant. */
export function simulatorArguments(options: Pick<Options, 'profile' | 'seed' | 'passedOn'>, mutant: Mutant): string[] {
  return ['--profile', profileFor(options, mutant), `--seed=${seedFor(options, mutant)}`, ...options.passedOn];
}

export function profileFor({ profile }: Pick<Options, 'profile'>, mutant: Mutant): string {
  return profile ?? mutant.profile ?? 'default';
}

export function seedFor({ seed }: Pick<Options, 'seed'>, mutant: Mutant): string {
  return seed ?? String(mutant.seed ?? 1);
}
