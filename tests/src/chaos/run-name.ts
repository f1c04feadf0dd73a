/**
 * What a run leaves on the machine carries its name, and the name tells whether the run still lives: process id and the
 * time at which that process started, which no later process with the same id shares.
 */
import { readFileSync } from 'node:fs';

const PREFIX = 'cairn-chaos-';

export function nameOfThisRun(): string {
  return `${PREFIX}${process.pid}-${startOf(process.pid)}`;
}

/** The run's name at the beginning of the name of something that a run made; undefined when no run did. */
export function runNameIn(name: string): string | undefined {
  return new RegExp(`^${PREFIX}[0-9]+-[0-9]+(?=-)`).exec(name)?.[0];
}

export function isAlive(runName: string): boolean {
  const [pid, start] = runName.slice(PREFIX.length).split('-').map(Number);
  return startOf(pid!) === start;
}

/** Clock ticks from the machine's start; undefined when there is no such process. */
function startOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The program's name, in parentheses, may hold anything: the fields after it begin with the third.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]);
}
