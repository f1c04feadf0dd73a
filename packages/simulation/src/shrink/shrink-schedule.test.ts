import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { formatIds, parseIds, restrict } from '../schedule/selection.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { shrinkSchedule } from './shrink-schedule.ts';

const SCHEDULE = makeSchedule(11, { name: 'default', profile: PROFILES.default! });

function ids(items: readonly { readonly id: number }[]): number[] {
  return items.map(({ id }) => id);
}

test('shrinking: what is needed is left and nothing else', async () => {
  const needs = { operations: [17, 18, 240], faults: [2] };
  const has = (items: readonly { readonly id: number }[], wanted: readonly number[]) =>
    wanted.every((id) => items.some((item) => item.id === id));
  let runs = 0;
  const fails = async ({ operations, faults }: Schedule) => {
    runs += 1;
    return has(operations, needs.operations) && has(faults, needs.faults);
  };
  const shrunk = await shrinkSchedule(SCHEDULE, { fails, isOver: () => false });
  deepEqual(ids(shrunk.operations), needs.operations);
  deepEqual(ids(shrunk.faults), needs.faults);
  ok(runs < 150, `${runs} runs`);
});

test('shrinking: a schedule whose smaller ones all pass stays as it is, and no run begins after the time is over', async () => {
  deepEqual(await shrinkSchedule(SCHEDULE, { fails: async () => false, isOver: () => false }), SCHEDULE);
  let runs = 0;
  const fails = async () => {
    runs += 1;
    return true;
  };
  await shrinkSchedule(SCHEDULE, { fails, isOver: () => runs >= 2 });
  equal(runs, 2);
});

test('shrinking: a check that wrongly forbids acknowledged appends comes down to one append, which can be run again', async () => {
  const schedule = makeSchedule(3, { name: 'short', profile: PROFILES.short! });
  const fails = async (candidate: Schedule) => {
    const { history } = await runSchedule(candidate);
    const operations = [...history.files.values()].flat();
    return operations.some(({ call, outcome }) => call.kind === 'appendRecord' && outcome.kind === 'ok');
  };
  equal(await fails(schedule), true);
  const shrunk = await shrinkSchedule(schedule, { fails, isOver: () => false });
  deepEqual([shrunk.operations.length, shrunk.faults.length], [1, 0]);
  const replayed = restrict(schedule, {
    operations: parseIds(formatIds(ids(shrunk.operations))),
    faults: parseIds(formatIds(ids(shrunk.faults))),
  });
  deepEqual(replayed, shrunk);
  equal(await fails(replayed), true);
});

test('selection: numbers as text and back', () => {
  equal(formatIds([3, 17, 20, 21, 22]), '3,17,20-22');
  deepEqual(parseIds('3,17,20-22'), [3, 17, 20, 21, 22]);
  deepEqual([formatIds([]), parseIds('none')], ['none', []]);
  for (const wrong of ['', 'a', '1,', '1-', '-2', '5-3', '1;2', '12345678']) equal(parseIds(wrong), undefined, wrong);
});
