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

export const USAGE = `usage: npm run chaos -- [--minutes M] [--seed S] [--no-network]
       npm run chaos -- --sweep

Starts a cluster of real processes with clients, kills and stops them and cuts their network (as root), waits until the
cluster has healed, and checks what the clients saw. The seed decides which faults strike when and what clients ask;
how the processes run beside each other, it does not.

  --minutes M    how long faults strike (3)
  --seed S       by default drawn from the clock
  --no-network   no partitions, also as root
  --sweep        only remove what runs that were killed left behind (every run does that first)`;

const SEED_MAX = 2 ** 48;

/** @throws Error  with a message for the one who typed it. */
export function parseOptions(args: readonly string[], { nowMs }: { nowMs: number }): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '3' },
      'no-network': { type: 'boolean', default: false },
      sweep: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes < Number.POSITIVE_INFINITY)) {
    throw new Error(`--minutes ${values.minutes}: a number above 0 is wanted`);
  }
  const seed = values.seed === undefined ? nowMs % SEED_MAX : Number(values.seed);
  if (values.seed?.trim() === '' || !Number.isSafeInteger(seed) || seed < 0 || seed > SEED_MAX) {
    throw new Error(`--seed ${values.seed}: a whole number from 0 is wanted`);
  }
  return { seed, minutes, wantsNetwork: !values['no-network'], isSweep: values.sweep };
}
