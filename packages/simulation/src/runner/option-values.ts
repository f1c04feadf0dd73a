/** What the texts of options stand for; each refuses what cannot be meant, with the option and the text it came in. */
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES, profileNamed, SHORT } from '../schedule/profiles.ts';
import { parseIds, type Selection } from '../schedule/selection.ts';
import { formatName, type ScheduleName } from './schedule-names.ts';

/** No schedule of faults: what many chunkservers cost the master (scale/). */
export const SCALE_PROFILE = 'scale';

export const PROFILE_NAMES: readonly string[] = [...Object.keys(PROFILES), SCALE_PROFILE];

/** Leaves room to count on from. */
export const SEED_MAX = 2 ** 48;

export function wholeOf(
  option: string,
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`--${option} ${shown(text)}: a whole number from ${least} to ${most} is wanted`);
  }
  return value;
}

export function seedOf(text: string): number {
  return wholeOf('seed', text, { least: 0, most: SEED_MAX });
}

export function minutesOf(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0 && Number.isFinite(value))) {
    throw new Error(`--minutes ${shown(text)}: a number above 0 is wanted, as 10 or 0.5`);
  }
  return value;
}

export function profilesOf(text: string): string[] {
  const names = text.split(',');
  for (const name of names) checkProfile(`--profile ${shown(text)}`, name);
  if (names.length > 1 && names.includes(SCALE_PROFILE))
    throw new Error(`--profile ${shown(text)}: scale is run alone`);
  return names;
}

export function scheduleNamed(text: string): ScheduleName {
  const option = `--schedule ${shown(text)}`;
  const [profile = '', seed, ...more] = text.split(':');
  if (seed === undefined || more.length > 0) throw new Error(`${option}: PROFILE:SEED is wanted, as storm:7`);
  checkProfile(option, profile);
  if (profile === SCALE_PROFILE) throw new Error(`${option}: scale is run by --profile scale --seed S`);
  if (!/^\d+$/.test(seed) || Number(seed) > SEED_MAX) {
    throw new Error(
      `${option}: PROFILE:SEED is wanted, as storm:7, with a whole number from 0 to ${SEED_MAX} as its seed`,
    );
  }
  return { profile, seed: Number(seed) };
}

/** @returns what of that schedule is run: all where nothing was said. */
export function selectionOf(
  texts: Readonly<Record<keyof Selection, string | undefined>>,
  name: ScheduleName,
): Selection {
  const { profile, seed } = name;
  const part = (kind: keyof Selection): readonly number[] | undefined => {
    const text = texts[kind];
    if (text === undefined) return undefined;
    const ids = parseIds(text);
    if (ids === undefined) {
      throw new Error(
        `--${kind} ${shown(text)}: numbers and ranges from low to high are wanted, as 3,17,20-25, or none`,
      );
    }
    const all = makeSchedule(seed, { name: profile, profile: profileNamed(profile)! })[kind];
    const known = new Set(all.map(({ id }) => id));
    const unknown = ids.find((id) => !known.has(id));
    if (unknown === undefined) return ids;
    const there = all.length === 0 ? `no ${kind}` : `${kind} ${all[0]!.id} to ${all.at(-1)!.id}`;
    throw new Error(`--${kind} ${text}: there is no ${unknown}: ${formatName(name)} has ${there}`);
  };
  return { operations: part('operations'), faults: part('faults') };
}

function checkProfile(option: string, name: string): void {
  if (name === SCALE_PROFILE || profileNamed(name) !== undefined) return;
  const there = `there are ${PROFILE_NAMES.join(', ')}`;
  if (name === '') throw new Error(`${option}: the name of a profile is missing; ${there}`);
  const [of = '', ...suffixes] = name.split('/');
  if (suffixes.length === 0) throw new Error(`${option}: there is no profile '${name}'; ${there}`);
  if (profileNamed(of) === undefined) throw new Error(`${option}: there is no profile '${of}' with ${SHORT}; ${there}`);
  const why = of === SHORT.slice(1) ? `${of} is short` : `nothing but ${SHORT} goes behind a profile`;
  throw new Error(`${option}: there is no profile '${name}': ${why}`);
}

/** In quotes where it could not be told from the words around it. */
export function shown(text: string): string {
  return /^[^\s']+$/.test(text) ? text : `'${text}'`;
}
