/** Finds and removes what runs that were ended the hard way left behind: processes, network namespaces, folders. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ip, namespaceNames } from './ip-command.ts';
import { isAlive, runNameIn } from './run-name.ts';

export interface Leftovers {
  readonly pids: readonly number[];
  readonly namespaces: readonly string[];
  readonly folders: readonly string[];
}

/** @param isWanted  of the names of runs. */
export function findLeftovers(isWanted = (runName: string) => !isAlive(runName)): Leftovers {
  const isLeft = (name: string) => {
    const runName = runNameIn(name);
    return runName !== undefined && isWanted(runName);
  };
  const namespaces = process.getuid?.() === 0 ? namespacesOrNone().filter(isLeft) : [];
  const folders = readdirSync(tmpdir()).filter(isLeft);
  return {
    pids: [...new Set([...pidsWith(folders), ...namespaces.flatMap(pidsIn)])],
    namespaces,
    folders: folders.map((name) => join(tmpdir(), name)),
  };
}

/** Folders that a run kept for a person to look at stay. */
export function removeLeftovers({ pids, namespaces, folders }: Leftovers): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended meanwhile.
    }
  }
  for (const namespace of namespaces) ip('netns', 'del', namespace);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Every process of a run names the run's folder on its command line. */
function pidsWith(folders: readonly string[]): number[] {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
  return pids.filter((pid) => folders.some((folder) => commandLineOf(pid).includes(`/${folder}/`))).map(Number);
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return ''; // ended meanwhile
  }
}

function pidsIn(namespace: string): number[] {
  return ip('netns', 'pids', namespace).split('\n').filter(Boolean).map(Number);
}

function namespacesOrNone(): string[] {
  try {
    return namespaceNames();
  } catch {
    return []; // no `ip` here: no run made any
  }
}
