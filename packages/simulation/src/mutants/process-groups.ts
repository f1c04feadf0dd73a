/** Processes that end with this one, and with them what they started: each leads a group of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export type GroupLeader = ChildProcessByStdio<null, Readable, Readable>;

const leaders = new Set<GroupLeader>();

export interface StartedGroup {
  readonly leader: GroupLeader;
  /** Its exit code; null when a signal ended it. Rejects when it did not start. */
  readonly exited: Promise<number | null>;
}

/** Ctrl-C at a terminal does not reach it: `killAllGroups` does, on the way out. */
export function startGroup(command: string, args: readonly string[]): StartedGroup {
  const leader = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  leaders.add(leader);
  const exited = new Promise<number | null>((resolve, reject) => {
    leader.once('error', reject);
    leader.once('exit', resolve);
  });
  const forget = () => void leaders.delete(leader);
  exited.then(forget, forget);
  return { leader, exited };
}

export function killGroup({ pid }: GroupLeader): void {
  if (pid === undefined) return; // never started
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended meanwhile.
  }
}

export function killAllGroups(): void {
  for (const leader of leaders) killGroup(leader);
}
