/** `npm run simulate`. Exit 0: no violation. 1: some. 2: wrong usage. */
import { runScaleProfile } from '../scale/main.ts';
import { makeSchedule } from '../schedule/make-schedule.ts';
import { PROFILES } from '../schedule/profiles.ts';
import { Story } from '../story/story.ts';
import { runSchedule } from '../workload/run-schedule.ts';
import { type Options, parseOptions, SCALE_PROFILE, USAGE } from './options.ts';
import { runMany } from './run-many.ts';
import { reportOf, type SeedReport } from './run-seed.ts';
import { Summary } from './summary.ts';

const PROGRESS_INTERVAL_MS = 2000;

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
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  if (options.profile === SCALE_PROFILE) return runScaleProfile(options.seed);
  return options.isTraced ? tellOne(options) : runAll(options);
}

async function tellOne({ seed, profile, traceOf }: Options): Promise<number> {
  const schedule = makeSchedule(seed, { name: profile, profile: PROFILES[profile]! });
  const story = new Story({ of: traceOf });
  const result = await runSchedule(schedule, { story });
  console.log(story.lines.join('\n'));
  const { traceHash, violations, doneCount, errors } = reportOf(seed, result);
  console.log(`\ntrace ${traceHash}, ${doneCount} operations answered, errors ${JSON.stringify(errors)}`);
  for (const violation of violations) printViolation(seed, violation);
  return violations.length === 0 ? 0 : 1;
}

async function runAll({ seed, schedules, minutes, profile, workers }: Options): Promise<number> {
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const summary = new Summary();
  const isTerminal = process.stderr.isTTY === true;
  let shownMs = 0;
  const report = (done: SeedReport) => {
    summary.add(done);
    for (const violation of done.violations) printViolation(done.seed, violation);
    if (elapsedMs() - shownMs < PROGRESS_INTERVAL_MS) return;
    shownMs = elapsedMs();
    process.stderr.write(isTerminal ? `\r${summary.progress(shownMs)} ` : `${summary.progress(shownMs)}\n`);
  };
  console.log(`seeds from ${seed}, profile ${profile}, ${workers} ${workers === 1 ? 'thread' : 'threads'}`);
  await runMany({ seed, schedules, profile, workers, isOver: () => elapsedMs() > minutes * 60_000, report });
  if (isTerminal) process.stderr.write('\n');
  console.log(summary.format(elapsedMs(), profile));
  return summary.failed.length === 0 ? 0 : 1;
}

function printViolation(seed: number, { check, summary, details }: SeedReport['violations'][number]): void {
  console.log(`\nVIOLATION, seed ${seed}, ${check}: ${summary}\n${details}\n`);
}

process.exitCode = await main();
