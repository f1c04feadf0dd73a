/** Which schedules a run goes through. */

/** What a schedule is made from. */
export interface ScheduleName {
  readonly profile: string;
  readonly seed: number;
}

/** As `--schedule` takes it. */
export function formatName({ profile, seed }: ScheduleName): string {
  return `${profile}:${seed}`;
}

export interface ScheduleRange {
  /** When there are any, these and none else. */
  readonly named: readonly ScheduleName[];
  readonly seed: number;
  readonly schedules: number;
  /** In turn. */
  readonly profiles: readonly string[];
}

export function* scheduleNames({
  named,
  seed,
  schedules,
  profiles,
}: ScheduleRange): Generator<ScheduleName, undefined> {
  yield* named;
  if (named.length > 0) return;
  for (let index = 0; index < schedules; index += 1) {
    yield { profile: profiles[index % profiles.length]!, seed: seed + index };
  }
}
