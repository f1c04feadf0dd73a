/** What `npm run simulate` was told. */
import { CHUNKS, type ScaleSizes, SERVERS, scaleSizes } from '../scale/sizes.ts';
import { parseIds, type Selection } from '../schedule/selection.ts';
import {
  minutesOf,
  profilesOf,
  SCALE_PROFILE,
  SEED_MAX,
  scheduleNamed,
  seedOf,
  selectionOf,
  wholeOf,
} from './option-values.ts';
import { type Given, readArguments, refuse } from './read-arguments.ts';
import type { ScheduleName, ScheduleRange } from './schedule-names.ts';

export type Command = ListCommand | ScaleCommand | StoryCommand | RunsCommand;

/** The profiles are printed. */
export interface ListCommand {
  readonly kind: 'list';
}

/** What many chunkservers cost the master. */
export interface ScaleCommand extends ScaleSizes {
  readonly kind: 'scale';
  readonly seed: number;
}

/** One schedule is run, and told line by line. */
export interface StoryCommand {
  readonly kind: 'story';
  readonly name: ScheduleName;
  readonly only: Selection;
  /** Only what has this text. */
  readonly of: string | undefined;
}

export interface RunsCommand {
  readonly kind: 'runs';
  readonly range: ScheduleRange;
  /** No schedule but the first begins after so many minutes of real time. */
  readonly minutes: number;
  readonly workers: number;
  /** What is left of the schedule, where there is one, or of each. */
  readonly only: Selection;
  /** Real time for making each failing schedule smaller. */
  readonly shrinkMs: number;
}

const SCHEDULES = 100;
const SHRINK_SECONDS = 60;
const SHRINK_SECONDS_MAX = 86_400;
/** Each is a process with half a gigabyte of heap. */
const WORKERS_MAX = 256;

const OPTIONS = {
  schedules: { type: 'string' },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  profile: { type: 'string' },
  schedule: { type: 'string', multiple: true },
  workers: { type: 'string' },
  trace: { type: 'boolean' },
  'trace-of': { type: 'string' },
  'shrink-seconds': { type: 'string' },
  operations: { type: 'string' },
  faults: { type: 'string' },
  list: { type: 'boolean' },
} as const;

type Option = keyof typeof OPTIONS;

export const USAGE = `usage: npm run simulate -- [--schedules N] [--seed S] [--minutes M] [--profile NAME,...] [--workers N]
       npm run simulate -- --schedule PROFILE:SEED ... [--workers N]
       npm run simulate -- --schedule PROFILE:SEED [--operations IDS] [--faults IDS] [--trace] [--trace-of TEXT]
       npm run simulate -- --profile scale [--seed S]
       npm run simulate -- --list

Runs whole clusters on virtual time under random faults and checks what clients saw. The same seed gives the same run.

  --schedules N   how many to run (${SCHEDULES}; without a limit when --minutes is given)
  --seed S        of the first one; by default drawn from the clock
  --minutes M     stop beginning new ones after so long; one is always run
  --profile NAME  what strikes, and what clients do (default); several with commas between them: in turn. NAME/short: a
                  sixth as long. scale is something else: it measures what many servers cost the master, and takes no
                  option but --seed
  --schedule PROFILE:SEED
                  run this one; may be repeated
  --operations none, --faults none
                  run the schedules without any
  --workers N     processes (1; at most ${WORKERS_MAX})
  --shrink-seconds N
                  so long a failing schedule is made smaller before it is printed (${SHRINK_SECONDS}; 0: not at all)
  --list          print the profiles and run none
  -h, --help      print this

Of one schedule, named by --schedule, or by --seed (with --profile unless it is default):

  --operations IDS, --faults IDS
                  run only these of it: 3,17,20-25 or none
  --trace         print its story
  --trace-of TEXT the same, only what has the text, in capitals or not (a host, a path, a chunk's handle, a method,
                  '#178'), and what broke

Of --profile scale, in the environment:

  ${SERVERS.variable}   chunkservers (${SERVERS.usual}; at least ${SERVERS.least})
  ${CHUNKS.variable}    chunks (${CHUNKS.usual})

Exit code 0: no violation. 1: some, or a process that ran a schedule died. 2: wrong usage. 130, 143: ended by SIGINT, SIGTERM.
More in docs/simulation.md.`;

export interface Surroundings {
  /** A seed where none is given. */
  readonly nowMs: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** @throws Error  with a message for the one who typed it. */
export function parseOptions(args: readonly string[], { nowMs, environment }: Surroundings): Command {
  const given = readArguments(args, OPTIONS);
  const allBut = (...options: readonly Option[]) =>
    (Object.keys(OPTIONS) as Option[]).filter((option) => !options.includes(option));
  if (given.has('list')) {
    refuse(given, allBut('list'), '--list, which runs nothing');
    return { kind: 'list' };
  }
  const text = (option: Option) => given.get(option)?.[0];
  const profiles = profilesOf(text('profile') ?? 'default');
  const seedText = text('seed');
  const seed = seedText === undefined ? nowMs % SEED_MAX : seedOf(seedText);
  if (profiles.includes(SCALE_PROFILE)) {
    refuse(given, allBut('profile', 'seed'), '--profile scale, which takes --seed only');
    return { kind: 'scale', seed, ...scaleSizes(environment) };
  }
  const named = (given.get('schedule') ?? []).map(scheduleNamed);
  if (named.length > 0)
    refuse(given, ['seed', 'schedules', 'minutes', 'profile'], '--schedule, which names what is run');

  const ofOne = (['trace', 'trace-of', 'operations', 'faults'] as const).find(
    (option) => given.has(option) && !isNone(given, option),
  );
  const one = ofOne === undefined ? undefined : oneSchedule(ofOne, given, { named, seed, profiles });
  const only =
    one === undefined ? noneOf(given) : selectionOf({ operations: text('operations'), faults: text('faults') }, one);
  if (one !== undefined && (given.has('trace') || given.has('trace-of'))) {
    refuse(given, ['workers', 'shrink-seconds'], `--${ofOne}: the story is that of one run`);
    const of = text('trace-of');
    if (of === '') throw new Error("--trace-of '': the text to look for is missing");
    return { kind: 'story', name: one, only, of };
  }
  const minutes = given.has('minutes') ? minutesOf(text('minutes')!) : Number.POSITIVE_INFINITY;
  const schedules = given.has('schedules')
    ? wholeOf('schedules', text('schedules')!, { least: 1, most: SEED_MAX })
    : given.has('minutes')
      ? Number.POSITIVE_INFINITY
      : SCHEDULES;
  const shrinkSeconds = text('shrink-seconds') ?? String(SHRINK_SECONDS);
  return {
    kind: 'runs',
    range:
      one === undefined
        ? { named, seed, schedules, profiles }
        : { named: [], seed: one.seed, schedules: 1, profiles: [one.profile] },
    minutes,
    workers: wholeOf('workers', text('workers') ?? '1', { least: 1, most: WORKERS_MAX }),
    only,
    shrinkMs: wholeOf('shrink-seconds', shrinkSeconds, { least: 0, most: SHRINK_SECONDS_MAX }) * 1000,
  };
}

/** What can be left out of any schedule. */
function isNone(given: Given<Option>, option: Option): boolean {
  const [text] = given.get(option) ?? [];
  return (option === 'operations' || option === 'faults') && text !== undefined && parseIds(text)?.length === 0;
}

function noneOf(given: Given<Option>): Selection {
  return { ...(given.has('operations') ? { operations: [] } : {}), ...(given.has('faults') ? { faults: [] } : {}) };
}

/** The one that an option is of which has a meaning for one only. */
function oneSchedule(
  option: Option,
  given: Given<Option>,
  { named, seed, profiles }: Pick<ScheduleRange, 'named' | 'seed' | 'profiles'>,
): ScheduleName {
  refuse(given, ['schedules', 'minutes'], `--${option}, which is of one schedule`);
  if (named.length > 1)
    throw new Error(`--${option} is of one schedule, and --schedule is given ${named.length} times`);
  if (named.length === 1) return named[0]!;
  if (!given.has('seed')) {
    throw new Error(
      `--${option} needs the schedule it is of: --schedule PROFILE:SEED, or --seed (with --profile unless it is default)`,
    );
  }
  if (profiles.length > 1) throw new Error(`--profile ${profiles.join(',')}: --${option} is of one schedule`);
  return { profile: profiles[0]!, seed };
}
