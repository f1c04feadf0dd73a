import type { Log, Seams } from '@cairnfs/base';
import { RuntimeClock, RuntimeDisk, RuntimeMachine, RuntimeNetwork, RuntimeRandom } from '@cairnfs/runtime';
import { createLog, type LogOptions } from './log.ts';
import { openLmdbStateStore } from './state-store/lmdb-state-store.ts';

/** By which a supervisor can tell a fatal error from a wrong command line (1). */
export const FATAL_EXIT_CODE = 70; // EX_SOFTWARE of sysexits(3)

export interface ServerSeamsOptions {
  log?: LogOptions;
}

/** The real seams, with the network that also listens for both protocols on one port. */
export interface ServerSeams extends Seams {
  network: RuntimeNetwork;
  disk: RuntimeDisk;
}

/** What a server on this machine is built from. */
export function createServerSeams(options: ServerSeamsOptions = {}): ServerSeams {
  const log = createLog(options.log);
  const disk = new RuntimeDisk();
  return {
    clock: new RuntimeClock(),
    random: new RuntimeRandom(),
    disk,
    network: new RuntimeNetwork(),
    openStateStore: openLmdbStateStore,
    machine: new RuntimeMachine(),
    log,
    fatal: (error) => exitOnFatal({ log, disk }, error),
  };
}

/** At once: after a broken invariant, whatever else would still run could acknowledge what does not hold. */
function exitOnFatal({ log, disk }: { log: Log; disk: RuntimeDisk }, error: Error): void {
  log.error('fatal error: the process ends', { error });
  if (disk.isHanging) {
    process.stderr.write(`cairn: ${error.message}\n`); // no exit code tells of it
    endHangingProcess();
  }
  process.exit(FATAL_EXIT_CODE);
}

/** Ends a process with threads that a disk does not give back: an exit would wait for them. */
export function endHangingProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}
