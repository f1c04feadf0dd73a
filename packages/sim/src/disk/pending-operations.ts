/** What one process waits for on one device: answered after its time, never while the disk hangs, or given up. */
import type { DiskError } from '@cairnfs/base';
import type { SimProcess } from '../process.ts';

interface Pending {
  /** The tick in which it began. */
  readonly began: number;
  readonly reject: (error: unknown) => void;
}

export class PendingOperations {
  readonly #process: SimProcess;
  readonly #pending = new Set<Pending>();
  #tick = 0;
  #failure: DiskError | undefined;

  constructor(process: SimProcess) {
    this.#process = process;
  }

  get failure(): DiskError | undefined {
    return this.#failure;
  }

  /** Settles with the outcome of `compute`, which runs after `delayMs`, unless the disk hangs then. */
  settleLater<T>(delayMs: number, isHanging: () => boolean, compute: () => T): Promise<T> {
    return this.#wait((pending, resolve, reject) => {
      this.#process.schedule(delayMs, () => {
        if (isHanging() || !this.#pending.delete(pending)) return;
        try {
          resolve(compute());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Settles as `work` does. */
  settleAs<T>(work: () => Promise<T>): Promise<T> {
    return this.#wait((pending, resolve, reject) => {
      work().then(
        (result) => {
          this.#pending.delete(pending);
          resolve(result);
        },
        (error) => {
          this.#pending.delete(pending);
          reject(error);
        },
      );
    });
  }

  /** Nobody answers. */
  never<T>(): Promise<T> {
    return this.#wait(() => {});
  }

  /** As `DiskDevice.tick`. */
  tick(): number {
    let oldest = this.#tick + 1;
    for (const { began } of this.#pending) oldest = Math.min(oldest, began);
    this.#tick += 1;
    return this.#tick - oldest;
  }

  giveUp(error: DiskError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }

  #wait<T>(
    begin: (pending: Pending, resolve: (result: T) => void, reject: (error: unknown) => void) => void,
  ): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const pending = { began: this.#tick, reject };
      this.#pending.add(pending);
      begin(pending, resolve, reject);
    });
  }
}
