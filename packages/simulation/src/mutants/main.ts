/** `npm run simulate:mutants`. Exit 0: every mutant was caught. 1: some were not. 2: wrong usage. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.ts';
import { MutatedCopy } from './mutated-copy.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const SCHEDULES_MAX = 20_000;
const NAME_WIDTH = 34;
const USAGE = `usage: npm run simulate:mutants -- [--only TEXT] [--schedules N] [--seed S] [--workers N] [--list]

Puts small defects into a copy of the code, one at a time, and runs the simulator until it finds each.

  --only TEXT     mutants whose name has the text
  --schedules N   give up after so many (${SCHEDULES_MAX})
  --seed S        of the first schedule (1)
  --workers N     threads (2)
  --list          print the mutants and run none`;

interface Caught {
  readonly schedules: number;
  /** The check that found it, and what it said in one line. */
  readonly by: string;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      schedules: { type: 'string', default: String(SCHEDULES_MAX) },
      seed: { type: 'string', default: '1' },
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
    for (const { name, defect } of mutants) console.log(`${name.padEnd(NAME_WIDTH)} ${defect}`);
    return 0;
  }
  const copy = new MutatedCopy(ROOT);
  const survivors: string[] = [];
  try {
    for (const mutant of mutants) {
      const { profile = 'default' } = mutant;
      const args = [
        '--profile',
        profile,
        '--shrink-seconds',
        '0',
        '--schedules',
        values.schedules,
        '--seed',
        values.seed,
        '--workers',
        values.workers,
      ];
      let result = 'NOT CAUGHT';
      try {
        const caught = await copy.with(mutant, () => untilCaught(copy.root, args, Number(values.seed)));
        if (caught !== undefined) result = `caught within ${caught.schedules} schedules by ${caught.by}`;
        else survivors.push(mutant.name);
      } catch (error) {
        // The others are no worse for it.
        result = `NOT RUN: ${error instanceof Error ? error.message : error}`;
        survivors.push(mutant.name);
      }
      console.log(`${mutant.name.padEnd(NAME_WIDTH)} ${mutant.defect}: ${result}`);
    }
  } finally {
    copy.remove();
  }
  console.log(`${mutants.length - survivors.length} of ${mutants.length} mutants were caught`);
  if (survivors.length > 0) console.log(`not caught: ${survivors.join(', ')}`);
  return survivors.length === 0 ? 0 : 1;
}

/** Runs the simulator of the copy up to its first violation. */
async function untilCaught(root: string, args: readonly string[], firstSeed: number): Promise<Caught | undefined> {
  const runner = join(root, 'packages', 'simulation', 'dist', 'runner', 'main.js');
  const child = spawn(process.execPath, [runner, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let caught: Caught | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const violation = /^VIOLATION, seed (\d+), (.*)$/.exec(line);
    if (violation === null || caught !== undefined) continue;
    caught = { schedules: Number(violation[1]) - firstSeed + 1, by: violation[2]! };
    child.kill('SIGKILL');
  }
  const code = await exited;
  if (caught === undefined && code !== 0) throw new Error(`the simulator ended with exit code ${code}`);
  return caught;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  process.exitCode = 2;
}
