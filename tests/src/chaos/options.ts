/** What `npm run chaos` was told. */
import { asksForHelp, minutesOf, readArguments, refuse, SEED_MAX, seedOf } from '@cairnfs/simulation';

export interface Options {
  readonly seed: number;
  /** How long faults strike. */
  readonly minutes: number;
  /** Partitions too, where the machine has network namespaces. */
  readonly wantsNetwork: boolean;
  /** Only removes what ended runs left behind. */
  readonly isSweep: boolean;
}

const MINUTES = 3;

export const USAGE = `usage: npm run chaos -- [--minutes M] [--seed S] [--no-network]
       npm run chaos -- --sweep

Starts a cluster of real processes with clients, kills and stops them and cuts their network (as root), waits until the
cluster has healed, and checks what the clients saw. The seed decides which faults strike when and what clients ask;
how the processes run beside each other, it does not.

  --minutes M    how long faults strike (${MINUTES})
  --seed S       by default drawn from the clock
  --no-network   no partitions, also as root
  --sweep        only remove what runs that were killed left behind (every run does that first)
  -h, --help     print this

Exit code 0: no violation. 1: some, or the run broke off. 2: wrong usage. 130, 143: ended by SIGINT, SIGTERM.
docs/chaos.md explains faults and checks.`;

const OPTIONS = {
  seed: { type: 'string' },
  minutes: { type: 'string' },
  'no-network': { type: 'boolean' },
  sweep: { type: 'boolean' },
} as const;

/**
 * @returns `help` when the usage is asked for.
 * @throws Error  with a message for the one who typed it.
 */
export function parseOptions(args: readonly string[], { nowMs }: { nowMs: number }): Options | 'help' {
  if (asksForHelp(args)) return 'help';
  const given = readArguments(args, OPTIONS);
  const isSweep = given.has('sweep');
  if (isSweep) refuse(given, ['seed', 'minutes', 'no-network'], '--sweep, which runs nothing');
  const seed = given.get('seed')?.[0];
  const minutes = given.get('minutes')?.[0];
  return {
    seed: seed === undefined ? nowMs % SEED_MAX : seedOf(seed),
    minutes: minutes === undefined ? MINUTES : minutesOf(minutes),
    wantsNetwork: !given.has('no-network'),
    isSweep,
  };
}
