/**
 * Makes a failing schedule smaller: faults, then whole clients, then operations are left out as long as the run still
 * fails. What is left keeps its number and its time. A smaller schedule is another run, which may fail by luck or not, so
 * the smallest one found is not always the smallest there is.
 */
import type { Schedule } from '../schedule/schedule.ts';

export interface ShrinkOptions {
  /** Runs a candidate. */
  readonly fails: (candidate: Schedule) => Promise<boolean>;
  /** Once it answers true no other candidate is run. */
  readonly isOver: () => boolean;
}

/** @returns the smallest failing schedule found: the one given when no smaller one fails. */
export async function shrinkSchedule(failing: Schedule, { fails, isOver }: ShrinkOptions): Promise<Schedule> {
  let smallest = failing;
  /** Whether the run failed without these. */
  const leaveOut = async (kind: 'operations' | 'faults', ids: ReadonlySet<number>): Promise<boolean> => {
    const candidate = without(smallest, kind, ids);
    if (sizeOf(candidate) === sizeOf(smallest) || isOver() || !(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let size = Number.POSITIVE_INFINITY; sizeOf(smallest) < size && !isOver(); ) {
    size = sizeOf(smallest);
    await leaveOutPieces(
      () => smallest.faults,
      (ids) => leaveOut('faults', ids),
    );
    for (const client of new Set(smallest.operations.map((operation) => operation.client))) {
      const mine = smallest.operations.filter((operation) => operation.client === client);
      await leaveOut('operations', idsOf(mine));
    }
    await leaveOutPieces(
      () => smallest.operations,
      (ids) => leaveOut('operations', ids),
    );
  }
  return smallest;
}

/** Tries to do without all, then without each half, each quarter and so on, from the end, down to single ones. */
async function leaveOutPieces(
  left: () => readonly { readonly id: number }[],
  leaveOut: (ids: ReadonlySet<number>) => Promise<boolean>,
): Promise<void> {
  for (let length = left().length; length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let end = left().length; end > 0; end -= length) {
      const piece = left().slice(Math.max(0, end - length), end);
      await leaveOut(idsOf(piece));
    }
  }
}

function without(schedule: Schedule, kind: 'operations' | 'faults', ids: ReadonlySet<number>): Schedule {
  return kind === 'operations'
    ? { ...schedule, operations: schedule.operations.filter(({ id }) => !ids.has(id)) }
    : { ...schedule, faults: schedule.faults.filter(({ id }) => !ids.has(id)) };
}

function idsOf(items: readonly { readonly id: number }[]): Set<number> {
  return new Set(items.map(({ id }) => id));
}

function sizeOf({ operations, faults }: Schedule): number {
  return operations.length + faults.length;
}
