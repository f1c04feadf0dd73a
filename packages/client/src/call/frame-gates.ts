/**
 * How much of all uploads together is under way to one chunkserver. What is more waits here, in order: past what a connection
 * takes it would be refused, and a server that cannot store all of it in time looks like one that fails.
 */
import { onAbort } from '@cairnfs/base';
import { BYTES_TO_SERVER_MAX, FRAMES_TO_SERVER_MAX } from '../limits.ts';

export class FrameGates {
  /** Address → gate, while anything is under way to it. */
  readonly #gates = new Map<string, Gate>();

  /**
   * Runs `work` when a frame of so many bytes may go to `address`.
   *
   * @throws the signal's reason when it aborts before that.
   */
  async pass<T>(address: string, bytes: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const gate = this.#gates.get(address) ?? new Gate();
    this.#gates.set(address, gate);
    if (!gate.enterAtOnce(bytes)) await gate.enter(bytes, signal);
    try {
      return await work();
    } finally {
      gate.leave(bytes);
      if (gate.isUnused) this.#gates.delete(address);
    }
  }
}

interface Waiting {
  readonly bytes: number;
  readonly admitted: () => void;
}

class Gate {
  #frames = 0;
  #bytes = 0;
  /** Bounded by the uploads under way: 16 frames of each. */
  readonly #waiting = new Set<Waiting>();

  get isUnused(): boolean {
    return this.#frames === 0 && this.#waiting.size === 0;
  }

  /** Unless others wait: small files never do. */
  enterAtOnce(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#hasRoom(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  async enter(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const entered = new Promise<void>((resolve, reject) => {
      let unhook = () => {};
      const admitted = () => {
        unhook();
        resolve();
      };
      const waiting = { bytes, admitted };
      this.#waiting.add(waiting);
      if (signal === undefined) return;
      unhook = onAbort(signal, () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
        this.#admit();
      });
    });
    this.#admit();
    await entered;
  }

  leave(bytes: number): void {
    this.#frames -= 1;
    this.#bytes -= bytes;
    this.#admit();
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#take(waiting.bytes);
      waiting.admitted();
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#frames < FRAMES_TO_SERVER_MAX && this.#bytes + bytes <= BYTES_TO_SERVER_MAX;
  }

  #take(bytes: number): void {
    this.#frames += 1;
    this.#bytes += bytes;
  }
}
