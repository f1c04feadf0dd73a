/** `npm run simulate`. Exit 0: no violation. 1: some. 2: wrong usage. */
import { toError } from '@cairnfs/base';
import type { Violation } from '../checks/violation.ts';
import { runScaleProfile } from '../scale/main.ts';
import { Story } from '../story/story.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { type Options, parseOptions, SCALE_PROFILE, USAGE } from './options.ts';
import { runMany } from './run-many.ts';
import { reportOf, type SeedReport, scheduleOf } from './run-seed.ts';
import { type ScheduleName, scheduleNames } from './schedule-names.ts';
import { replayCommand, Summary } from './summary.ts';

const PROGRESS_INTERVAL_MS = 2000;
/** Of one run: what follows the first ones mostly follows from them. */
const VIOLATIONS_PRINTED_MAX = 5;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  let options: Options;
  try {
    options = parseOptions(args, { nowMs: Date.now() });
  } catch (error) {
    console.error(`${toError(error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options.profiles[0] === SCALE_PROFILE) return runScaleProfile(options.seed);
  return options.isTraced ? tellOne(options) : runAll(options);
}

async function tellOne(options: Options): Promise<number> {
  const { seed, traceOf, only } = options;
  const profile = options.profiles[0]!;
  const schedule = scheduleOf(seed, { profile, only });
  const story = new Story({ of: traceOf });
  const result = await runSchedule(schedule, { story });
  console.log(story.lines.join('\n'));
  const { traceHash, violations, doneCount, errors } = reportOf({ seed, profile }, result);
  console.log(`\ntrace ${traceHash}, ${doneCount} operations answered, errors ${JSON.stringify(errors)}`);
  printViolations({ seed, profile }, violations);
  return violations.length === 0 ? 0 : 1;
}

async function runAll(options: Options): Promise<number> {
  const { seed, profiles, named, minutes, workers, only, shrinkMs } = options;
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
  const what = named.length > 0 ? `${named.length} by name` : `from seed ${seed}, profile ${profiles.join(', ')}`;
  console.log(`schedules ${what}; ${workers} ${workers === 1 ? 'process' : 'processes'}`);
  const names = scheduleNames(options);
  const next = () => (elapsedMs() > minutes * 60_000 ? undefined : names.next().value);
  const { running, ended } = runMany({ next, run: { only, shrinkMs }, workers, report });
  // Whoever waits no longer may wait for a run that has no end.
  process.once('SIGTERM', () => {
    for (const { seed, profile } of running) {
      console.log(`not ended: seed ${seed}, ${profile}\n  npm run simulate -- --schedule ${profile}:${seed}`);
    }
    process.exit(1);
  });
  await ended;
  if (isTerminal) process.stderr.write('\n');
  console.log(summary.format(elapsedMs()));
  return summary.failed.length === 0 ? 0 : 1;
}

/** As the smallest failing run shows it. */
function printFailure(report: SeedReport): void {
  const { shrunk } = report;
  printViolations(report, shrunk?.violations ?? report.violations);
  if (shrunk === undefined) return;
  console.log(`shrunk to ${shrunk.operationCount} operations and ${shrunk.faultCount} faults:`);
  console.log(`  ${replayCommand(report)}\n`);
}

function printViolations({ seed, profile }: ScheduleName, violations: readonly Violation[]): void {
  for (const { check, summary, details } of violations.slice(0, VIOLATIONS_PRINTED_MAX)) {
    console.log(`\nVIOLATION, seed ${seed}, ${profile}, ${check}: ${summary}\n${details}\n`);
  }
  const more = violations.length - VIOLATIONS_PRINTED_MAX;
  if (more > 0) console.log(`and ${more} more of seed ${seed}`);
}

process.exitCode = await main();
