/** What `npm run simulate` was told. */
import { parseArgs } from 'node:util';
import { PROFILES, profileNamed } from '../schedule/profiles.ts';
import { parseIds, type Selection } from '../schedule/selection.ts';
import type { ScheduleName } from './schedule-names.ts';

export interface Options {
  /** Of the first schedule; the others follow it. */
  readonly seed: number;
  readonly schedules: number;
  /** No schedule begins after so many minutes of real time. */
  readonly minutes: number;
  /** In turn, from one schedule to the next. */
  readonly profiles: readonly string[];
  /** When there are any, these are run and none else. */
  readonly named: readonly ScheduleName[];
  readonly workers: number;
  /** What is left of the schedule of one seed. */
  readonly only: Selection;
  /** Real time for making each failing schedule smaller. */
  readonly shrinkMs: number;
  readonly isTraced: boolean;
  /** Only what has this text. */
  readonly traceOf: string | undefined;
}

/** No schedule of faults: what many chunkservers cost the master (scale/). */
export const SCALE_PROFILE = 'scale';

const PROFILE_NAMES = [...Object.keys(PROFILES), SCALE_PROFILE];

const SHRINK_SECONDS = 60;

export const USAGE = `usage: npm run simulate -- [--schedules N] [--seed S] [--minutes M] [--profile NAME,...] [--workers N]
       npm run simulate -- --schedule PROFILE:SEED ... [--workers N]
       npm run simulate -- --seed S [--operations IDS] [--faults IDS] [--trace] [--trace-of TEXT] [--profile NAME]

Runs whole clusters on virtual time under random faults and checks what clients saw. The same seed gives the same run.

  --schedules N   how many to run (100; without a limit when --minutes is given)
  --seed S        of the first one; by default drawn from the clock
  --minutes M     stop beginning new ones after so long
  --profile NAME  ${PROFILE_NAMES.join(', ')};
                  several with commas between them: in turn; NAME/short: a sixth as long
  --schedule PROFILE:SEED
                  run this one; may be repeated
  --workers N     processes (1)
  --shrink-seconds N
                  so long a failing schedule is made smaller before it is printed (${SHRINK_SECONDS}; 0: not at all)
  --operations IDS, --faults IDS
                  run only these of the schedule of the one seed: 3,17,20-25 or none
  --trace         run the one seed and print its story
  --trace-of TEXT the same, only what has the text (a host, a path, a chunk's handle, a method), and what broke`;

const SEED_MAX = 2 ** 48; // leaves room to count on from

/** @throws Error  with a message for the one who typed it. */
export function parseOptions(args: readonly string[], { nowMs }: { nowMs: number }): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      schedules: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      profile: { type: 'string', default: 'default' },
      schedule: { type: 'string', multiple: true, default: [] },
      workers: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      'trace-of': { type: 'string' },
      'shrink-seconds': { type: 'string', default: String(SHRINK_SECONDS) },
      operations: { type: 'string' },
      faults: { type: 'string' },
    },
  });
  const profiles = profilesIn(values.profile);
  const named = values.schedule.map(scheduleName);
  const traceOf = values['trace-of'];
  const isTraced = values.trace || traceOf !== undefined;
  if (isTraced && values.seed === undefined) throw new Error('--trace needs the --seed of the run to print');
  const only = { operations: ids('operations', values.operations), faults: ids('faults', values.faults) };
  const isOne = only.operations !== undefined || only.faults !== undefined;
  if (isOne && values.seed === undefined) throw new Error('--operations and --faults need the --seed they are of');
  if (profiles.length > 1 && (isTraced || isOne))
    throw new Error(`--profile ${values.profile}: one run has one profile`);
  if (named.length > 0 && (values.seed ?? values.schedules ?? values.minutes) !== undefined) {
    throw new Error('--schedule names what is run: --seed, --schedules and --minutes do not go with it');
  }
  const minutes = positive('minutes', values.minutes ?? 'Infinity');
  return {
    seed: values.seed === undefined ? nowMs % SEED_MAX : whole('seed', values.seed, 0),
    schedules:
      values.schedules === undefined && minutes < Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : whole('schedules', values.schedules ?? (isOne ? '1' : '100'), 1),
    minutes,
    only,
    shrinkMs: whole('shrink-seconds', values['shrink-seconds'], 0) * 1000,
    profiles,
    named,
    workers: whole('workers', values.workers, 1),
    isTraced,
    traceOf,
  };
}

function profilesIn(text: string): string[] {
  const names = text.split(',');
  const wrong = names.find((name) => name !== SCALE_PROFILE && profileNamed(name) === undefined);
  if (wrong !== undefined) throw new Error(`--profile ${wrong}: there are ${PROFILE_NAMES.join(', ')}`);
  if (names.length > 1 && names.includes(SCALE_PROFILE)) throw new Error(`--profile ${text}: scale is run alone`);
  return names;
}

function scheduleName(text: string): ScheduleName {
  const [profile = '', seed = '', ...more] = text.split(':');
  if (profileNamed(profile) === undefined || more.length > 0) {
    throw new Error(`--schedule ${text}: a profile and a seed are wanted, as storm:7`);
  }
  return { profile, seed: whole('schedule', seed, 0) };
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > SEED_MAX) {
    throw new Error(`--${name} ${text}: a whole number from ${least} is wanted`);
  }
  return value;
}

function ids(name: string, text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const parsed = parseIds(text);
  if (parsed === undefined) throw new Error(`--${name} ${text}: numbers and ranges are wanted, as 3,17,20-25, or none`);
  return parsed;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: a number above 0 is wanted`);
  return value;
}
