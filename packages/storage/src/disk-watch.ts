/**
 * Gives a device up that does not answer: an operation of it has been under way for so long that the disk cannot be merely
 * slow. Time is counted in ticks that this process handled, at least a tick's time apart, and not read off a clock: while
 * the process itself stood still (stopped, swapped out, a laptop asleep) it could not have been told either, and such a
 * pause, however long, is one tick.
 */
import { type Clock, type DiskDevice, DiskError, type Timer } from '@cairnfs/base';
import { DISK_PROBE_TICKS, DISK_TICK_MS } from './limits.ts';

export interface DiskWatchOptions {
  readonly clock: Clock;
  readonly device: DiskDevice;
  /** Of the device, for messages. */
  readonly directory: string;
  /** How long an operation may take. */
  readonly timeoutMs: number;
}

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #ticksMax: number;
  #timer: Timer | undefined;
  #ticksToProbe = DISK_PROBE_TICKS;
  #failed: (error: Error) => void = () => {};

  /** Begins to watch; to be ended, or its timer goes on for ever. */
  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#ticksMax = Math.ceil(options.timeoutMs / DISK_TICK_MS);
    this.#next();
  }

  /** `callback` is told that the disk has failed, before those who wait for the device are. */
  onFailure(callback: (error: Error) => void): void {
    this.#failed = callback;
  }

  end(): void {
    this.#timer?.cancel();
  }

  #next(): void {
    this.#timer = this.#options.clock.after(DISK_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const { device, directory, timeoutMs } = this.#options;
    // The first tick that an operation sees may come right after its begin.
    if (device.tick() <= this.#ticksMax) {
      this.#ticksToProbe -= 1;
      if (this.#ticksToProbe === 0) this.#probe();
      this.#next();
      return;
    }
    const message = `${directory} does not answer since ${Math.round(timeoutMs / 1000)} s`;
    const error = new DiskError('ETIMEDOUT', directory, message);
    this.#failed(error);
    device.giveUp(error);
  }

  /** One at a time. */
  #probe(): void {
    const { device, directory } = this.#options;
    device
      .probe(directory)
      .catch((error: unknown) => {
        // Another error, as of too many open files, says nothing of the device.
        if (error instanceof DiskError && error.code === 'EIO') this.#failed(error);
      })
      .finally(() => {
        this.#ticksToProbe = DISK_PROBE_TICKS;
      });
  }
}
