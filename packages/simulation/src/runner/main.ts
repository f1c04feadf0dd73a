/** `npm run simulate`. Exit 0: no violation. 1: some, or a process died. 2: wrong usage. 128 and its number: a signal. */
import { constants } from 'node:os';
import type { Violation } from '../checks/violation.ts';
import { runScaleProfile } from '../scale/main.ts';
import type { Selection } from '../schedule/selection.ts';
import { Story } from '../story/story.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { type Command, parseOptions, type RunsCommand, type StoryCommand, USAGE } from './options.ts';
import { formatProfiles } from './profile-list.ts';
import { asksForHelp, complaint } from './read-arguments.ts';
import { replayCommand } from './replay-command.ts';
import { ManyRuns } from './run-many.ts';
import { reportOf, type SeedReport, scheduleOf } from './run-seed.ts';
import { type ScheduleName, scheduleNames } from './schedule-names.ts';
import { counted, Summary, shownViolations, storyCommand } from './summary.ts';

const PROGRESS_INTERVAL_MS = 2000;
/** Of one run: what follows the first ones mostly follows from them. */
const VIOLATIONS_PRINTED_MAX = 5;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (asksForHelp(args)) {
    console.log(USAGE);
    return 0;
  }
  let command: Command;
  try {
    command = parseOptions(args, { nowMs: Date.now(), environment: process.env });
  } catch (error) {
    console.error(complaint('simulate', error));
    return 2;
  }
  switch (command.kind) {
    case 'list':
      console.log(formatProfiles());
      return 0;
    case 'scale':
      return runScaleProfile(command);
    case 'story':
      return tellOne(command);
    case 'runs':
      return runAll(command);
  }
}

async function tellOne({ name, only, of }: StoryCommand): Promise<number> {
  const schedule = scheduleOf(name.seed, { profile: name.profile, only });
  const story = new Story({ of });
  const result = await runSchedule(schedule, { story });
  console.log(story.lines.join('\n'));
  const { traceHash, violations, doneCount, errors } = reportOf(name, only, result);
  const operations = counted(doneCount, 'operation');
  console.log(`\ntrace ${traceHash}, ${operations} answered, errors ${JSON.stringify(errors)}`);
  printViolations(name, violations);
  return violations.length === 0 ? 0 : 1;
}

async function runAll({ range, minutes, workers, only, shrinkMs }: RunsCommand): Promise<number> {
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const summary = new Summary();
  const isTerminal = process.stderr.isTTY === true;
  let shownMs = 0;
  const report = (done: SeedReport) => {
    summary.add(done);
    if (done.violations.length > 0) printFailure(done);
    if (elapsedMs() - shownMs < PROGRESS_INTERVAL_MS) return;
    shownMs = elapsedMs();
    process.stderr.write(isTerminal ? `\r${summary.progress(shownMs)} ` : `${summary.progress(shownMs)}\n`);
  };
  const names = scheduleNames(range);
  let hasBegun = false;
  const next = () => {
    // However few the minutes are: a run of nothing says nothing.
    if (hasBegun && elapsedMs() > minutes * 60_000) return undefined;
    hasBegun = true;
    return names.next().value;
  };
  const runs = new ManyRuns({ next, run: { only, shrinkMs }, workers, report });
  let stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;
  // Whoever waits no longer may wait for a run that has no end. At the second one this process ends at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stoppedBy = signal;
      runs.stop();
    });
  }
  const { named, seed, profiles } = range;
  const what = named.length > 0 ? `${named.length} by name` : `from seed ${seed}, profile ${profiles.join(', ')}`;
  console.log(`schedules ${what}; ${workers} ${workers === 1 ? 'process' : 'processes'}`);
  await runs.ended;
  if (isTerminal) process.stderr.write('\n');
  printUnended(runs, only);
  console.log(summary.format(elapsedMs()));
  const by = stoppedBy ?? (runs.death === undefined ? undefined : 'the death of a process');
  if (by !== undefined) console.log(`ended by ${by}: this is what had run by then`);
  if (stoppedBy !== undefined) return 128 + constants.signals[stoppedBy];
  return summary.failed.length === 0 && runs.death === undefined ? 0 : 1;
}

function printUnended({ running, death }: ManyRuns, only: Selection): void {
  for (const name of running) {
    const died = name === death?.name ? `, its process died (${death.by})` : '';
    console.log(`not ended: seed ${name.seed}, ${name.profile}${died}`);
    console.log(`  ${replayCommand(name, only)}`);
  }
}

function printFailure(report: SeedReport): void {
  const { shrunk } = report;
  printViolations(report, shownViolations(report));
  if (shrunk === undefined) return;
  const { operations, faults } = shrunk;
  console.log(`shrunk to ${counted(operations.length, 'operation')} and ${counted(faults.length, 'fault')}:`);
  console.log(`  ${storyCommand(report)}\n`);
}

function printViolations({ seed, profile }: ScheduleName, violations: readonly Violation[]): void {
  for (const { check, summary, details } of violations.slice(0, VIOLATIONS_PRINTED_MAX)) {
    console.log(`\nVIOLATION, seed ${seed}, ${profile}, ${check}: ${summary}\n${details}\n`);
  }
  const more = violations.length - VIOLATIONS_PRINTED_MAX;
  if (more > 0) console.log(`and ${more} more of seed ${seed}`);
}

process.exitCode = await main();
