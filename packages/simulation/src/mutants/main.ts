/** `npm run simulate:mutants`. Exit 0: every mutant was caught. 1: some were not. 2: wrong usage. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { toError } from '@cairnfs/base';
import { MUTANTS } from './mutants.ts';
import { MutatedCopy } from './mutated-copy.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const SCHEDULES_MAX = 20_000;
const NAME_WIDTH = 34;
const PROFILE_WIDTH = 12;
const SHOWN_LENGTH_MAX = 200;
const USAGE = `usage: npm run simulate:mutants -- [--only TEXT] [--schedules N] [--seed S] [--workers N] [--list]

Puts small defects into a copy of the code, one at a time, and runs the simulator until it finds each. The schedule that
found one is run without it as well: where that fails too, nothing was shown.

  --only TEXT     mutants whose name has the text
  --profile NAME  run the schedules of this profile instead of the one that each mutant names
  --schedules N   give up on a mutant after so many (${SCHEDULES_MAX})
  --minutes M     or when none was begun for so long (no limit)
  --seed S        of the first schedule (1, or what the mutant names)
  --workers N     processes (2)
  --list          print the mutants and run none`;

interface Outcome {
  /** As many as there are seeds up to the one that failed; all that were run when none did. */
  readonly schedules: number;
  /** Of real time, for these schedules. */
  readonly seconds: number;
  /** The check that found it, and what it said in one line. Undefined: no schedule failed. */
  readonly by: string | undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      profile: { type: 'string' },
      minutes: { type: 'string' },
      schedules: { type: 'string', default: String(SCHEDULES_MAX) },
      seed: { type: 'string' },
      workers: { type: 'string', default: '2' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const mutants = MUTANTS.filter(({ name }) => name.includes(values.only));
  if (values.help || mutants.length === 0) {
    console.log(values.help ? USAGE : `no mutant has '${values.only}' in its name; --list prints them`);
    return values.help ? 0 : 2;
  }
  if (values.list) {
    for (const { name, profile = 'default', defect } of mutants) {
      console.log(`${name.padEnd(NAME_WIDTH)} ${profile.padEnd(PROFILE_WIDTH)} ${defect}`);
    }
    return 0;
  }
  const copy = new MutatedCopy(ROOT);
  const survivors: string[] = [];
  try {
    for (const mutant of mutants) {
      const profile = values.profile ?? mutant.profile ?? 'default';
      const { schedules, workers, minutes } = values;
      const seed = values.seed ?? String(mutant.seed ?? 1);
      const args = ['--profile', profile, '--schedules', schedules, '--seed', seed, '--workers', workers];
      if (minutes !== undefined) args.push('--minutes', minutes);
      let result: string;
      try {
        const run = await copy.with(mutant, () => untilCaught(copy.root, args, Number(seed)));
        const cost = `${run.schedules} schedules in ${run.seconds} s`;
        const isNew = run.by !== undefined && (await isCleanWithout(run.by, Number(seed) + run.schedules - 1));
        if (run.by === undefined) result = `NOT CAUGHT by ${cost}`;
        else if (isNew) result = `caught by ${cost}: ${shown(run.by)}`;
        else result = `NOT SHOWN by ${cost}: without the mutant the last of them fails as well: ${shown(run.by)}`;
        if (!isNew) survivors.push(mutant.name);
      } catch (error) {
        // The others are no worse for it.
        result = `NOT RUN: ${toError(error).message}`;
        survivors.push(mutant.name);
      }
      console.log(`${mutant.name.padEnd(NAME_WIDTH)} ${profile.padEnd(PROFILE_WIDTH)} ${result}`);
    }
  } finally {
    copy.remove();
  }
  console.log(`${mutants.length - survivors.length} of ${mutants.length} mutants were caught`);
  if (survivors.length > 0) console.log(`not caught: ${survivors.join(', ')}`);
  return survivors.length === 0 ? 0 : 1;
}

/** Runs the simulator of the copy up to its first violation. */
async function untilCaught(root: string, args: readonly string[], firstSeed: number): Promise<Outcome> {
  const runner = join(root, 'packages', 'simulation', 'dist', 'runner', 'main.js');
  const startMs = performance.now();
  const child = spawn(process.execPath, [runner, ...args, '--shrink-seconds', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let schedules = 0;
  let by: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const violation = /^VIOLATION, seed (\d+), (.*)$/.exec(line);
    const all = /^schedules +(\d+) in /.exec(line);
    if (by !== undefined || (violation === null && all === null)) continue;
    schedules = violation === null ? Number(all![1]) : Number(violation[1]) - firstSeed + 1;
    by = violation?.[2];
    if (by !== undefined) child.kill('SIGKILL');
  }
  const code = await exited;
  if (by === undefined && code !== 0) throw new Error(`the simulator ended with exit code ${code}`);
  return { schedules, seconds: Math.round((performance.now() - startMs) / 1000), by };
}

/** A check may name every chunk there is. */
function shown(by: string): string {
  return by.length > SHOWN_LENGTH_MAX ? `${by.slice(0, SHOWN_LENGTH_MAX)}…` : by;
}

/** Does the schedule that found a mutant pass on the code as it is? */
async function isCleanWithout(by: string, seed: number): Promise<boolean> {
  const profile = by.slice(0, by.indexOf(','));
  const { by: failure } = await untilCaught(ROOT, ['--schedule', `${profile}:${seed}`, '--workers', '1'], seed);
  return failure === undefined;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`${toError(error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
