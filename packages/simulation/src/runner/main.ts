/** `npm run simulate`. Exit 0: no violation. 1: some. 2: wrong usage. */
import { toError } from '@cairnfs/base';
import type { Violation } from '../checks/violation.ts';
import { runScaleProfile } from '../scale/main.ts';
import { Story } from '../story/story.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { type Options, parseOptions, SCALE_PROFILE, USAGE } from './options.ts';
import { runMany } from './run-many.ts';
import { reportOf, type SeedReport, scheduleOf } from './run-seed.ts';
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
  if (options.profile === SCALE_PROFILE) return runScaleProfile(options.seed);
  return options.isTraced ? tellOne(options) : runAll(options);
}

async function tellOne(options: Options): Promise<number> {
  const { seed, traceOf } = options;
  const schedule = scheduleOf(seed, options);
  const story = new Story({ of: traceOf });
  const result = await runSchedule(schedule, { story });
  console.log(story.lines.join('\n'));
  const { traceHash, violations, doneCount, errors } = reportOf(seed, result);
  console.log(`\ntrace ${traceHash}, ${doneCount} operations answered, errors ${JSON.stringify(errors)}`);
  printViolations(seed, violations);
  return violations.length === 0 ? 0 : 1;
}

async function runAll({ seed, schedules, minutes, workers, ...run }: Options): Promise<number> {
  const { profile, only, shrinkMs } = run;
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const summary = new Summary();
  const isTerminal = process.stderr.isTTY === true;
  let shownMs = 0;
  const report = (done: SeedReport) => {
    summary.add(done);
    if (done.violations.length > 0) printFailure(done, profile);
    if (elapsedMs() - shownMs < PROGRESS_INTERVAL_MS) return;
    shownMs = elapsedMs();
    process.stderr.write(isTerminal ? `\r${summary.progress(shownMs)} ` : `${summary.progress(shownMs)}\n`);
  };
  console.log(`seeds from ${seed}, profile ${profile}, ${workers} ${workers === 1 ? 'thread' : 'threads'}`);
  await runMany({
    seed,
    schedules,
    run: { profile, only, shrinkMs },
    workers,
    isOver: () => elapsedMs() > minutes * 60_000,
    report,
  });
  if (isTerminal) process.stderr.write('\n');
  console.log(summary.format(elapsedMs(), profile));
  return summary.failed.length === 0 ? 0 : 1;
}

/** As the smallest failing run shows it. */
function printFailure(report: SeedReport, profile: string): void {
  const { seed, shrunk } = report;
  printViolations(seed, shrunk?.violations ?? report.violations);
  if (shrunk === undefined) return;
  console.log(`shrunk to ${shrunk.operationCount} operations and ${shrunk.faultCount} faults:`);
  console.log(`  ${replayCommand(report, profile)}\n`);
}

function printViolations(seed: number, violations: readonly Violation[]): void {
  for (const { check, summary, details } of violations.slice(0, VIOLATIONS_PRINTED_MAX)) {
    console.log(`\nVIOLATION, seed ${seed}, ${check}: ${summary}\n${details}\n`);
  }
  const more = violations.length - VIOLATIONS_PRINTED_MAX;
  if (more > 0) console.log(`and ${more} more of seed ${seed}`);
}

process.exitCode = await main();
