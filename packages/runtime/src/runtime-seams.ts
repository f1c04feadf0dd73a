import type { Log, Seams } from '@cairnfs/base';
import { RuntimeClock } from './clock.ts';
import { RuntimeDisk } from './disk/runtime-disk.ts';
import { openLmdbStateStore } from './lmdb-state-store.ts';
import { createLog, type LogOptions } from './log.ts';
import { RuntimeMachine } from './machine.ts';
import { RuntimeNetwork } from './network/runtime-network.ts';
import { RuntimeRandom } from './random.ts';

/** By which a supervisor can tell a fatal error from a wrong command line (1). */
export const FATAL_EXIT_CODE = 70; // EX_SOFTWARE of sysexits(3)

export interface RuntimeOptions {
  log?: LogOptions;
}

/** The real seams, with the network that also listens for both protocols on one port. */
export interface RuntimeSeams extends Seams {
  network: RuntimeNetwork;
}

/** What a server on this machine is built from. */
export function createRuntimeSeams(options: RuntimeOptions = {}): RuntimeSeams {
  const log = createLog(options.log);
  return {
    clock: new RuntimeClock(),
    random: new RuntimeRandom(),
    disk: new RuntimeDisk(),
    network: new RuntimeNetwork(),
    openStateStore: openLmdbStateStore,
    machine: new RuntimeMachine(),
    log,
    fatal: (error) => exitOnFatal(log, error),
  };
}

/** At once: after a broken invariant, whatever else would still run could acknowledge what does not hold. */
function exitOnFatal(log: Log, error: Error): void {
  log.error('fatal error: the process ends', { error });
  process.exit(FATAL_EXIT_CODE);
}
