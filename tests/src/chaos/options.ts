/** What `npm run chaos` was told. */
import { parseArgs } from 'node:util';

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

Exit code 0: no violation. 1: some, or the run broke off. 2: wrong usage. 130: ended by Ctrl-C or SIGTERM.
docs/chaos.md explains faults and checks.`;

const SEED_MAX = 2 ** 48;

/**
 * @returns `help` when the usage is asked for.
 * @throws Error  with a message for the one who typed it.
 */
export function parseOptions(args: readonly string[], { nowMs }: { nowMs: number }): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string' },
      'no-network': { type: 'boolean' },
      sweep: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const { sweep: isSweep = false, 'no-network': isWithoutNetwork = false } = values;
  if (isSweep && Object.keys(values).length > 1) throw new Error('--sweep runs nothing: no other option goes with it');
  const minutes = Number(values.minutes ?? MINUTES);
  if (!(minutes > 0 && minutes < Number.POSITIVE_INFINITY)) {
    throw new Error(`--minutes ${values.minutes}: a number above 0 is wanted`);
  }
  const seed = values.seed === undefined ? nowMs % SEED_MAX : Number(values.seed);
  if (values.seed?.trim() === '' || !Number.isSafeInteger(seed) || seed < 0 || seed > SEED_MAX) {
    throw new Error(`--seed ${values.seed}: a whole number from 0 to 2^48 is wanted`);
  }
  return { seed, minutes, wantsNetwork: !isWithoutNetwork, isSweep };
}
