/** Which operations and faults of a schedule are kept, as text short enough for a command line: `3,17,20-25` or `none`. */
import type { Schedule } from './schedule.ts';

export interface Selection {
  /** Numbers of operations; all when absent. */
  readonly operations?: readonly number[] | undefined;
  readonly faults?: readonly number[] | undefined;
}

const NONE = 'none';

/** The schedule with nothing else in it. Everything that is left keeps its number, its time and its seed. */
export function restrict(schedule: Schedule, { operations, faults }: Selection): Schedule {
  const only = <T extends { id: number }>(all: readonly T[], kept: readonly number[] | undefined): readonly T[] => {
    const wanted = kept === undefined ? undefined : new Set(kept);
    return wanted === undefined ? all : all.filter(({ id }) => wanted.has(id));
  };
  return {
    ...schedule,
    operations: only(schedule.operations, operations),
    faults: only(schedule.faults, faults),
  };
}

/** @param ids ascending */
export function formatIds(ids: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < ids.length; ) {
    let end = at;
    while (ids[end + 1] === ids[end]! + 1) end++;
    parts.push(end === at ? `${ids[at]}` : `${ids[at]}-${ids[end]}`);
    at = end + 1;
  }
  return parts.join(',') || NONE;
}

/** Undefined when the text is no such list. */
export function parseIds(text: string): number[] | undefined {
  if (text === NONE) return [];
  const ids: number[] = [];
  for (const part of text.split(',')) {
    const range = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    if (range === null) return undefined;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last < first) return undefined;
    for (let id = first; id <= last; id++) ids.push(id);
  }
  return ids;
}
