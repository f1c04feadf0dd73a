/**
 * One server on its host, kept running: a process that ended itself, or could not start, is started again after a while,
 * as a service manager would. Only `crash` leaves it down, until `start`.
 */
import type { Seams } from '@cairnfs/base';
import { toError } from '@cairnfs/base';
import type { CrashOptions, SimHost, Simulation } from '@cairnfs/sim';

const RESTART_MS = 1000; // as systemd's RestartSec, roughly

/** Why a process ended, or did not come up. */
export interface ServerFailure {
  readonly host: string;
  readonly atMs: number;
  readonly during: 'start' | 'run';
  readonly error: Error;
}

export interface ServerParts {
  readonly simulation: Simulation;
  readonly host: SimHost;
  /** Begins a process; it serves when the promise resolves. */
  readonly boot: (seams: Seams) => Promise<unknown>;
  readonly failed: (failure: ServerFailure) => void;
}

export class SimulatedServer {
  readonly host: SimHost;
  readonly #parts: ServerParts;
  /** Of the process now wanted; a restart planned for an earlier one comes to nothing. */
  #life = 0;
  #isServing = false;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.host.onFatal = (error) => this.#ended(error, 'run');
  }

  /** Its start is done, and it has not ended since. */
  get isServing(): boolean {
    return this.#isServing && this.host.isRunning;
  }

  /** Begins a process; resolves when it serves or that start failed, in which case others follow. */
  async start(): Promise<void> {
    this.#life += 1;
    const life = this.#life;
    this.#isServing = false;
    try {
      await this.#parts.boot(this.host.start());
    } catch (thrown) {
      if (life !== this.#life || !this.host.isRunning) return;
      const error = toError(thrown);
      this.#parts.simulation.trace.record(this.host.name, 'start failed', { error });
      this.host.crash({ unsynced: 'keep' });
      this.#ended(error, 'start');
      return;
    }
    if (life === this.#life) this.#isServing = true;
  }

  /** Ends the process, if one runs, and starts no other. */
  crash(options: CrashOptions): void {
    this.#life += 1;
    this.#isServing = false;
    if (this.host.isRunning) this.host.crash(options);
    else this.host.disk.crash(options.unsynced);
  }

  #ended(error: Error, during: 'start' | 'run'): void {
    const { simulation, failed } = this.#parts;
    this.#life += 1;
    this.#isServing = false;
    const life = this.#life;
    failed({ host: this.host.name, atMs: simulation.nowMs, during, error });
    simulation.clock.after(RESTART_MS, () => {
      if (life === this.#life) void this.start();
    });
  }
}
