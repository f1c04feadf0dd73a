/** Runs the simulator until it finds a violation. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ScheduleName } from '../runner/schedule-names.ts';
import { killGroup, startGroup } from './process-groups.ts';

/** Of what the simulator complains about. */
const ERROR_LINES_MAX = 40;

export interface Outcome {
  /** As many as there are seeds up to the one that failed; all that were run when none did. */
  readonly schedules: number;
  /** Of real time, for these schedules. */
  readonly seconds: number;
  /** The check that found it, and what it said in one line. Undefined: no schedule failed. */
  readonly by: string | undefined;
  /** The one that failed. */
  readonly failed: ScheduleName | undefined;
}

/**
 * @param root of the repository, built, whose simulator is run.
 * @throws Error  when the simulator ends otherwise than with a violation or without any, with what it printed.
 */
export async function untilCaught(root: string, args: readonly string[], firstSeed: number): Promise<Outcome> {
  const runner = join(root, 'packages', 'simulation', 'dist', 'runner', 'main.js');
  const startMs = performance.now();
  const { leader, exited } = startGroup(process.execPath, [runner, ...args, '--shrink-seconds', '0']);
  const complaint = lastLines(leader.stderr);
  let schedules = 0;
  let by: string | undefined;
  let failed: ScheduleName | undefined;
  for await (const line of createInterface({ input: leader.stdout })) {
    const violation = /^VIOLATION, seed (\d+), ([^,]*), (.*)$/.exec(line);
    const all = /^schedules +(\d+) in /.exec(line);
    if (by !== undefined || (violation === null && all === null)) continue;
    if (violation === null) {
      schedules = Number(all![1]);
      continue;
    }
    const [, seed, profile, found] = violation;
    failed = { profile: profile!, seed: Number(seed) };
    schedules = failed.seed - firstSeed + 1;
    by = `${profile}, ${found}`;
    killGroup(leader);
  }
  const code = await exited;
  const complained = (await complaint).join('\n');
  if (by === undefined && code !== 0) throw new Error(`the simulator ended with exit code ${code}\n${complained}`);
  return { schedules, seconds: Math.round((performance.now() - startMs) / 1000), by, failed };
}

/** Without those that tell how far it has come. */
async function lastLines(input: NodeJS.ReadableStream): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input })) {
    if (/^\d+ schedules?, /.test(line)) continue;
    lines.push(line);
    if (lines.length > ERROR_LINES_MAX) lines.shift();
  }
  return lines;
}
