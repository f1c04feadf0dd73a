/** One simulated machine: its disks stay, processes come and go on it. */
import { AssertionError, assert, type Seams } from '@cairnfs/base';
import { SimClock } from './clock.ts';
import { ProcessDisk } from './disk/process-disk.ts';
import { SimDisk } from './disk/sim-disk.ts';
import type { UnsyncedFate } from './disk/sim-file.ts';
import type { EventLoop } from './event-loop.ts';
import { SimMachine } from './machine.ts';
import type { Memory } from './memory.ts';
import { ProcessNetwork } from './network/process-network.ts';
import type { SimNetwork } from './network/sim-network.ts';
import { type FaultPoint, SimProcess } from './process.ts';
import { SimRandom } from './random.ts';
import { MemoryStateStore } from './state/memory-state-store.ts';
import { SimLog, type Trace } from './trace.ts';

export interface CrashOptions {
  /** What becomes of writes that were not synced. `keep`: only the process died. */
  unsynced: UnsyncedFate;
  /**
   * The peers are not told: no reset, connections just fall silent. By default so when the machine lost power (`lose`,
   * `random`), not when only the process died.
   */
  isSilent?: boolean;
}

export interface ClockOptions {
  rate?: number;
  wallOffsetMs?: number;
}

export class SimHost {
  readonly name: string;
  readonly disk: SimDisk;
  readonly machine = new SimMachine();
  /** Of the process now running, and of those started here later. */
  clockOptions: ClockOptions = {};
  /** Why the process ended itself, when it did (`Seams.fatal`). */
  fatalError: Error | undefined;
  /** Told when a process ended itself. */
  onFatal: ((error: Error) => void) | undefined;
  readonly #loop: EventLoop;
  readonly #network: SimNetwork;
  readonly #trace: Trace;
  readonly #memory: Memory;
  readonly #seed: number;
  #process: SimProcess | undefined;
  #clock: SimClock | undefined;
  #lifeCount = 0;

  constructor(
    name: string,
    parts: { loop: EventLoop; network: SimNetwork; trace: Trace; memory: Memory; seed: number },
  ) {
    this.name = name;
    this.#loop = parts.loop;
    this.#network = parts.network;
    this.#trace = parts.trace;
    this.#memory = parts.memory;
    this.#seed = parts.seed;
    this.disk = new SimDisk(new SimRandom(parts.seed, `${name} disk`), parts.memory);
  }

  get isRunning(): boolean {
    return this.#process?.alive ?? false;
  }

  /** Begins a process on the host, which must run none, and returns its seams. */
  start(): Seams {
    assert(!this.isRunning, () => `${this.name} runs a process already`);
    this.#lifeCount += 1;
    this.fatalError = undefined;
    const process = new SimProcess(this.name, this.#loop);
    this.#process = process;
    this.#network.start(process);
    this.#trace.record(this.name, 'start', { life: this.#lifeCount });
    const clock = new SimClock(process, this.clockOptions);
    this.#clock = clock;
    return {
      clock,
      random: new SimRandom(this.#seed, `${this.name} process ${this.#lifeCount}`),
      disk: new ProcessDisk(this.disk, process, () => clock.wallMs()),
      network: new ProcessNetwork(this.#network, process),
      openStateStore: (directory) => MemoryStateStore.open(directory, this.disk, process),
      machine: this.machine,
      log: new SimLog(this.#trace, process),
      allocatePages: (byteCount) => this.#memory.takePages(byteCount),
      fatal: (error) => this.#die(process, error),
    };
  }

  /** Ends the process between two of its events. Nothing of it ever runs again. */
  crash({ unsynced, isSilent = unsynced !== 'keep' }: CrashOptions): void {
    const process = this.#process;
    assert(process?.alive, () => `${this.name} runs no process`);
    this.#trace.record(this.name, 'crash', { unsynced, isSilent });
    process.end();
    this.#process = undefined;
    this.#network.stop(process, isSilent);
    this.disk.crash(unsynced);
  }

  /** The process runs nothing for so long; what falls due meanwhile runs at the end. */
  stall(durationMs: number): void {
    assert(this.#process?.alive, () => `${this.name} runs no process`);
    this.#trace.record(this.name, 'stall', { durationMs });
    this.#process.stall(durationMs);
  }

  /** The host's clock runs fast or slow from now on, or its calendar jumps. */
  adjustClock(options: ClockOptions): void {
    this.#trace.record(this.name, 'clock', { ...options });
    this.clockOptions = { ...this.clockOptions, ...options };
    if (this.isRunning) this.#clock!.adjust(options);
  }

  /** Runs `strike`, once, right after the running process comes by the point, the next time or the `pass`th; never when it ends before. */
  ambush(point: FaultPoint, strike: () => void, pass = 1): void {
    assert(this.#process?.alive, () => `${this.name} runs no process`);
    this.#process.ambush(point, strike, pass);
  }

  /** A process that ends itself. A broken invariant ends the whole run: it is what simulations look for. */
  #die(process: SimProcess, error: Error): void {
    if (!process.alive) return;
    this.#trace.record(this.name, 'fatal', { error });
    this.fatalError = error;
    if (error instanceof AssertionError) this.#loop.fail(error);
    this.crash({ unsynced: 'keep' });
    this.onFatal?.(error);
  }
}
