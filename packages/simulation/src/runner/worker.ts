/** A process that runs the schedules it is given, one after another, until its parent lets go of it. */
import { runSeed, type SeedOptions } from './run-seed.ts';
import type { ScheduleName } from './schedule-names.ts';

/** Of a stack trace in a report. */
const STACK_FRAMES = 20;

const run = JSON.parse(process.argv[2]!) as Omit<SeedOptions, 'profile'>;
process.on('message', async ({ profile, seed }: ScheduleName) => {
  const options = { ...run, profile };
  // Runs are full of errors that somebody expects, and the stack trace costs more than the error. Only a seed that
  // fails, or cannot be run, is run again with them, and shrunk.
  Error.stackTraceLimit = 0;
  const report = await runSeed(seed, { ...options, shrinkMs: 0 }).catch(() => undefined);
  if (report?.violations.length === 0) {
    process.send!(report);
    return;
  }
  Error.stackTraceLimit = STACK_FRAMES;
  try {
    process.send!(await runSeed(seed, options));
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
});
// Ctrl-C is for all processes of a terminal: the parent ends this one, and says what it was doing.
process.on('SIGINT', () => undefined);
// Also in the middle of a run: nobody waits for its end.
process.once('disconnect', () => process.exit());
